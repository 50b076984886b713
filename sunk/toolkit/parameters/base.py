"""What every template takes, and what families of templates have in common.

People write these in YAML or on the command line, so they are pydantic models; camelCase keys as
in every file of ours. Rules over several parameters are `breaches`; what depends on the cluster as
well is decided in `sunk.toolkit.shape`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from sunk.render.slurm_texts import minutes
from sunk.toolkit.parameters.breach import Breach
from sunk.toolkit.parameters.kinds import (
    Dependency,
    Duration,
    ImageFile,
    Memory,
    Mount,
    VariableName,
    Word,
)

LEAST_LEAD_SECONDS = 120
"""Slurm may signal up to a minute early, never late; below this nothing large is saved."""
_TEARDOWN_SECONDS = 30
_POLL_SECONDS = 5
MOST_LEAD_SECONDS = 65535
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY|SECRET_KEY|PRIVATE_KEY"
    r"|CREDENTIALS?)$",
    re.IGNORECASE,
)
NOT_SHOWN = "(not shown)"
"""Stands for a value with a secret in it."""
_IN_A_FILE = "write it to a file of mode 600 and let the program read that"
_OPTION = re.compile(r"-{1,2}[A-Za-z][\w-]*|[A-Z][A-Z0-9_]*")
"""What a value can be given to: an option, or a variable."""
_SECRET_VALUE = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|sk-[\w-]{20,}"
    r"|AKIA[0-9A-Z]{16}|glpat-[\w-]{16,}|xox[bap]-[\w-]{16,}|nvapi-[\w-]{20,})"
)


def holds_secret(text: str) -> bool:
    """Return whether a text looks like a secret, or sets an option to one."""
    name, _, value = text.partition("=")
    option = name.lstrip("-").replace("-", "_")
    named = bool(value) and not value.startswith("-") and _OPTION.fullmatch(name) is not None
    return _SECRET_VALUE.search(text) is not None or (named and is_secret(option, value))


def is_secret(name: str, value: str) -> bool:
    """Return whether a variable looks like a secret; the name of a file with one is none."""
    named = _SECRET_NAME.search(name) and value and not value.startswith(("/", "~", "$"))
    return bool(named or _SECRET_VALUE.search(value))


class JobParameters(BaseModel):
    """What every template takes; the defaults suit a first try."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        coerce_numbers_to_str=True,  # `timeLimit: 5` and `--ranks, 4` mean the text
    )

    name: Word = Field(description="Job name.")
    partition: Word | None = Field(
        None, description="Partition; absent: the profile's that fits, else the cluster's default."
    )
    account: Word | None = Field(
        None, description="Account; absent: the partition's only one, else the user's default."
    )
    qos: Word | None = Field(None, description="Quality of service.")
    dependency: Dependency | None = Field(
        None, description="What to wait for, such as afterany:17; see sbatch --dependency."
    )
    nodes: int = Field(1, ge=1, le=65533, description="Nodes.")
    tasks_per_node: int = Field(1, ge=1, le=4096, description="Tasks on each node.")
    cpus_per_task: int | None = Field(1, ge=1, le=4096, description="CPUs of each task.")
    memory_per_node: Memory | None = Field(
        None,
        description="Memory on each node, in MiB or with suffix K, M, G, T; absent on whole "
        "nodes: all of it.",
    )
    gpus_per_node: int = Field(0, ge=0, le=64, description="GPUs on each node.")
    exclusive: bool = Field(default=False, description="Whole nodes.")
    time_limit: Duration = Field(
        "10", description="Time limit: minutes, MM:SS, HH:MM:SS, D-HH, D-HH:MM, D-HH:MM:SS."
    )
    environment: dict[VariableName, str] = Field(
        default_factory=dict,
        description="Variables set for the program; secrets are refused: name a file instead.",
    )

    @property
    def ranks_per_node(self) -> int:
        """Processes on each node that talk to each other."""
        return self.tasks_per_node

    @property
    def world(self) -> int:
        """Ranks of the whole job."""
        return self.nodes * self.ranks_per_node

    @property
    def array_size(self) -> int | None:
        """Elements of the job array; None for a job that is none."""
        return None

    def breaches(self) -> Iterator[Breach]:
        """Yield the rules that the parameters break among themselves."""
        for name, value in sorted(self.environment.items()):
            if is_secret(name, value):
                yield Breach(
                    field=f"environment.{name}",
                    value=NOT_SHOWN,
                    limit="no secrets: scripts are stored by Slurm and readable by others",
                    source="lint rule S051",
                    nearest=_IN_A_FILE,
                )
        for name in type(self).model_fields:
            texts = () if name == "environment" else texts_in(getattr(self, name))
            if any(map(holds_secret, texts)):
                yield Breach(
                    field=to_camel(name),
                    value=NOT_SHOWN,
                    limit="no secrets: everybody on a node can read a program's arguments",
                    source="proc(5), cmdline",
                    nearest=_IN_A_FILE,
                )


def texts_in(value: object) -> Iterator[str]:
    """Yield every text in a parameter; a word after an option comes with it, as one setting."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inside in value.items():
            for text in texts_in(inside):
                yield f"{key}={text}"
    elif isinstance(value, (list, tuple)):
        words = [one for one in value if isinstance(one, str)]
        yield from (f"{before}={after}" for before, after in pairwise(words))
        for inside in value:
            yield from texts_in(inside)


class PlacedParameters(JobParameters):
    """What templates take whose nodes should be close together, and that can use containers."""

    segment: int | None = Field(
        None,
        ge=1,
        le=65533,
        description="Nodes of a group that belongs together; nodes are a multiple of it. "
        "With blocks: --segment.",
    )
    switches: int | None = Field(
        None,
        ge=1,
        le=65533,
        description="Leaf switches at most, with trees: --switches; absent: as few as can hold "
        "the nodes.",
    )
    switch_wait: Duration = Field(
        "5", description="How long to wait for so few switches before any will do."
    )
    container_image: ImageFile | None = Field(
        None, description="Image: a file (.sqsh, .sif), or NAME@sha256:DIGEST."
    )
    container_runtime: Literal["pyxis", "apptainer"] | None = Field(
        None, description="What starts the container; absent: the profile's first."
    )
    container_mounts: list[Mount] = Field(
        default_factory=list,
        description="SOURCE:TARGET or SOURCE:TARGET:ro, beside the run's own folder.",
    )
    uneven_nodes: Literal["refuse", "warn"] = Field(
        "refuse",
        description="What becomes of a job whose nodes have different networks: it does not "
        "start, or is only told so.",
    )

    def breaches(self) -> Iterator[Breach]:
        """Yield the rules that the parameters break among themselves."""
        yield from super().breaches()
        if self.segment is not None and self.nodes % self.segment:
            yield Breach(
                field="segment",
                value=self.segment,
                limit=f"has to divide {self.nodes} nodes",
                source="sbatch(1), --segment",
                nearest=nearest_divisor(self.nodes, self.segment),
            )
        if self.container_mounts and self.container_image is None:
            yield Breach(
                field="containerMounts",
                value=self.container_mounts,
                limit="needs containerImage",
                source="a mount is into a container",
                nearest="containerImage, or no mounts",
            )


class NodeParameters(PlacedParameters):
    """What templates take that start one launcher on each node."""

    tasks_per_node: int = Field(
        1, ge=1, le=1, description="Tasks on each node: the launcher starts the processes."
    )
    cpus_per_task: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="CPUs on each node; absent: all that the profile's partition has, else one "
        "for each process.",
    )
    exclusive: bool = Field(default=True, description="Whole nodes.")
    processes_per_node: int | None = Field(
        None, ge=1, le=4096, description="Processes on each node; absent: one for each GPU, or 1."
    )

    @property
    def ranks_per_node(self) -> int:
        """Processes on each node that talk to each other."""
        return self.processes_per_node or max(1, self.gpus_per_node)

    def breaches(self) -> Iterator[Breach]:
        """Yield the rules that the parameters break among themselves."""
        yield from super().breaches()
        if self.gpus_per_node and self.ranks_per_node > self.gpus_per_node:
            yield Breach(
                field="processesPerNode",
                value=self.ranks_per_node,
                limit=f"at most one for each of {self.gpus_per_node} GPUs",
                source="two NCCL ranks cannot share a GPU",
                nearest=self.gpus_per_node,
            )


class SavingParameters(NodeParameters):
    """What templates take whose program saves its state and starts again."""

    requeue: bool = Field(
        default=True, description="Start again after a save, a preemption or a lost node."
    )
    time_min: Duration | None = Field(
        None, description="Shortest time limit that backfill may give instead."
    )
    step_seconds: int = Field(10, ge=1, le=3600, description="Longest step of the program, in s.")
    save_seconds: int = Field(20, ge=1, le=36000, description="Longest save, in s.")
    signal_seconds: int | None = Field(
        None,
        ge=1,
        le=MOST_LEAD_SECONDS,
        description="How long before the end to ask for a save, in s; absent: what a step, one "
        "and a half saves and the end of the processes need.",
    )

    @property
    def needed_lead_seconds(self) -> int:
        """What a step, a look for the flag, one and a half saves and the end take."""
        planned = self.step_seconds + _POLL_SECONDS + -(-self.save_seconds * 3 // 2)
        return max(LEAST_LEAD_SECONDS, planned + _TEARDOWN_SECONDS)

    @property
    def lead_seconds(self) -> int:
        """How long before the end the batch shell is signalled."""
        return self.signal_seconds or self.needed_lead_seconds

    def breaches(self) -> Iterator[Breach]:
        """Yield the rules that the parameters break among themselves."""
        yield from super().breaches()
        needed = self.needed_lead_seconds
        if self.lead_seconds < needed:
            yield Breach(
                field="signalSeconds",
                value=self.lead_seconds,
                limit=f"at least {needed} s",
                source=f"stepSeconds + {_POLL_SECONDS} + 1.5·saveSeconds + {_TEARDOWN_SECONDS}, "
                f"and {LEAST_LEAD_SECONDS} at least",
                nearest=needed,
            )
        if needed > MOST_LEAD_SECONDS:
            yield Breach(
                field="saveSeconds",
                value=self.save_seconds,
                limit=f"leaves no --signal of at most {MOST_LEAD_SECONDS} s",
                source="sbatch(1), --signal",
                nearest=(MOST_LEAD_SECONDS - self.step_seconds - 40) * 2 // 3,
            )
        yield from self._times()

    def _times(self) -> Iterator[Breach]:
        limit = minutes(self.time_limit)
        least = None if self.time_min is None else minutes(self.time_min)
        for field, value, length in (
            ("timeLimit", self.time_limit, limit),
            ("timeMin", self.time_min, least),
        ):
            if length is not None and length * 60 <= self.lead_seconds:
                yield Breach(
                    field=field,
                    value=value,
                    limit=f"longer than the {self.lead_seconds} s before the end",
                    source="signalSeconds",
                    nearest=self.lead_seconds // 60 + 1,
                )
        if limit is not None and least is not None and least > limit:
            yield Breach(
                field="timeMin",
                value=self.time_min,
                limit=f"at most timeLimit {self.time_limit}",
                source="sbatch(1), --time-min",
                nearest=self.time_limit,
            )


def nearest_divisor(number: int, wanted: int) -> int:
    """Return the divisor of a number that is nearest to a wanted one; the smaller of two."""
    divisors = (one for one in range(1, number + 1) if number % one == 0)
    return min(divisors, key=lambda one: (abs(one - wanted), one))
