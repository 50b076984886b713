"""Parameters of training: torchrun on every node, saves, and starting again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from sunk.render.slurm_texts import minutes
from sunk.toolkit.parameters.base import SavingParameters, nearest_divisor
from sunk.toolkit.parameters.breach import Breach
from sunk.toolkit.parameters.kinds import Duration, Word

_STEPS = ("--steps", "100", "--checkpoint-every", "10")
_NO_TIMEOUT_MINUTES = 365 * 24 * 60
_WORLD = "world = TP·CP·PP·DP"


class TrainingParameters(SavingParameters):
    """What training takes, whose ranks are started by torchrun or by srun."""

    program: list[str] = Field(
        min_length=1,
        description="What the launcher starts: a script, or -m and a module; then its arguments.",
    )
    launcher: Literal["torchrun", "srun"] = Field(
        "torchrun",
        description="What starts the ranks: torchrun, one for each node, or srun, a task for each "
        "rank, by the python3 on PATH.",
    )
    run_options: bool = Field(
        default=True,
        description="Give the program --run, --attempt and --save-flag; RUN, ATTEMPT and "
        "SAVE_FLAG are set in any case.",
    )

    def breaches(self) -> Iterator[Breach]:
        """Yield the rules that the parameters break among themselves."""
        yield from super().breaches()
        ranks, cpus = self.ranks_per_node, self.cpus_per_task
        if self.launcher == "srun" and cpus is not None and cpus < ranks:
            yield Breach(
                field="cpusPerTask",
                value=cpus,
                limit=f"at least one for each of {ranks} ranks of a node",
                source="launcher: srun starts each rank as a task",
                nearest=ranks,
            )


class DdpParameters(TrainingParameters):
    """Data-parallel training with torch's DistributedDataParallel."""

    name: Word = Field("torchrun-ddp", description="Job name.")
    program: list[str] = Field(
        default_factory=lambda: ["-m", "sunk_jobs.train_ddp", *_STEPS],
        min_length=1,
        description="What the launcher starts: a script, or -m and a module; then its arguments.",
    )


class Fsdp2Parameters(TrainingParameters):
    """Sharded training with torch's fully_shard."""

    name: Word = Field("fsdp2", description="Job name.")
    program: list[str] = Field(
        default_factory=lambda: ["-m", "sunk_jobs.train_fsdp2", *_STEPS],
        min_length=1,
        description="What the launcher starts: a script, or -m and a module; then its arguments.",
    )


class SingletonChainParameters(TrainingParameters):
    """A long training as a chain of jobs of one name, of which one runs at a time."""

    name: Word = Field("singleton-chain", description="Job name; the chain is known by it.")
    program: list[str] = Field(
        default_factory=lambda: ["-m", "sunk_jobs.train_fsdp2", *_STEPS],
        min_length=1,
        description="What the launcher starts: a script, or -m and a module; then its arguments.",
    )
    requeue: Literal[False] = Field(
        default=False, description="A link is never requeued: the next one goes on."
    )
    links: int = Field(3, ge=1, le=1000, description="Jobs of the chain at most.")


class DeepSpeedParameters(TrainingParameters):
    """DeepSpeed under torchrun, with a configuration written from the parameters."""

    name: Word = Field("deepspeed", description="Job name.")
    program: list[str] = Field(
        default_factory=lambda: ["train.py"],
        min_length=1,
        description="What the launcher starts, with --deepspeed_config deepspeed.json behind it.",
    )
    run_options: bool = Field(
        default=False,
        description="Give the program --run, --attempt and --save-flag; RUN, ATTEMPT and "
        "SAVE_FLAG are set in any case.",
    )
    zero_stage: int = Field(3, ge=0, le=3, description="What is sharded: ZeRO stage.")
    micro_batch: int = Field(1, ge=1, le=2**20, description="Samples of a GPU at once.")
    global_batch: int | None = Field(
        None, ge=1, le=2**30, description="Samples of a step; absent: microBatch on every rank."
    )
    partition_group: int | None = Field(
        None,
        ge=1,
        le=65536,
        description="Ranks that hold a second copy of the weights (hpZ), with stage 3; absent: "
        "those of a node.",
    )

    @property
    def step_batch(self) -> int:
        """Samples of a step."""
        return self.global_batch or self.micro_batch * self.world

    @property
    def secondary_group(self) -> int:
        """Ranks of an hpZ group; 1 where there is none."""
        if self.zero_stage < 3 or self.nodes == 1:
            return 1
        return self.partition_group or self.ranks_per_node

    def breaches(self) -> Iterator[Breach]:
        """Yield the rules that the parameters break among themselves."""
        yield from super().breaches()
        yield from batch_breach(self.step_batch, self.micro_batch, self.world)
        if self.partition_group is not None and self.world % self.partition_group:
            yield Breach(
                field="partitionGroup",
                value=self.partition_group,
                limit=f"has to divide {self.world} ranks",
                source="nodes · processesPerNode",
                nearest=nearest_divisor(self.world, self.partition_group),
            )


class MegatronParameters(TrainingParameters):
    """Training spread by tensor, context, expert, pipeline and data parallelism."""

    name: Word = Field("megatron", description="Job name.")
    program: list[str] = Field(
        default_factory=lambda: ["pretrain_gpt.py"],
        min_length=1,
        description="What the launcher starts, then its arguments beside those of the layout.",
    )
    run_options: bool = Field(
        default=False,
        description="Give the program --run, --attempt and --save-flag; RUN, ATTEMPT and "
        "SAVE_FLAG are set in any case.",
    )
    layers: int = Field(24, ge=1, le=10000, description="Transformer layers.")
    heads: int = Field(16, ge=1, le=10000, description="Attention heads.")
    hidden: int = Field(1024, ge=1, le=10**6, description="Width of the model.")
    sequence: int = Field(1024, ge=1, le=10**8, description="Tokens of a sequence.")
    experts: int = Field(0, ge=0, le=65536, description="Experts of a layer; 0: a dense model.")
    micro_batch: int = Field(1, ge=1, le=2**20, description="Sequences of a rank at once.")
    global_batch: int | None = Field(
        None, ge=1, le=2**30, description="Sequences of a step; absent: microBatch · DP."
    )
    tensor_parallel: int = Field(1, ge=1, le=4096, description="TP: inside an NVLink domain.")
    context_parallel: int = Field(1, ge=1, le=4096, description="CP: inside an NVLink domain.")
    expert_parallel: int = Field(1, ge=1, le=4096, description="EP; divides CP·DP.")
    pipeline_parallel: int = Field(1, ge=1, le=4096, description="PP: across the spine.")
    virtual_stages: int = Field(
        1, ge=1, le=1000, description="Stages of a pipeline rank, interleaved."
    )
    collective_timeout: Duration = Field(
        "10", description="A collective that takes longer is a hang."
    )

    @property
    def data_parallel(self) -> int:
        """DP: what is left of the world."""
        return self.world // (self.tensor_parallel * self.context_parallel * self.pipeline_parallel)

    @property
    def step_batch(self) -> int:
        """Sequences of a step."""
        return self.global_batch or self.micro_batch * self.data_parallel

    @property
    def timeout_minutes(self) -> int:
        """How long a collective may take."""
        return minutes(self.collective_timeout) or _NO_TIMEOUT_MINUTES

    @property
    def one_queue(self) -> bool:
        """Whether the GPU has to start communication in the order of the program."""
        return self.gpus_per_node > 0 and self.tensor_parallel > 1

    @property
    def close_ranks(self) -> int:
        """Ranks that have to be in one NVLink domain."""
        return self.tensor_parallel * max(self.context_parallel, self.expert_parallel)

    def breaches(self) -> Iterator[Breach]:
        """Yield the rules that the parameters break among themselves."""
        yield from super().breaches()
        model = self.tensor_parallel * self.context_parallel * self.pipeline_parallel
        if self.world % model:
            rest = self.world // _gcd_part(self.world, model // self.tensor_parallel)
            yield Breach(
                field="tensorParallel",
                value=self.tensor_parallel,
                limit=f"TP·CP·PP = {model} has to divide {self.world} ranks",
                source=_WORLD,
                nearest=nearest_divisor(rest, self.tensor_parallel),
            )
            return
        yield from self._layout()
        yield from batch_breach(self.step_batch, self.micro_batch, self.data_parallel)

    def _layout(self) -> Iterator[Breach]:
        spread = self.context_parallel * self.data_parallel
        stages = self.pipeline_parallel * self.virtual_stages
        for field, value, number, what, source in (
            ("tensorParallel", self.tensor_parallel, self.heads, "heads", "heads of a rank"),
            ("expertParallel", self.expert_parallel, spread, "CP·DP ranks", "EP divides CP·DP"),
            (
                "expertParallel",
                self.expert_parallel,
                self.experts or 1,
                "experts",
                "experts of a rank",
            ),
        ):
            if number % value:
                yield Breach(
                    field=field,
                    value=value,
                    limit=f"has to divide {number} {what}",
                    source=source,
                    nearest=nearest_divisor(number, value),
                )
        if self.layers % stages:
            up, down = self.layers + stages - self.layers % stages, self.layers // stages * stages
            near = down if down and self.layers - down <= up - self.layers else up
            yield Breach(
                field="layers",
                value=self.layers,
                limit=f"a multiple of {stages}",
                source="pipelineParallel · virtualStages",
                nearest=near,
            )
        if self.virtual_stages > 1 and self.pipeline_parallel == 1:
            yield Breach(
                field="virtualStages",
                value=self.virtual_stages,
                limit="needs a pipeline",
                source="pipelineParallel: 1",
                nearest=1,
            )


def batch_breach(batch: int, micro: int, replicas: int) -> Iterator[Breach]:
    """Yield a breach when a step is not a whole number of micro-batches on every replica."""
    unit = micro * replicas
    if batch % unit:
        yield Breach(
            field="globalBatch",
            value=batch,
            limit=f"a multiple of {unit}",
            source=f"microBatch · {replicas} replicas",
            nearest=max(unit, round(batch / unit) * unit),
        )


def _gcd_part(world: int, wanted: int) -> int:
    """Return the largest divisor of the world that is at most what is wanted."""
    return max(one for one in range(1, min(world, wanted) + 1) if world % one == 0)
