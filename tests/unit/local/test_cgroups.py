"""Version 1 is also exercised for real by the cluster layer; version 2 only here."""

from __future__ import annotations

from pathlib import Path

import pytest

from sunk.errors import EnvironmentFault
from sunk.local import cgroups
from sunk.local.cgroups import REQUIRED, Hierarchies, parse_hierarchies


def line(point: str, kind: str, options: str) -> str:
    return f"30 20 0:26 / {point} rw,relatime - {kind} {kind} {options}"


V1 = [line(f"/sys/fs/cgroup/{name}", "cgroup", f"rw,{name}") for name in REQUIRED]


def test_version_1_hierarchies_are_found_with_the_named_and_the_unified_one():
    extra = [
        line("/sys/fs/cgroup/systemd", "cgroup", "rw,name=systemd"),
        line("/sys/fs/cgroup/unified", "cgroup2", "rw"),
    ]
    found = parse_hierarchies("\n".join(V1 + extra))
    assert found.version == 1
    assert found.cpuset == Path("/sys/fs/cgroup/cpuset")
    names = sorted([*REQUIRED, "systemd", "unified"])
    assert found.roots == tuple(Path("/sys/fs/cgroup") / name for name in names)


def test_controllers_that_share_a_mount_are_one_hierarchy():
    joint = [line("/cg/cpu,cpuacct", "cgroup", "rw,cpu,cpuacct")]
    rest = [text for text in V1 if "/cpu " not in text and "/cpuacct " not in text]
    assert Path("/cg/cpu,cpuacct") in parse_hierarchies("\n".join(joint + rest)).roots


@pytest.mark.parametrize("name", REQUIRED)
def test_missing_hierarchy_is_named_with_the_command_that_mends_it(name):
    without = [text for text in V1 if f"/{name} " not in text]
    with pytest.raises(EnvironmentFault) as raised:
        parse_hierarchies("\n".join(without))
    assert raised.value.message == f"find cgroup hierarchies: {name} not mounted"
    assert raised.value.hint == f"mount -t cgroup -o {name} cgroup /sys/fs/cgroup/{name}"


def test_version_2_is_the_one_unified_mount():
    found = parse_hierarchies(line("/sys/fs/cgroup", "cgroup2", "rw,nsdelegate"))
    assert found == Hierarchies(version=2, roots=(Path("/sys/fs/cgroup"),))


def test_version_2_delegates_every_controller_on_the_way_down(tmp_path, monkeypatch):
    real_mkdir = Path.mkdir

    def kernel_mkdir(self, *args, **kwargs):
        """Fill a new folder the way the kernel does."""
        existed = self.exists()
        real_mkdir(self, *args, **kwargs)
        if not existed:
            (self / "cgroup.controllers").write_text("cpu memory pids\n")

    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    monkeypatch.setattr(Path, "mkdir", kernel_mkdir)
    cgroups.make(Hierarchies(version=2, roots=(tmp_path,)), "sunk/demo/node1")
    assert (tmp_path / "sunk/demo/node1").is_dir()
    for folder in ("", "sunk", "sunk/demo"):
        control = tmp_path / folder / "cgroup.subtree_control"
        assert control.read_text() == "+cpu +memory +pids", folder


def test_version_1_cpuset_children_inherit_before_use(tmp_path):
    (tmp_path / "cpuset.cpus").write_text("0-1\n")
    (tmp_path / "cpuset.mems").write_text("0\n")
    hierarchies = Hierarchies(version=1, roots=(tmp_path,), cpuset=tmp_path)
    cgroups.make(hierarchies, "sunk/demo")
    assert (tmp_path / "sunk/demo/cpuset.cpus").read_text() == "0-1\n"
    assert (tmp_path / "sunk/demo/cpuset.mems").read_text() == "0\n"


def test_remove_takes_the_whole_tree_and_leaves_other_clusters(tmp_path):
    hierarchies = Hierarchies(version=1, roots=(tmp_path,))
    for folder in ("sunk/one/node1/pod", "sunk/two"):
        (tmp_path / folder).mkdir(parents=True)
    cgroups.remove(hierarchies.roots, "sunk/one")
    assert not (tmp_path / "sunk/one").exists()
    assert (tmp_path / "sunk/two").is_dir()
    cgroups.remove(hierarchies.roots, "sunk/two")
    assert not (tmp_path / "sunk").exists()


def test_remove_names_the_cgroup_that_stays_busy(tmp_path):
    (tmp_path / "sunk/one").mkdir(parents=True)
    (tmp_path / "sunk/one/a-file-keeps-it-busy").touch()
    hierarchies = Hierarchies(version=1, roots=(tmp_path,))
    with pytest.raises(EnvironmentFault, match="sunk/one: processes still live in it"):
        cgroups.remove(hierarchies.roots, "sunk/one", within_seconds=0.1)
