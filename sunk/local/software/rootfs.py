"""Root file systems of the images: Debian packages, then our users, exclusions and clean-up.

`deploy/images` holds the lists and the scripts; the Containerfiles there use the same ones in the
same order.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sunk.clients import process
from sunk.errors import EnvironmentFault
from sunk.local.software.cache import Cache, Entry, Hook, Say, content_key
from sunk.local.software.confine import confined
from sunk.local.software.debian import SUITE, read_packages

EPOCH_SECONDS = 1754697600
"""SOURCE_DATE_EPOCH of everything built: the day trixie was released, 2025-08-09 UTC."""
FORMAT = f"1 {EPOCH_SECONDS}"
"""Part of the key; to be changed with what `build_rootfs` does beside its command."""
BUILD_SECONDS = 1800
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class RootfsRecipe:
    """What a root file system is made of; all paths are files of deploy/images.

    Attributes:
        name: image name.
        packages: Debian packages.
        excludes: dpkg configurations with the files to leave out.
        users: script that adds users before packages are configured.
        finish: script that makes the installed system an image.
    """

    name: str
    packages: tuple[str, ...]
    excludes: tuple[Path, ...]
    users: Path
    finish: Path


def read_recipe(images: Path, name: str) -> RootfsRecipe:
    """Read the recipe of an image from the folder deploy/images."""
    own = images / name / "excludes.cfg"
    return RootfsRecipe(
        name=name,
        packages=read_packages((images / name / "packages.txt").read_text()),
        excludes=(images / "common/excludes.cfg", *([own] if own.exists() else [])),
        users=images / "common/users.sh",
        finish=images / "common/finish.sh",
    )


def rootfs_key(recipe: RootfsRecipe, archive: Entry) -> str:
    """Return the cache key: recipe, and the very packages it is built from."""
    command = mmdebstrap_argv(recipe, Path("archive"), Path("users.sh"), Path("root"))
    return content_key(
        "\n".join(command), recipe.users, recipe.finish, archive.content / "Packages", FORMAT
    )


def mmdebstrap_argv(recipe: RootfsRecipe, archive: Path, users: Path, target: Path) -> list[str]:
    """Return the command that builds the file system.

    Args:
        recipe: what to build.
        archive: flat archive with all packages.
        users: executable copy of the users script (mmdebstrap runs it without a shell).
        target: folder to make.
    """
    # [trusted=yes]: signatures were verified when the archive was filled. copy: and not file:,
    # because packages are also read inside the new root.
    source = f"deb [trusted=yes] copy:{quote(str(archive))} ./"
    return [
        "mmdebstrap",
        *("--mode=root", "--variant=apt", "--format=directory", "--skip=output/dev"),
        '--aptopt=APT::Install-Recommends "false"',
        *(f"--dpkgopt={line}" for file in recipe.excludes for line in _lines(file)),
        "--dpkgopt=force-unsafe-io",  # a build that loses power starts again anyway
        f"--essential-hook={users}",
        f"--include={','.join(recipe.packages)}",
        SUITE,
        str(target),
        source,
    ]


def _lines(file: Path) -> list[str]:
    lines = (line.strip() for line in file.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def obtain_rootfs(
    cache: Cache,
    recipe: RootfsRecipe,
    archive: Entry,
    *,
    say: Say = lambda _text: None,
    hook: Hook = lambda: None,
) -> Entry:
    """Return the cache entry with the root file system in ``root/``.

    Raises:
        CommandError: a step failed; the hint names the log.
    """

    def build(content: Path) -> None:
        log = cache.logs / f"rootfs-{recipe.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        build_rootfs(recipe, archive.content, content / "root", log, say=say, hook=hook)

    return cache.obtain(
        f"rootfs-{recipe.name}", rootfs_key(recipe, archive), build, say=say, hook=hook
    )


def build_rootfs(
    recipe: RootfsRecipe, archive: Path, target: Path, log: Path, *, say: Say, hook: Hook
) -> None:
    """Build a root file system into the folder `target`, which must not exist."""
    users = target.parent / "users.sh"
    if any(character in str(users) for character in " '\"$`\\;&|<>*?()[]{}~#!"):
        raise EnvironmentFault(
            f"build the {recipe.name} image in {target}: the path has blanks or special characters",
            hint="choose a cache folder with a plain name",
        )
    shutil.copyfile(recipe.users, users)
    users.chmod(0o755)
    say(f"installing {len(recipe.packages)} packages and what they need")
    process.run_logged(
        confined(mmdebstrap_argv(recipe, archive, users, target)),
        log=log,
        timeout_seconds=BUILD_SECONDS,
        env={"SOURCE_DATE_EPOCH": str(EPOCH_SECONDS), "LC_ALL": "C", "TMPDIR": "/tmp"},  # noqa: S108
        while_running=hook,
    )
    users.unlink()
    say("finishing")
    process.run_logged(
        confined(
            ["chroot", target, "env", "-i", f"PATH={_PATH}", "sh", "-c", _text(recipe.finish)]
        ),
        log=log,
        timeout_seconds=300,
        while_running=hook,
    )
    for node in (target / "dev").iterdir():  # containers get a /dev of their own
        if node.is_dir() and not node.is_symlink():
            shutil.rmtree(node)
        else:
            node.unlink()


def _text(script: Path) -> str:
    return script.read_text()
