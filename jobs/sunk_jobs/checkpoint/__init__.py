"""Checkpoints that survive whatever ends the job: sharded, crash-safe, asynchronous if wanted.

- `Store`: save and load; on all ranks or on none.
- `Alone`, `thread_ranks`, `sunk_jobs.checkpoint.torch_adaptor.TorchGroup`: how ranks talk.
- `sunk_jobs.checkpoint.tensors`: tensors that any number of ranks can load.
- `StopRequest`: stop at a step boundary because the batch script asked.
- `sunk_jobs.exit_codes`: how to end.

A folder belongs to one attempt at a time (`Locked`), and a job that was killed never gave it back:
pass ``gone=any_of(gone_from_here, gone_by_slurm)`` so that its successor can go on.
"""

from sunk_jobs.checkpoint.errors import (
    CheckpointError,
    FormatError,
    Incompatible,
    Locked,
    NothingIntact,
    SaveFailed,
    StorageBroken,
)
from sunk_jobs.checkpoint.files import Files
from sunk_jobs.checkpoint.group import Alone, Group, ThreadRank, thread_ranks
from sunk_jobs.checkpoint.lock import Gone, Holder
from sunk_jobs.checkpoint.manifest import About, Content, Manifest, ShardFile
from sunk_jobs.checkpoint.proofs import any_of, gone_by_slurm, gone_from_here
from sunk_jobs.checkpoint.reading import Checkpoint, Damage
from sunk_jobs.checkpoint.retention import Retention
from sunk_jobs.checkpoint.shards import Shard, Shards
from sunk_jobs.checkpoint.stop import StopRequest, ignore_in_worker
from sunk_jobs.checkpoint.store import Options, Pending, Store

__all__ = [
    "About",
    "Alone",
    "Checkpoint",
    "CheckpointError",
    "Content",
    "Damage",
    "Files",
    "FormatError",
    "Gone",
    "Group",
    "Holder",
    "Incompatible",
    "Locked",
    "Manifest",
    "NothingIntact",
    "Options",
    "Pending",
    "Retention",
    "SaveFailed",
    "Shard",
    "ShardFile",
    "Shards",
    "StopRequest",
    "StorageBroken",
    "Store",
    "ThreadRank",
    "any_of",
    "gone_by_slurm",
    "gone_from_here",
    "ignore_in_worker",
    "thread_ranks",
]
