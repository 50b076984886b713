"""The manifest of a checkpoint and the names in its folder; pure.

A folder of checkpoints holds::

    step_00001200/                          whole: has a MANIFEST.json, and all that it names
    step_00001200.tmp-JOB-ATTEMPT-NONCE/    being written, or dead
    latest -> step_00001200                 a hint for people, never trusted
    LOCK                                    whose folder this is now

The bytes of a manifest are a function of what it says, and reading takes only those bytes: a
flipped bit anywhere in the file is found.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from typing import Any

from sunk_jobs.checkpoint.errors import FormatError

SCHEMA = "sunk.dev/checkpoint/v1"
MANIFEST = "MANIFEST.json"
MANIFEST_DRAFT = "MANIFEST.json.tmp"
LOCK = "LOCK"
LATEST = "latest"
_STEP = re.compile(r"step_(\d{8,})")
_DRAFT = re.compile(r"(step_\d{8,})\.tmp-([A-Za-z0-9_]+)-(\d+)-([0-9a-f]+)")
_SHARD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_JOB = re.compile(r"[A-Za-z0-9_]+")


class Content(Enum):
    """What a shard is, and with it whether another number of ranks can take it."""

    BYTES = "bytes"
    TENSORS = "tensors"


@dataclass(frozen=True, kw_only=True)
class ShardFile:
    """A file of a checkpoint: one shard of one rank.

    Attributes:
        name: what the program called the shard; the same on all ranks that have it.
        rank: who wrote it.
        size_bytes: its length.
        sha256: digest of its bytes, in hexadecimal.
        content: opaque bytes, or tensors that describe themselves (`sunk_jobs.checkpoint.tensors`).
    """

    name: str
    rank: int
    size_bytes: int
    sha256: str
    content: Content = Content.BYTES

    @property
    def file(self) -> str:
        """Its name on disk: no two ranks share one."""
        return file_of(self.name, self.rank)


@dataclass(frozen=True, kw_only=True)
class About:
    """What a checkpoint is of; for the program that resumes, and for people. All JSON.

    Attributes:
        tokens: seen so far.
        mesh: names and sizes of the layout's dimensions, as in ``{"dp": 4, "tp": 2}``.
        versions: of libraries that matter to the bytes, as in ``{"torch": "2.9.1"}``.
        rng_shard: name of the shard with each rank's random number generators.
        data_position: where the data loader was.
        schedule: state of the learning rate's schedule.
        git_sha: of the program.
        more: anything else.
    """

    tokens: int | None = None
    mesh: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    rng_shard: str | None = None
    data_position: Any = None
    schedule: Any = None
    git_sha: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What makes a checkpoint whole.

    Attributes:
        step: training steps done.
        world: how many ranks wrote it.
        run_id: the chain of jobs that it belongs to.
        job_id: Slurm's number of the job that wrote it.
        attempt: how often that job had been requeued.
        created: time of the commit, RFC 3339 in UTC; nothing is decided by it.
        files: every shard, by rank, then name.
        about: what it is of.
    """

    step: int
    world: int
    run_id: str
    job_id: str
    attempt: int
    created: str
    files: tuple[ShardFile, ...]
    about: About = field(default_factory=About)

    @property
    def size_bytes(self) -> int:
        """Bytes of all shards."""
        return sum(one.size_bytes for one in self.files)

    def same_state(self, other: Manifest) -> bool:
        """Say whether both hold the same bytes of the same step, whoever wrote them and when."""
        return (self.step, self.world, self.files, self.about) == (
            other.step,
            other.world,
            other.files,
            other.about,
        )


class Kind(Enum):
    """What a name in the folder is."""

    STEP = "checkpoint"
    DRAFT = "draft"
    TRASH = "trash"
    DAMAGED = "set aside"
    LOCK = "lock"
    LATEST = "latest"
    LEFTOVER = "leftover"
    FOREIGN = "not ours"


@dataclass(frozen=True)
class Draft:
    """The parts of a draft's name."""

    step: int
    job_id: str
    attempt: int
    nonce: str


def step_name(step: int) -> str:
    """Return the name of a checkpoint."""
    return f"step_{step:08d}"


def step_of(name: str) -> int | None:
    """Return the step of a checkpoint's name; None when it is not one."""
    found = _STEP.fullmatch(name)
    step = int(found[1]) if found else None
    return step if step is not None and step_name(step) == name else None


def draft_name(draft: Draft) -> str:
    """Return the name of a checkpoint that is being written."""
    return f"{step_name(draft.step)}.tmp-{draft.job_id}-{draft.attempt}-{draft.nonce}"


def draft_of(name: str) -> Draft | None:
    """Return the parts of a draft's name; None when it is not one."""
    found = _DRAFT.fullmatch(name)
    step = step_of(found[1]) if found else None
    if found is None or step is None:
        return None
    return Draft(step, found[2], int(found[3]), found[4])


def trash_name(name: str, nonce: str) -> str:
    """Return the name under which something waits for its removal."""
    return f".trash-{name}-{nonce}"


def damaged_name(name: str, nonce: str) -> str:
    """Return the name under which a damaged checkpoint is kept for a person to look at."""
    return f".damaged-{name}-{nonce}"


def kind_of(name: str) -> Kind:
    """Return what a name in the folder is."""
    if step_of(name) is not None:
        return Kind.STEP
    if draft_of(name) is not None:
        return Kind.DRAFT
    if name in {LOCK, LATEST}:
        return Kind.LOCK if name == LOCK else Kind.LATEST
    for start, kind in (
        (".trash-", Kind.TRASH),
        (".damaged-", Kind.DAMAGED),
        (f".{LOCK}-", Kind.LEFTOVER),
        (f".{LATEST}-", Kind.LEFTOVER),
    ):
        if name.startswith(start):
            return kind
    return Kind.FOREIGN


def file_of(name: str, rank: int) -> str:
    """Return the name on disk of a rank's shard."""
    return f"r{rank:05d}.{name}"


def checked_shard_name(name: str) -> str:
    """Return the name of a shard, which becomes part of a file's.

    Raises:
        FormatError: it holds anything but letters, digits, dot, dash, underscore, or is too long.
    """
    if not _SHARD.fullmatch(name):
        raise FormatError(
            f"name a shard {name!r}: wanted up to 100 letters, digits, '.', '_' or '-', "
            "the first a letter or digit"
        )
    return name


def checked_job_id(job_id: str) -> str:
    """Return a job's id, which becomes part of a folder's name.

    Raises:
        FormatError: it holds anything but letters, digits and underscores.
    """
    if not _JOB.fullmatch(job_id):
        raise FormatError(f"use job id {job_id!r}: wanted letters, digits and '_'")
    return job_id


def dump_manifest(manifest: Manifest) -> str:
    """Return a manifest as JSON; the same manifest gives the same bytes.

    Raises:
        FormatError: `about` holds what JSON does not have, such as NaN.
    """
    raw = asdict(manifest)
    raw["files"] = [asdict(one) | {"content": one.content.value} for one in manifest.files]
    raw["schema"] = SCHEMA
    try:
        raw["sha256"] = _digest(raw)
        return json.dumps(raw, indent=1, sort_keys=True, allow_nan=False) + "\n"
    except (TypeError, ValueError) as exc:
        raise FormatError(f"write {MANIFEST} of step {manifest.step}: {exc}") from exc


def load_manifest(text: str) -> Manifest:
    """Return the manifest in a text.

    Raises:
        FormatError: it is not what `dump_manifest` writes, to the last byte.
    """
    try:
        raw = json.loads(text)
        manifest = _manifest(raw) if isinstance(raw, dict) else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise FormatError(f"read {MANIFEST}: {type(exc).__name__}: {exc}") from exc
    if manifest is None:
        raise FormatError(f"read {MANIFEST}: its schema is not {SCHEMA}")
    if dump_manifest(manifest) != text:
        raise FormatError(f"read {MANIFEST}: its digest does not fit what it says")
    return manifest


def _manifest(raw: Mapping[str, Any]) -> Manifest | None:
    if raw.get("schema") != SCHEMA:
        return None
    return Manifest(
        files=tuple(
            ShardFile(**{**one, "content": Content(one["content"])}) for one in raw["files"]
        ),
        about=About(**raw["about"]),
        **{one.name: raw[one.name] for one in fields(Manifest) if one.name not in _NESTED},
    )


_NESTED = frozenset({"files", "about"})


def _digest(raw: Mapping[str, Any]) -> str:
    text = json.dumps(raw, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
