"""Parameters of many small tasks, and of work by hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from pydantic import Field

from sunk.toolkit.parameters.base import JobParameters
from sunk.toolkit.parameters.breach import Breach
from sunk.toolkit.parameters.kinds import Memory, NoOption, VariableName, Word

_MOST_ELEMENTS = 4_000_001
"""slurm.conf(5): MaxArraySize can be no larger."""
Scalar = bool | int | float | str


class ArraySweepParameters(JobParameters):
    """One program with many settings, each an element of a job array."""

    name: Word = Field("array-sweep", description="Job name.")
    program: list[str] = Field(
        default_factory=lambda: ["echo", "seed {seed}"],
        min_length=1,
        description="Program and arguments of each element; {key} is the element's setting.",
    )
    settings: list[dict[VariableName, Scalar]] = Field(
        default_factory=list,
        description="The elements' settings, each a mapping. Either these or a grid.",
    )
    grid: dict[VariableName, list[Scalar]] = Field(
        default_factory=dict,
        description="Values of each setting; the elements are all combinations.",
    )
    at_once: int = Field(4, ge=1, le=_MOST_ELEMENTS, description="Elements that run at once.")

    @property
    def elements(self) -> list[dict[str, Scalar]]:
        """Each element's setting, in the order of the array's indices."""
        if self.settings:
            return [dict(one) for one in self.settings]
        if not self.grid:
            return [{"seed": seed} for seed in (1, 2)]
        keys = list(self.grid)
        return [dict(zip(keys, one, strict=True)) for one in itertools.product(*self.grid.values())]

    @property
    def array_size(self) -> int:
        """Elements of the job array."""
        return len(self.elements)

    def breaches(self) -> Iterator[Breach]:
        """Yield the rules that the parameters break among themselves."""
        yield from super().breaches()
        if self.settings and self.grid:
            yield Breach(
                field="grid",
                value=sorted(self.grid),
                limit="not together with settings",
                source="an element has one setting",
                nearest="one of them",
            )
        count = 1
        for values in self.grid.values():
            count *= len(values)
        if not 1 <= count <= _MOST_ELEMENTS:
            yield Breach(
                field="grid",
                value=count,
                limit=f"1 to {_MOST_ELEMENTS} combinations",
                source="slurm.conf(5), MaxArraySize",
                nearest="fewer values" if count else "a value for each key",
            )


class DataPreparationParameters(JobParameters):
    """Inputs made into shards by many CPU tasks."""

    name: Word = Field("data-preparation", description="Job name.")
    gpus_per_node: int = Field(0, ge=0, le=0, description="GPUs on each node: none.")
    memory_per_cpu: Memory | None = Field(
        "500M", description="Memory of each CPU, in MiB or with suffix K, M, G, T."
    )
    inputs: list[str] = Field(
        default_factory=lambda: ["job.sbatch"],
        min_length=1,
        description="Files; relative ones are in the run folder.",
    )
    shards: int = Field(1, ge=1, le=10**6, description="Files to make of them.")
    folder: NoOption = Field("shards", min_length=1, max_length=1024, description="Where they go.")
    program: list[str] = Field(
        default_factory=lambda: [
            "python3",
            "-m",
            "sunk_jobs.shards",
            "join",
            "{inputs}",
            "{output}",
        ],
        min_length=1,
        description="Makes one shard: {inputs} is a file with the shard's inputs, one a line, "
        "{output} the file to write.",
    )
    requeue: bool = Field(
        default=True, description="Start again after a preemption or a lost node."
    )

    def breaches(self) -> Iterator[Breach]:
        """Yield the rules that the parameters break among themselves."""
        yield from super().breaches()
        if self.memory_per_cpu and self.memory_per_node:
            yield Breach(
                field="memoryPerCpu",
                value=self.memory_per_cpu,
                limit="not together with memoryPerNode",
                source="sbatch(1), --mem, --mem-per-cpu",
                nearest="memoryPerCpu: null",
            )
        if self.exclusive and self.memory_per_cpu:
            yield Breach(
                field="exclusive",
                value=self.exclusive,
                limit="not together with memoryPerCpu",
                source="lint rule S020: CPUs may be raised to fit the memory",
                nearest="memoryPerNode: 0",
            )
        if self.shards > len(self.inputs):
            yield Breach(
                field="shards",
                value=self.shards,
                limit=f"at most one for each of {len(self.inputs)} inputs",
                source="inputs",
                nearest=len(self.inputs),
            )


class InteractiveParameters(JobParameters):
    """An allocation to work in by hand."""

    name: Word = Field("interactive", description="Job name.")
    program: list[str] = Field(
        default_factory=lambda: ["bash", "-l"],
        min_length=1,
        description="What to start in the allocation, on its first node.",
    )
