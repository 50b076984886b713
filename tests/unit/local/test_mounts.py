"""Reading mount tables: what is mounted below a folder."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sunk.local.mounts import mounts_below

TABLE = """\
22 1 254:0 / / rw - ext4 /dev/vda rw
30 22 0:5 / /cache/build/root/proc rw - proc proc rw
31 22 0:6 / /cache/build/root/sys rw - sysfs sys rw
32 31 0:7 / /cache/build/root/sys/fs/cgroup rw - tmpfs t rw
33 22 0:8 / /cache/build-other/proc rw - proc proc rw
34 22 0:9 / /cache/build/with\\040blank rw - tmpfs t rw
"""


def test_mounts_below_a_folder_come_deepest_first():
    assert mounts_below(Path("/cache/build"), TABLE) == (
        "/cache/build/with blank",
        "/cache/build/root/sys/fs/cgroup",
        "/cache/build/root/sys",
        "/cache/build/root/proc",
    )


def test_the_folder_itself_counts_when_it_is_a_mount_point():
    assert mounts_below(Path("/cache/build/root/proc"), TABLE) == ("/cache/build/root/proc",)


@given(st.text(st.characters(codec="ascii", exclude_characters="/\0"), min_size=1))
def test_any_name_of_a_mount_point_is_read_back(name):
    escaped = "".join(f"\\{ord(c):03o}" if c in " \t\n\\" or c < " " else c for c in name)
    line = f"30 22 0:5 / /cache/{escaped} rw - proc proc rw"
    assert mounts_below(Path("/cache"), line) == (f"/cache/{name}",)
