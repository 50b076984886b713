"""Train a small GPT with DDP: the model whole on every rank, gradients averaged.

Run it as ``python3 -m sunk_jobs.torchrun … -m sunk_jobs.train_ddp --run DIR``. It writes a
heartbeat for each step and rank, the loss curve, and checkpoints below the run's folder, resumes
from the newest whole one, and stops at a step boundary when the save flag appears or a SIGTERM,
SIGUSR1 or SIGUSR2 reaches a rank. The last line of stdout is one line of JSON, by rank 0.

Exit codes, the same on all ranks: 0 the last step is done and saved; 1 the loss is not finite, and
with ``--on-not-finite rollback`` the run may go back to an earlier checkpoint, past the data since
then; 75 saved, wants a requeue; 76 asked to stop and could not save; 93 a restart would fail again:
the loss is not finite, saves keep failing, or options, data or checkpoints do not fit. A self-test
ends with 1 when a resumed run differs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from sunk_jobs.outputs.results import TRAIN_DDP
from sunk_jobs.training import program as training


def main(words: Sequence[str] | None = None) -> int:
    """Train on this rank and return the exit code."""
    given = sys.argv[1:] if words is None else list(words)
    return training.run("ddp", "train_ddp", TRAIN_DDP, __doc__, given)


if __name__ == "__main__":
    sys.exit(main())
