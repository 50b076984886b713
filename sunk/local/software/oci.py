"""Container images as OCI image layouts, without a container engine; same input, same bytes.

Formats: OCI image specification 1.0 (layout, index, manifest, config). A layout is a folder; the
blobs in it are hard links to the layers, so that an image costs no space. Archives of layouts are
what `ctr images import` and registries' tools read.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sunk.errors import InputError
from sunk.local.software.layer import Layer

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_INDEX = "application/vnd.oci.image.index.v1+json"
PATH_VARIABLE = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """What a container of the image runs when its Pod says nothing else.

    Attributes:
        title: a few words about the image.
        entrypoint: program and arguments.
        user: ``uid:gid``; root when empty.
        env: environment, ``NAME=value``.
    """

    title: str
    entrypoint: tuple[str, ...] = ()
    user: str = ""
    env: tuple[str, ...] = (PATH_VARIABLE,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A container image in the cache.

    Attributes:
        name: what Pods ask for, for example ``sunk.dev/slurm:local``.
        layout: folder with its OCI image layout.
        digest: ``sha256:`` and the manifest's digest; the same content gives the same digest.
    """

    name: str
    layout: Path
    digest: str

    @property
    def content_name(self) -> str:
        """Name with a tag made of the content, for example ``sunk.dev/slurm:3f1c9a0b2d4e``."""
        repository = self.name.rpartition(":")[0]
        return f"{repository}:{self.digest.removeprefix('sha256:')[:12]}"


def write_layout(
    folder: Path,
    layers: Sequence[Layer],
    config: ImageConfig,
    *,
    architecture: str,
    epoch_seconds: int,
) -> str:
    """Write an image layout into the folder `folder` and return the manifest's digest.

    Args:
        folder: an existing folder.
        layers: lowest first.
        config: what a container runs.
        architecture: Debian's or Go's name, for example ``amd64``.
        epoch_seconds: when the image says it was made.
    """
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    for layer in layers:
        _link(layer.blob, blobs / layer.digest.removeprefix("sha256:"))
    settings = _config(layers, config, architecture, epoch_seconds)
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": {"mediaType": _CONFIG, **_blob(blobs, settings)},
        "layers": [
            {"mediaType": _LAYER, "digest": layer.digest, "size": layer.size} for layer in layers
        ],
    }
    entry = {"mediaType": _MANIFEST, **_blob(blobs, manifest)}
    index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [entry]}
    (folder / "index.json").write_bytes(_json(index))
    (folder / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))
    return str(entry["digest"])


def write_archive(images: Sequence[Image], target: Path, *, without: Sequence[Image] = ()) -> None:
    """Write one archive of several images; layers that they share are in it once.

    Each image is in the index twice: under its name and under its content's name.

    Args:
        images: what to write.
        target: the archive; appears when it is complete.
        without: images whose blobs the reader has already; they are left out.

    Raises:
        InputError: a layout lacks its manifest.
    """
    entries: list[dict[str, Any]] = []
    blobs: dict[str, Path] = {}
    for image in sorted(images, key=lambda image: image.name):
        entries.extend(_named_entry(image, name) for name in (image.name, image.content_name))
        blobs.update((file.name, file) for file in (image.layout / "blobs/sha256").iterdir())
    for image in without:
        for file in (image.layout / "blobs/sha256").iterdir():
            blobs.pop(file.name, None)
    index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries}
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with partial.open("wb") as sink, tarfile.open(fileobj=sink, mode="w|") as archive:
            _put(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
            _put(archive, "index.json", _json(index))
            for digest, file in sorted(blobs.items()):
                info = tarfile.TarInfo(f"blobs/sha256/{digest}")
                info.size = file.stat().st_size
                with file.open("rb") as source:
                    archive.addfile(info, source)
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)


def _named_entry(image: Image, name: str) -> dict[str, Any]:
    try:
        index = json.loads((image.layout / "index.json").read_text())
        entry: dict[str, Any] = index["manifests"][0]
    except (OSError, ValueError, LookupError) as exc:
        raise InputError(f"read image layout {image.layout}: {exc}") from exc
    annotations = {
        "io.containerd.image.name": name,
        "org.opencontainers.image.ref.name": name.rpartition(":")[2],
    }
    return {**entry, "annotations": annotations}


def _config(
    layers: Sequence[Layer], config: ImageConfig, architecture: str, epoch_seconds: int
) -> dict[str, Any]:
    created = datetime.fromtimestamp(epoch_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    run: dict[str, Any] = {
        "Env": list(config.env),
        "Labels": {"org.opencontainers.image.title": config.title},
    }
    if config.entrypoint:
        run["Entrypoint"] = list(config.entrypoint)
    if config.user:
        run["User"] = config.user
    return {
        "architecture": architecture,
        "os": "linux",
        "created": created,
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        "history": [{"created": created, "created_by": "sunk"} for _ in layers],
    }


def _link(source: Path, target: Path) -> None:
    if target.exists():
        return
    try:
        target.hardlink_to(source)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)


def _blob(blobs: Path, value: dict[str, Any]) -> dict[str, Any]:
    data = _json(value)
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return {"digest": f"sha256:{digest}", "size": len(data)}


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _put(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))
