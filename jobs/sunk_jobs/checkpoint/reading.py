"""Find the newest checkpoint that is whole, on all ranks the same one, and read it.

Nothing is believed that was not looked at: not `latest`, not times, not a folder's name. Rank 0
lists (on a network file system the others may not see a new name yet), every rank checks its part
of the files, and all move on together to the next older one if any of them found damage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sunk_jobs.checkpoint.errors import CheckpointError, FormatError, Incompatible, NothingIntact
from sunk_jobs.checkpoint.files import Files, digest_of, read_whole
from sunk_jobs.checkpoint.group import Group
from sunk_jobs.checkpoint.manifest import (
    MANIFEST,
    Content,
    Manifest,
    ShardFile,
    file_of,
    load_manifest,
    step_name,
    step_of,
)


@dataclass(frozen=True)
class Damage:
    """Why a checkpoint is not whole.

    Attributes:
        step: which one.
        reason: what is wrong.
        certain: what was read is wrong; False: it could not be read, which may pass.
    """

    step: int
    reason: str
    certain: bool = True

    def __str__(self) -> str:
        return f"{step_name(self.step)}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A whole checkpoint.

    Attributes:
        folder: its own.
        manifest: what it says of itself.
        skipped: newer ones that are damaged, newest first.
        files: the file operations.
    """

    folder: Path
    manifest: Manifest
    files: Files
    skipped: tuple[Damage, ...] = ()

    @property
    def step(self) -> int:
        """Training steps done."""
        return self.manifest.step

    def ranks_of(self, name: str) -> tuple[int, ...]:
        """Return the ranks that saved a shard of this name."""
        return tuple(one.rank for one in self.manifest.files if one.name == name)

    def open(self, name: str, rank: int = 0) -> BinaryIO:
        """Open a shard for reading.

        Raises:
            Incompatible: that rank saved none of this name.
        """
        if rank not in self.ranks_of(name):
            raise Incompatible(f"read {name} of rank {rank} in {self.folder}: no such shard")
        return self.files.open(self.folder / file_of(name, rank))

    def read(self, name: str, rank: int = 0) -> bytes:
        """Return the bytes of a shard; see `open`."""
        with self.open(name, rank) as file:
            return file.read()


@dataclass(frozen=True)
class _Said:
    """What rank 0 found, or what a rank found in its part."""

    steps: tuple[int, ...] = ()
    manifest: Manifest | None = None
    problem: str | None = None


def newest(
    files: Files,
    folder: Path,
    group: Group,
    *,
    digests: bool = True,
    droppable: Sequence[str] = (),
) -> Checkpoint | None:
    """Return the newest whole checkpoint, the same on all ranks. Collective.

    Args:
        files: the file operations.
        folder: of the checkpoints.
        group: the ranks that will resume.
        digests: read every byte; else only lengths.
        droppable: shards of single ranks that the program can do without on another world size.

    Returns:
        None if there is none at all.

    Raises:
        NothingIntact: there are some, and all are damaged.
        Incompatible: it was saved by another number of ranks, and does not allow for that.
        CheckpointError: rank 0 cannot list the folder.
    """
    listed = group.broadcast(_steps(files, folder) if group.rank == 0 else _Said())
    if listed.problem is not None:
        raise CheckpointError(f"list {folder}: {listed.problem}")
    skipped: list[Damage] = []
    for step in listed.steps:
        found = _agreed(files, folder, group, step, digests=digests)
        if isinstance(found, Damage):
            skipped.append(found)
            continue
        check_world(found, group.size, droppable)
        return Checkpoint(
            folder=folder / step_name(step), manifest=found, files=files, skipped=tuple(skipped)
        )
    if skipped:
        raise NothingIntact(f"load from {folder}: {'; '.join(map(str, skipped))}")
    return None


def check_world(manifest: Manifest, world: int, droppable: Sequence[str] = ()) -> None:
    """Check that so many ranks can take a checkpoint.

    Tensors that describe themselves go to any number of ranks, and so does what rank 0 alone saved.

    Raises:
        Incompatible: it has opaque bytes of single ranks.
    """
    if manifest.world == world:
        return
    bound = sorted(
        {
            one.name
            for one in manifest.files
            if one.content is Content.BYTES and one.rank > 0 and one.name not in droppable
        }
    )
    if bound:
        raise Incompatible(
            f"resume step {manifest.step} on {world} ranks: {manifest.world} ranks saved it, and "
            f"each has bytes of its own in {', '.join(bound)}; take {manifest.world} ranks again"
        )


def steps_in(files: Files, folder: Path) -> tuple[int, ...]:
    """Return the steps whose names are in a folder, newest first; none if there is no folder."""
    try:
        names = files.names(folder)
    except FileNotFoundError:
        return ()
    return tuple(sorted((s for name in names if (s := step_of(name)) is not None), reverse=True))


def intact_manifest(
    files: Files, folder: Path, step: int, *, digests: bool = True
) -> Manifest | Damage:
    """Return the manifest of a checkpoint that is whole, or why it is not."""
    manifest = read_manifest(files, folder, step)
    if isinstance(manifest, Damage):
        return manifest
    return damage_of(files, folder, step, manifest.files, digests=digests) or manifest


def read_manifest(files: Files, folder: Path, step: int) -> Manifest | Damage:
    """Return what a checkpoint says of itself, or why that cannot be read."""
    try:
        raw = read_whole(files, folder / step_name(step) / MANIFEST)
        manifest = load_manifest(raw.decode())
    except FileNotFoundError:
        return Damage(step, f"{MANIFEST} is not there")
    except OSError as exc:
        return Damage(step, f"{MANIFEST}: {exc.strerror}", certain=False)
    except (UnicodeDecodeError, FormatError) as exc:
        return Damage(step, str(exc))
    if manifest.step != step:
        return Damage(step, f"{MANIFEST} is of step {manifest.step}")
    return manifest


def damage_of(
    files: Files, folder: Path, step: int, shards: Sequence[ShardFile], *, digests: bool
) -> Damage | None:
    """Return what is wrong with the first damaged shard; None if all are as the manifest says."""
    for one in shards:
        path = folder / step_name(step) / one.file
        try:
            size_bytes = files.size_bytes(path)
            if size_bytes != one.size_bytes:
                return Damage(step, f"{one.file} has {size_bytes} of {one.size_bytes} bytes")
            if digests and digest_of(files, path).sha256 != one.sha256:
                return Damage(step, f"{one.file} does not have its digest")
        except FileNotFoundError:
            return Damage(step, f"{one.file} is not there")
        except OSError as exc:
            return Damage(step, f"{one.file}: {exc.strerror}", certain=False)
    return None


def _steps(files: Files, folder: Path) -> _Said:
    try:
        return _Said(steps=steps_in(files, folder))
    except OSError as exc:
        return _Said(problem=exc.strerror or str(exc))


def _agreed(
    files: Files, folder: Path, group: Group, step: int, *, digests: bool
) -> Manifest | Damage:
    """Return the manifest if every rank found its part of the files whole."""
    manifest = group.broadcast(read_manifest(files, folder, step) if group.rank == 0 else None)
    assert manifest is not None
    if isinstance(manifest, Damage):
        return manifest
    share = manifest.files[group.rank :: group.size]
    mine = damage_of(files, folder, step, share, digests=digests)
    return next((one for one in group.all_gather(mine) if one is not None), manifest)
