"""Run folders of attempts that failed, simulated: texts in the form of their programs'.

None is a recording of a GPU machine: NCCL's, PyTorch's, the kernel's and Slurm's lines are written
after their sources, with four ranks on two nodes. `code` has what Python really prints.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from sunk_jobs.failures import rollback

START = 1_767_322_800.0  # 2026-01-02T03:00:00Z
STEPS = 20
RANKS = 4

WATCHDOG = (
    "[rank{0}]:[E102 03:30:{1}.000000001 ProcessGroupNCCL.cpp:633] [Rank {0}] Watchdog caught "
    "collective operation timeout: WorkNCCL(SeqNum=41, OpType=ALLREDUCE, Timeout(ms)=600000) "
    "ran for 600029 milliseconds before timing out."
)
ABORTED = (
    "torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:2027, remote process "
    "exited or there was a network error, NCCL version 2.27.5"
)
TRACEBACK = (
    'Traceback (most recent call last):\n  File "/r/train.py", line 7, in <module>\n    {}\n'
)


def node_of(rank: int) -> str:
    return f"w-{rank // 2}"


class FailedRun:
    """A run folder; ranks did their steps, one each second, and then ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.attempt = 0
        for name in ("logs", "record", "control"):
            (folder / name).mkdir(parents=True)

    def beats(self, rank: int, *, steps: int = STEPS, ahead: float = 0.0) -> None:
        lines = (
            json.dumps({"rank": rank, "step": step, "time": START + step + ahead, "loss": 1.0})
            for step in range(1, steps + 1)
        )
        file = self.folder / "logs" / f"heartbeat.{rank}.{self.attempt}.jsonl"
        file.write_text("".join(f"{line}\n" for line in lines))

    def ends(self, rank: int, after: float, text: str, status: int = 1) -> None:
        """Let a rank end some seconds after the first step, with these last lines."""
        (self.folder / "logs" / f"{rank}.{self.attempt}.log").write_text(
            f"step {STEPS} loss 1.0\n{text}\n"
        )
        end = {"rank": rank, "node": node_of(rank), "status": status, "time": START + after}
        (self.folder / "logs" / f"end.{rank}.{self.attempt}.json").write_text(json.dumps(end))

    def all_end(self, text: str, *, but: int, after: float = 60.0) -> None:
        for rank in range(RANKS):
            if rank != but:
                self.ends(rank, after + rank, text)

    def commit(self, step: int) -> None:
        folder = self.folder / "ckpt" / f"step_{step:08d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "MANIFEST.json").touch()


def gpu(run: FailedRun) -> None:
    run.commit(10)
    xid = "NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, GPU has fallen off the bus."
    run.ends(2, 31, f"{xid}\n{TRACEBACK.format('y.sum()')}RuntimeError: CUDA error: unknown error")
    run.all_end(TRACEBACK.format("loss.backward()") + ABORTED, but=2)


def fabric(run: FailedRun) -> None:
    run.commit(10)
    words = "w-0:812:840 [0] NCCL WARN NET/IB : Got completion from peer 10.0.0.2<41234> "
    run.ends(1, 31, f"{words}with status=12 opcode=0 len=0 vendor err 129 (Recv)\n{ABORTED}")
    run.all_end(ABORTED, but=1)


def host_memory(run: FailedRun) -> None:
    (run.folder / "job.log").write_text(
        "[2026-01-02T03:00:31.125] slurmstepd: error: Detected 1 oom_kill event in StepId=17.0. "
        "Some of the step tasks have been OOM Killed.\n"
    )
    run.ends(3, 31, "", status=137)
    run.all_end(ABORTED, but=3)


def gpu_memory(run: FailedRun) -> None:
    words = "[rank1]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
    run.ends(1, 31, TRACEBACK.format("model(x)") + words)
    run.all_end(TRACEBACK.format("loss.backward()") + ABORTED, but=1)


def code(run: FailedRun) -> None:
    for rank in range(RANKS):
        words = "KeyError: 'labels'"
        run.ends(rank, 31 + rank / 10, TRACEBACK.format("batch['labels']") + words)


def one_exception(run: FailedRun) -> None:
    run.ends(2, 31, TRACEBACK.format("decode(sample)") + "ValueError: broken image 81231")
    run.all_end(TRACEBACK.format("loss.backward()") + ABORTED, but=2)


def storage_full(run: FailedRun) -> None:
    run.ends(0, 31, TRACEBACK.format("save()") + "OSError: [Errno 28] No space left on device")
    run.all_end(ABORTED, but=0)


def storage(run: FailedRun) -> None:
    run.ends(0, 31, TRACEBACK.format("load()") + "OSError: [Errno 5] Input/output error: 'x.bin'")
    run.all_end(ABORTED, but=0)


def hang(run: FailedRun) -> None:
    run.commit(10)
    for rank in range(RANKS):
        run.beats(rank, steps=STEPS - (rank == 3))
        run.ends(rank, 1900, WATCHDOG.format(rank, 10 + rank) if rank != 3 else "")


def hang_of_nobody(run: FailedRun) -> None:
    for rank in range(RANKS):
        run.beats(rank)
        run.ends(rank, 1900, WATCHDOG.format(rank, 10 + rank))


def clocks(run: FailedRun) -> None:
    """Rank 1 fails first; by its own clock, two minutes ahead, it would be the last one."""
    for rank in range(RANKS):
        run.beats(rank, ahead=120.0 if rank == 1 else 0.0)
        text = TRACEBACK.format("step()") + f"RuntimeError: shape of rank {rank}"
        run.ends(rank, 31 + 120 if rank == 1 else 32 + rank, text)


def rolled_back(run: FailedRun) -> None:
    """The program can go back, and there is an earlier checkpoint."""
    for step in (5, 10):
        run.commit(step)
    rollback.note_not_finite(run.folder, run.attempt, 14)
    run.all_end("train: loss of step 14 is not finite", but=-1)


def silent(run: FailedRun) -> None:
    run.all_end("", but=-1)


SCENES: dict[str, Callable[[FailedRun], None]] = {
    one.__name__: one
    for one in (
        *(gpu, fabric, host_memory, gpu_memory, code, one_exception, storage_full, storage),
        *(hang, hang_of_nobody, clocks, rolled_back, silent),
    )
}
