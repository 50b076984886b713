"""A containerd store with all images imported once, and cheap copies of it for nodes.

Importing the images takes a node many seconds each time. So a private containerd imports them
once, unpacked, into a template; a node's containerd starts on a clone of it. Clones share blobs
and snapshot files by hard links: containerd only ever adds and removes such files, and the kernel
never writes to an overlay's lower folders. Its databases are written in place: those are copied.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sunk.clients import process
from sunk.errors import EnvironmentFault
from sunk.local.mounts import remove_tree
from sunk.local.software.cache import Cache, Entry, Hook, Say, content_key
from sunk.local.software.confine import confined
from sunk.local.software.debian import default_path
from sunk.local.software.oci import Image, write_archive

RUN_FOLDER = "/run/sunk-import"
"""Sockets of the containerd that imports; on a /run that only it sees."""
SNAPSHOTTER = "overlayfs"
DATABASE_SUFFIX = ".db"
"""bolt files: metadata.db of images, metadata.db of snapshots; written in place through mmap."""
IMPORT_SECONDS = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTemplate:
    """A containerd root folder that no containerd uses.

    Attributes:
        root: the folder; a node's containerd gets a clone of it as its ``root``.
        key: tells contents apart; a clone of another key must be made anew.
    """

    root: Path
    key: str


def containerd_config(root: Path) -> str:
    """Return the configuration of the containerd that fills the template.

    Its sockets are on a /run of its own, see import-images.sh. Without the Kubernetes plugin,
    which would open ports and want networks, and without ``opt``, which would make /opt/containerd.

    Args:
        root: absolute path of the store.
    """
    disabled = (
        "io.containerd.grpc.v1.cri",
        "io.containerd.internal.v1.opt",
        "io.containerd.nri.v1.nri",
        "io.containerd.snapshotter.v1.aufs",
        "io.containerd.snapshotter.v1.blockfile",
        "io.containerd.snapshotter.v1.btrfs",
        "io.containerd.snapshotter.v1.devmapper",
        "io.containerd.snapshotter.v1.zfs",
    )
    # A TOML basic string is written like a JSON one, but for what no path of ours holds.
    return (
        "version = 2\n"
        f"root = {json.dumps(str(root))}\n"
        f'state = "{RUN_FOLDER}/state"\n'
        f"disabled_plugins = {json.dumps(disabled)}\n"
        "[grpc]\n"
        f'  address = "{RUN_FOLDER}/containerd.sock"\n'
    )


def obtain_store(
    cache: Cache,
    images: Sequence[Image],
    deploy: Path,
    *,
    base: tuple[StoreTemplate, Sequence[Image]] | None = None,
    say: Say = lambda _text: None,
    hook: Hook = lambda: None,
) -> tuple[StoreTemplate, Entry]:
    """Return the template with these images, made when needed, and its cache entry.

    Args:
        cache: where it is kept.
        images: what it shall hold beside the base's.
        deploy: the folder that holds local/import-images.sh.
        base: a template to begin with and the images in it, so that only the layers which it
            lacks are imported.
        say: told what is done.
        hook: called meanwhile; raises to stop.

    Raises:
        CommandError: containerd did not start or an import failed; the hint names the log.
    """
    path = {"PATH": default_path()}
    version = process.run(["containerd", "--version"], timeout_seconds=30, env=path).stdout
    names = [f"{image.name}@{image.digest}" for image in images]
    script = deploy / "local/import-images.sh"
    base_key = "" if base is None else base[0].key
    key = content_key(version, SNAPSHOTTER, script, base_key, *sorted(names))
    log = cache.logs / "image-store.log"

    def build(content: Path) -> None:
        root, work = content / "root", content.parent / "work"
        work.mkdir()
        say("packing the images")
        if base is not None:
            clone_store(base[0], root)
        write_archive(images, work / "images.tar", without=() if base is None else base[1])
        (work / "containerd.toml").write_text(containerd_config(root))
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        say(f"importing {len(images)} images")
        process.run_logged(
            confined(
                [
                    *("sh", script, RUN_FOLDER, work / "containerd.toml", work / "images.tar"),
                    *(SNAPSHOTTER, *sorted(image.name for image in images)),
                ]
            ),
            log=log,
            timeout_seconds=IMPORT_SECONDS,
            env=path,
            while_running=hook,
        )
        # Clones must not all claim to be this containerd.
        (root / "io.containerd.grpc.v1.introspection/uuid").unlink(missing_ok=True)
        remove_tree(work)

    entry = cache.obtain("image-store", key, build, say=say, hook=hook)
    return StoreTemplate(root=entry.content / "root", key=key), entry


def clone_store(template: StoreTemplate, target: Path) -> None:
    """Make `target` a containerd root with the template's images; `target` must not exist.

    Raises:
        EnvironmentFault: `target` exists.
        CommandError: the copy failed.
    """
    if target.exists():
        raise EnvironmentFault(
            f"clone the image store to {target}: it exists", hint="remove it first"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    remove_tree(partial)
    same = template.root.stat().st_dev == target.parent.stat().st_dev
    process.run(
        ["cp", "--archive", *(["--link"] if same else []), "--", template.root, partial],
        timeout_seconds=600,
    )
    if same:
        for database in databases(partial):
            _own_copy(database)
    partial.rename(target)


def databases(root: Path) -> list[Path]:
    """Return the files of a containerd root that are written in place, sorted.

    They lie in the plugins' own folders, never among blobs or snapshots' contents.
    """
    return sorted(root.glob(f"io.containerd.*/*{DATABASE_SUFFIX}"))


def _own_copy(file: Path) -> None:
    """Replace a hard link by a copy of its file."""
    copy = file.with_name(f"{file.name}.copy")
    shutil.copy2(file, copy)
    copy.rename(file)
