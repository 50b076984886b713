"""What can go wrong with checkpoints; each message says what was tried, on what, and why not."""

from __future__ import annotations


class CheckpointError(Exception):
    """Base of all of them."""


class FormatError(CheckpointError, ValueError):
    """A manifest, a lock or a tensor file is not what this program writes."""


class Locked(CheckpointError):
    """Another attempt has the folder, and nobody has proved that it is gone."""


class SaveFailed(CheckpointError):
    """Nothing was committed; every rank raises it, and the earlier checkpoints stand."""


class StorageBroken(SaveFailed):
    """So many saves in a row failed that going on is pointless: exit with DO_NOT_RESTART."""


class NothingIntact(CheckpointError):
    """There are checkpoints, and none of them is whole. Never the same as having none."""


class Incompatible(CheckpointError):
    """A whole checkpoint that this group of ranks, or this model, cannot take; says why."""
