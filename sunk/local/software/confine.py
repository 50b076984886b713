"""Programs that must not outlive us, nor leave mounts behind, even when we are killed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def confined(argv: Sequence[str | Path]) -> list[str]:
    """Return `argv` wrapped so that it ends with us, with all its children and mounts.

    The kernel kills `unshare` when the thread that started it ends, and with it the first process
    of the new process-id namespace, and with that all the others. Mounts are in a namespace of
    their own and vanish with the last of them. Needs root.
    """
    return [
        *("setpriv", "--pdeathsig", "KILL", "--"),
        *("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"),
        *("--mount-proc", "--"),
        *(str(word) for word in argv),
    ]
