"""Parameters of the first jobs of a user, of benchmarks and of the health gate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from sunk.toolkit.parameters.base import JobParameters, NodeParameters, PlacedParameters
from sunk.toolkit.parameters.breach import Breach
from sunk.toolkit.parameters.kinds import Mask, Size, Word

_LEAST_NODES_FOR_SHARP = 3


class HelloParameters(JobParameters):
    """A first job: every rank says where it runs."""

    name: Word = Field("hello", description="Job name.")
    message: str = Field("hello", max_length=200, description="What each rank says.")


class RankedParameters(PlacedParameters):
    """Programs of which srun starts each rank."""

    mpi_plugin: Word = Field("pmix", description="srun --mpi; `srun --mpi=list` shows what exists.")
    rank_order: Literal["slurm", "switches"] = Field(
        "slurm",
        description="Who orders the ranks: Slurm, or a plan depth first through the switches, "
        "proved before the program starts.",
    )


class MpiParameters(RankedParameters):
    """An MPI program under srun."""

    name: Word = Field("mpi", description="Job name.")
    program: list[str] = Field(
        default_factory=lambda: ["python3", "-m", "sunk_jobs.allreduce"],
        min_length=1,
        description="Program and arguments of each rank.",
    )


class NcclTestsParameters(RankedParameters):
    """nccl-tests, one rank for each GPU."""

    name: Word = Field("nccl-tests", description="Job name.")
    exclusive: bool = Field(default=True, description="Whole nodes.")
    rank_order: Literal["slurm", "switches"] = Field(
        "switches",
        description="Who orders the ranks: Slurm, or a plan depth first through the switches, "
        "proved before the program starts.",
    )
    tasks_per_node: int = Field(
        1, ge=1, le=4096, description="Ranks on each node: one for each GPU."
    )
    gpus_per_node: int = Field(1, ge=1, le=64, description="GPUs on each node.")
    program: list[str] = Field(
        default_factory=lambda: ["all_reduce_perf"],
        min_length=1,
        description="A program of nccl-tests, built with MPI, and arguments beside the sizes.",
    )
    min_bytes: Size = Field("8", description="Smallest message, in bytes or with suffix K, M, G.")
    max_bytes: Size = Field("16G", description="Largest message, in bytes or with suffix K, M, G.")
    warmups: int = Field(5, ge=0, le=1000, description="Rounds before the measured ones.")
    iterations: int = Field(20, ge=1, le=100000, description="Measured rounds of each size.")
    check_data: bool = Field(
        default=True, description="Check what was received; off for pure speed."
    )
    split_mask: Mask | None = Field(
        None,
        description="NCCL_TESTS_SPLIT_MASK, such as 0x7: rails apart.",
    )
    sharp: bool = Field(
        default=False, description="Ask for reductions in the switches, and say if not."
    )

    def breaches(self) -> Iterator[Breach]:
        """Yield the rules that the parameters break among themselves."""
        yield from super().breaches()
        if self.tasks_per_node != self.gpus_per_node:
            yield Breach(
                field="tasksPerNode",
                value=self.tasks_per_node,
                limit=f"one rank for each of {self.gpus_per_node} GPUs",
                source="all_reduce_perf -g 1",
                nearest=self.gpus_per_node,
            )
        if size_bytes(self.min_bytes) > size_bytes(self.max_bytes):
            yield Breach(
                field="minBytes",
                value=self.min_bytes,
                limit=f"at most maxBytes {self.max_bytes}",
                source="all_reduce_perf -b, -e",
                nearest=self.max_bytes,
            )
        if self.sharp and self.nodes < _LEAST_NODES_FOR_SHARP:
            yield Breach(
                field="sharp",
                value=self.sharp,
                limit=f"needs {_LEAST_NODES_FOR_SHARP} nodes",
                source="lint rule S038: between two nodes switches have nothing to add up",
                nearest=f"nodes: {_LEAST_NODES_FOR_SHARP}",
            )


class TorchBandwidthParameters(NodeParameters):
    """Collectives of torch, measured and checked."""

    name: Word = Field("torch-bandwidth", description="Job name.")
    program: list[str] = Field(
        default_factory=lambda: ["-m", "sunk_jobs.torch_collectives"],
        min_length=1,
        description="What torchrun starts: a script, or -m and a module; then its arguments.",
    )


class HealthGateParameters(JobParameters):
    """Every node reports on itself; those that differ from the rest are named."""

    name: Word = Field("health-gate", description="Job name.")
    tasks_per_node: int = Field(1, ge=1, le=1, description="Tasks on each node: one report.")
    exclusive: bool = Field(default=True, description="Whole nodes.")
    clock_skew_seconds: float = Field(
        1.0, gt=0, le=3600, description="Clocks may differ so much from the file server's, in s."
    )
    free_disk_gib: int = Field(
        1, ge=0, le=100000, description="Room that /tmp has to have, in GiB."
    )


def size_bytes(text: str) -> int:
    """Return a size of nccl-tests in bytes."""
    factor = {"K": 2**10, "M": 2**20, "G": 2**30}.get(text[-1], 1)
    return int(text.rstrip("KMG")) * factor
