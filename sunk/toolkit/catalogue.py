"""The job templates that ship with sunk."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sunk.errors import InputError
from sunk.toolkit.parameters import JobParameters
from sunk.toolkit.parameters.calling import CallParameters
from sunk.toolkit.parameters.first import (
    HealthGateParameters,
    HelloParameters,
    MpiParameters,
    NcclTestsParameters,
    TorchBandwidthParameters,
)
from sunk.toolkit.parameters.many import (
    ArraySweepParameters,
    DataPreparationParameters,
    InteractiveParameters,
)
from sunk.toolkit.parameters.serving import RayParameters, VllmParameters
from sunk.toolkit.parameters.training import (
    DdpParameters,
    DeepSpeedParameters,
    Fsdp2Parameters,
    MegatronParameters,
    SingletonChainParameters,
)

CONTAINERS_TRIED = "containers (pyxis, apptainer): rendered, never run"


class Tried(StrEnum):
    """On what a template was run."""

    CLUSTER = "local cluster"
    SLURM = "real Slurm"
    STUB = "real Slurm, a recording stub for the application"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One kind of job.

    Attributes:
        name: what people call it.
        summary: one line.
        form: its parameters.
        tried: on what it was run.
        needs_programs: its ranks run programs of `sunk_jobs`, copied beside the script.
        batch: its script is for sbatch; otherwise a person runs it on a login node.
        folder: where it lies below ``templates/``.
    """

    name: str
    summary: str
    form: type[JobParameters]
    tried: Tried
    needs_programs: bool = True
    batch: bool = True
    folder: str = "sbatch"

    @property
    def file(self) -> str:
        """Path below ``templates/``."""
        return f"{self.folder}/{self.name}.sbatch.j2"


CALL = Template(
    name="call",
    summary="functions of a Python program; submitted by sunk.Executor alone",
    form=CallParameters,
    tried=Tried.SLURM,
    folder="python",
)


TEMPLATES = (
    Template(
        name="hello",
        summary="every rank says where it runs and what it has; nodes that differ are named",
        form=HelloParameters,
        tried=Tried.CLUSTER,
    ),
    Template(
        name="mpi",
        summary="an MPI program under srun; by default an all-reduce that checks itself",
        form=MpiParameters,
        tried=Tried.CLUSTER,
    ),
    Template(
        name="nccl-tests",
        summary="nccl-tests with one rank for each GPU",
        form=NcclTestsParameters,
        tried=Tried.STUB,
    ),
    Template(
        name="torch-bandwidth",
        summary="collectives of torch, measured and checked",
        form=TorchBandwidthParameters,
        tried=Tried.CLUSTER,
    ),
    Template(
        name="torchrun-ddp",
        summary="data-parallel training that saves and starts again",
        form=DdpParameters,
        tried=Tried.CLUSTER,
    ),
    Template(
        name="fsdp2",
        summary="sharded training that saves and starts again",
        form=Fsdp2Parameters,
        tried=Tried.CLUSTER,
    ),
    Template(
        name="deepspeed",
        summary="DeepSpeed under torchrun, with its configuration",
        form=DeepSpeedParameters,
        tried=Tried.STUB,
    ),
    Template(
        name="megatron",
        summary="training with tensor, context, expert, pipeline and data parallelism",
        form=MegatronParameters,
        tried=Tried.STUB,
    ),
    Template(
        name="ray",
        summary="a Ray cluster for one driver",
        form=RayParameters,
        tried=Tried.CLUSTER,
    ),
    Template(
        name="vllm",
        summary="a model served over several nodes",
        form=VllmParameters,
        tried=Tried.STUB,
    ),
    Template(
        name="array-sweep",
        summary="one program with many settings, as a job array",
        form=ArraySweepParameters,
        tried=Tried.CLUSTER,
    ),
    Template(
        name="data-preparation",
        summary="inputs made into shards by many CPU tasks",
        form=DataPreparationParameters,
        tried=Tried.CLUSTER,
    ),
    Template(
        name="interactive",
        summary="an allocation to work in by hand: a script around salloc",
        form=InteractiveParameters,
        tried=Tried.SLURM,
        needs_programs=False,
        batch=False,
    ),
    Template(
        name="health-gate",
        summary="every node reports on itself; those that differ are named",
        form=HealthGateParameters,
        tried=Tried.CLUSTER,
    ),
    Template(
        name="singleton-chain",
        summary="a long training as a chain of jobs, for users who may not requeue",
        form=SingletonChainParameters,
        tried=Tried.STUB,
    ),
)


def template_named(name: str) -> Template:
    """Return a template.

    Raises:
        InputError: there is none of that name; the hint lists those there are.
    """
    for template in TEMPLATES:
        if template.name == name:
            return template
    raise InputError(
        f"find job template {name!r}: there is none",
        hint="templates: " + ", ".join(template.name for template in TEMPLATES),
    )
