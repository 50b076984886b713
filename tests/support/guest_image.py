"""What guests are made of: a root file system of Debian packages, a kernel, its first shell.

Made once with the product's own builder of root file systems, and kept in its cache. QEMU is in
that root file system too: this machine needs none, and its release does not matter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sunk.errors import EnvironmentFault
from sunk.local.machine import require_root
from sunk.local.software.cache import Cache, Entry, content_key
from sunk.local.software.debian import (
    find_mirrors,
    install_hint,
    missing_packages,
    read_machine_packages,
    read_packages,
)
from sunk.local.software.debrepo import obtain_archive
from sunk.local.software.requirements import make_folder, require_space
from sunk.local.software.rootfs import RootfsRecipe, obtain_rootfs
from sunk.progress import Reporter, step
from sunk.resources import data_folder
from sunk.settings import LocalSettings
from tests.support.rootfs import Rootfs

RECIPE = Path(__file__).parents[1] / "guest"
NEEDED_GIB = 3
BUILDERS = frozenset({"apt-utils", "debian-archive-keyring", "mmdebstrap", "util-linux"})
"""Of this machine's packages, those that make and enter a root file system."""
OLDEST = {"qemu-system-x86": (8, 0), "linux-image-amd64": (6, 1), "perftest": (4, 5)}
"""Package -> oldest version that will do: igb came with QEMU 8."""
FIRST_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
"""What the root file system is mounted with."""
INIT = """\
#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /low /top /root
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
while read -r file; do /bin/busybox insmod "$file"; done < /modules
/bin/busybox mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro host /low
/bin/busybox mount -t tmpfs -o mode=755,size=60% tmpfs /top
/bin/busybox mkdir /top/upper /top/work
/bin/busybox mount -t overlay -o lowerdir=/low,upperdir=/top/upper,workdir=/top/work overlay /root
/bin/busybox mkdir -p /root/own
/bin/busybox mount -t 9p -o trans=virtio,version=9p2000.L,ro own /root/own
/bin/busybox mount --move /dev /root/dev
/bin/busybox umount /proc
exec /bin/busybox switch_root /root /bin/sh /own/start
"""
"""The first program: the root file system below a layer in memory, and the guest's own folder."""
_PACK = """\
set -eu
work=$(mktemp -d)
mkdir "$work/bin"
cp /bin/busybox "$work/bin/busybox"
printf '%s' "$1" > "$work/init"
chmod 755 "$work/init"
version=$2
shift 2
for name; do modprobe -S "$version" --show-depends "$name"; done |
  while read -r word file _; do
    [ "$word" = insmod ] || continue
    place=/modules.d/$(basename "$file" .xz)
    mkdir -p "$work/modules.d"
    [ -e "$work$place" ] && continue
    case $file in *.xz) busybox xzcat "$file" ;; *) cat "$file" ;; esac > "$work$place"
    printf '%s\\n' "$place" >> "$work/modules"
  done
cd "$work"
find . | LC_ALL=C sort | cpio --quiet -o -H newc > /out/initrd
"""


@dataclass(frozen=True)
class GuestImage:
    """What guests boot.

    Attributes:
        rootfs: of the host that runs QEMU and of the guests; never written to.
        kernel: its file, inside the root file system.
        initrd: the first shell and modules; a file of this machine.
        versions: package -> version.
    """

    rootfs: Path
    kernel: str
    initrd: Path
    versions: dict[str, str]


def obtain_guest_image(settings: LocalSettings, reporter: Reporter) -> GuestImage:
    """Make the image unless it is in the cache.

    Raises:
        EnvironmentFault: not root, a program is missing, no network, or a package is too old.
    """
    require_root("make the image of the guests")
    deploy = data_folder("deploy")
    wanted = read_machine_packages((deploy / "local/packages.txt").read_text())
    missing = missing_packages(tuple(one for one in wanted if one.name in BUILDERS))
    if missing:
        raise EnvironmentFault(
            f"make the image of the guests: packages are missing: {' '.join(missing)}",
            hint=install_hint(missing),
        )
    make_folder(settings.cache_folder, "SUNK_CACHE_DIR")
    cache = Cache(settings.cache_folder)
    common = deploy / "images" / "common"
    recipe = RootfsRecipe(
        name="guest",
        packages=read_packages((RECIPE / "packages.txt").read_text()),
        excludes=(common / "excludes.cfg", RECIPE / "excludes.cfg"),
        users=common / "users.sh",
        finish=common / "finish.sh",
    )

    with step(reporter, "image of the guests") as current:

        def find():
            require_space(settings.cache_folder, "make the image of the guests", NEEDED_GIB)
            log = cache.logs / "debian-mirrors.log"
            mirror = settings.debian_mirror
            return find_mirrors(mirror, None, log, say=current.detail, hook=lambda: None)

        archive = obtain_archive(cache, recipe.packages, find, say=current.detail)
        entry = obtain_rootfs(cache, recipe, archive, say=current.detail)
        rootfs = entry.content / "root"
        versions = require_versions((rootfs / "usr/share/sunk/packages.txt").read_text())
        (kernel,) = (rootfs / "boot").glob("vmlinuz-*")
        first = _obtain_first_shell(cache, entry, kernel.name.partition("-")[2])
        current.outcome = entry.outcome
    return GuestImage(rootfs, f"/boot/{kernel.name}", first.content / "initrd", versions)


def require_versions(listed: str) -> dict[str, str]:
    """Return package -> version of a list, ``NAME VERSION`` a line.

    Raises:
        EnvironmentFault: one of those that matter is missing or too old.
    """
    lines = (line.split() for line in listed.splitlines())
    versions = {words[0].partition(":")[0]: words[1] for words in lines}
    for name, oldest in OLDEST.items():
        found = re.match(r"(?:\d+:)?(\d+)\.(\d+)", versions.get(name, ""))
        if found is None or (int(found[1]), int(found[2])) < oldest:
            least = ".".join(str(one) for one in oldest)
            raise EnvironmentFault(
                f"make the image of the guests: {name} is {versions.get(name, 'missing')}, and"
                f" {least} is needed",
                hint="use a later release of Debian for the images",
            )
    return versions


def _obtain_first_shell(cache: Cache, rootfs: Entry, version: str) -> Entry:
    """Pack the first shell and its modules, inside a layer above the root file system."""

    def build(content: Path) -> None:
        point = content.parent / "point"
        point.mkdir()
        place = Rootfs(rootfs.content / "root", point, {content: "/out"})
        done = place.run("sh", "-c", _PACK, "sh", INIT, version, *FIRST_MODULES)
        if done.returncode != 0:
            raise EnvironmentFault(f"pack the first shell of the guests: {done.stderr[-2000:]}")

    key = content_key(rootfs.key, INIT, _PACK, *FIRST_MODULES)
    return cache.obtain("guest-initrd", key, build)
