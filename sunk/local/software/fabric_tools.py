"""The fabric tools: a root file system with a simulated InfiniBand fabric and the real tools.

For trying the fabric validator without hardware: ibsim answers management packets as a fabric
would, and opensm and infiniband-diags, unchanged, believe it. Nothing of a cluster needs it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sunk.errors import EnvironmentFault
from sunk.local.machine import require_root
from sunk.local.software.cache import Cache, Hook, Say
from sunk.local.software.debian import (
    Mirrors,
    find_mirrors,
    install_hint,
    install_packages,
    missing_packages,
    read_machine_packages,
    read_packages,
)
from sunk.local.software.debrepo import obtain_archive
from sunk.local.software.gather import SoftwareOptions
from sunk.local.software.requirements import make_folder, require_space
from sunk.local.software.rootfs import RootfsRecipe, obtain_rootfs

NAME = "fabric"
"""Of the recipe; the cache entry is ``rootfs-fabric``."""
NEEDED_GIB = 1
SIMULATOR = "ibsim-utils"
OLDEST_SIMULATOR = (0, 12)
"""Earlier ones take NDR for SDR, and say so in a warning only."""
_BUILDERS = frozenset({"apt-utils", "debian-archive-keyring", "mmdebstrap", "util-linux"})
"""Of this machine's packages, those that make a root file system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FabricTools:
    """The fabric tools on this machine.

    Attributes:
        rootfs: root file system; in the cache, must not be written to: mount an overlay over it.
        version: of the simulator's package.
        outcome: whether it was made just now, in words.
    """

    rootfs: Path
    version: str
    outcome: str


def read_tools_recipe(deploy: Path) -> RootfsRecipe:
    """Return what the root file system is made of; clean-up and exclusions are the images'."""
    common = deploy / "images" / "common"
    return RootfsRecipe(
        name=NAME,
        packages=read_packages((deploy / "local/fabric/packages.txt").read_text()),
        excludes=(common / "excludes.cfg",),
        users=common / "users.sh",
        finish=common / "finish.sh",
    )


def obtain_fabric_tools(
    cache_folder: Path,
    deploy: Path,
    options: SoftwareOptions,
    *,
    say: Say = lambda _text: None,
    hook: Hook = lambda: None,
) -> FabricTools:
    """Make the root file system, unless it is there.

    Args:
        cache_folder: where it is kept.
        deploy: the folder deploy of this installation.
        options: mirrors, and whether missing packages of this machine are installed.
        say: told what is done.
        hook: called meanwhile; raises to stop.

    Raises:
        EnvironmentFault: not root, too little space, no network, or a release of Debian whose
            simulator is too old.
        CommandError: a step failed; the hint names the log.
    """
    require_root("make the fabric tools")
    make_folder(cache_folder, "--cache-dir or SUNK_CACHE_DIR")
    cache = Cache(cache_folder)
    recipe = read_tools_recipe(deploy)
    _require_builders(cache, deploy, options, say, hook)

    def find() -> Mirrors:
        require_space(cache_folder, "make the fabric tools", NEEDED_GIB)
        log = cache.logs / "debian-mirrors.log"
        return find_mirrors(options.debian_mirror, options.security_mirror, log, say=say, hook=hook)

    archive = obtain_archive(cache, recipe.packages, find, say=say, hook=hook)
    entry = obtain_rootfs(cache, recipe, archive, say=say, hook=hook)
    rootfs = entry.content / "root"
    return FabricTools(rootfs=rootfs, version=simulator_version(rootfs), outcome=entry.outcome)


def _require_builders(
    cache: Cache, deploy: Path, options: SoftwareOptions, say: Say, hook: Hook
) -> None:
    wanted = read_machine_packages((deploy / "local/packages.txt").read_text())
    missing = missing_packages(tuple(one for one in wanted if one.name in _BUILDERS))
    if not missing:
        return
    if not options.install_packages:
        raise EnvironmentFault(
            f"make the fabric tools: packages are missing: {' '.join(missing)}",
            hint=install_hint(missing),
        )
    install_packages(missing, cache.logs / "machine-packages.log", say=say, hook=hook)


def simulator_version(rootfs: Path) -> str:
    """Return the version of the simulator in a root file system.

    Raises:
        EnvironmentFault: it is not there, or one that runs NDR links as SDR.
    """
    listed = (rootfs / "usr/share/sunk/packages.txt").read_text()
    found = re.search(rf"^{SIMULATOR}(?::\w+)? (\d+)\.(\d+)(\S*)$", listed, re.MULTILINE)
    if found is None:
        raise EnvironmentFault(f"use the fabric tools in {rootfs}: there is no {SIMULATOR}")
    version = found[0].partition(" ")[2]
    if (int(found[1]), int(found[2])) < OLDEST_SIMULATOR:
        oldest = ".".join(str(one) for one in OLDEST_SIMULATOR)
        raise EnvironmentFault(
            f"use the fabric tools in {rootfs}: {SIMULATOR} {version} runs NDR links as SDR",
            hint=f"use a release of Debian that has {oldest} or later",
        )
    return version
