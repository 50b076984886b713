"""What each job template takes: typed, with units, limits and their sources.

People write these in YAML or on the command line, so they are pydantic models; camelCase keys as
in every file of ours. `validated` turns what is wrong into one error that names the field, the
value and what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from sunk.errors import InputError, clip

# sbatch(1): "Acceptable time formats"; hours, minutes and seconds below their carry.
_TIME = re.compile(r"(?:\d{1,4}-\d{1,2}(?::[0-5]\d){0,2}|\d{1,6}(?::[0-5]\d){0,2}|UNLIMITED)")

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+:@-]*$", max_length=64)]
"""A name in Slurm: job, partition, account, QOS."""
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Duration = Annotated[str, StringConstraints(pattern="^" + _TIME.pattern + "$")]
Memory = Annotated[str, StringConstraints(pattern=r"^\d{1,9}[KMGT]?$")]


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
    partition: Word | None = Field(None, description="Partition; the cluster's default if absent.")
    account: Word | None = Field(None, description="Account; the user's default if absent.")
    qos: Word | None = Field(None, description="Quality of service.")
    nodes: int = Field(1, ge=1, le=65533, description="Nodes.")
    tasks_per_node: int = Field(1, ge=1, le=4096, description="Ranks on each node.")
    cpus_per_task: int = Field(1, ge=1, le=4096, description="CPUs of each rank.")
    memory_per_node: Memory | None = Field(
        None, description="Memory on each node, in MiB or with suffix K, M, G, T."
    )
    gpus_per_node: int = Field(0, ge=0, le=64, description="GPUs on each node.")
    time_limit: Duration = Field(
        "10", description="Time limit: minutes, MM:SS, HH:MM:SS, D-HH, D-HH:MM, D-HH:MM:SS."
    )
    environment: dict[VariableName, str] = Field(
        default_factory=dict, description="Variables set for the program."
    )


class HelloParameters(JobParameters):
    """A first job: every rank says where it runs."""

    name: Word = Field("hello", description="Job name.")
    message: str = Field("hello", max_length=200, description="What each rank says.")


class MpiParameters(JobParameters):
    """An MPI program under srun."""

    name: Word = Field("mpi", description="Job name.")
    program: list[str] = Field(
        default_factory=lambda: ["python3", "-m", "sunk_jobs.allreduce"],
        min_length=1,
        description="Program and arguments of each rank.",
    )
    mpi_plugin: Word = Field("pmix", description="srun --mpi; `srun --mpi=list` shows what exists.")


_P = TypeVar("_P", bound=BaseModel)


def validated(form: type[_P], values: Mapping[str, Any], origin: str) -> _P:
    """Return the parameters, or one error that lists everything wrong with them.

    Raises:
        InputError: names each field, its value, and what is allowed.
    """
    try:
        return form.model_validate(dict(values))
    except ValidationError as exc:
        faults = [_fault(form, error) for error in exc.errors()]
        raise InputError(f"read {origin}: " + "; ".join(faults), hint=_hint(form, exc)) from exc


def _fault(form: type[BaseModel], error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{place}: no such parameter"
    if error["type"] == "missing":
        return f"{place}: missing"
    return f"{place}: {clip(repr(error['input']), 60)}: {error['msg']}{_meaning(form, place)}"


def _meaning(form: type[BaseModel], place: str) -> str:
    for name, field in form.model_fields.items():
        if place.split(".", 1)[0] in {name, field.alias}:
            return f" ({field.description})"
    return ""


def _hint(form: type[BaseModel], error: ValidationError) -> str | None:
    if any(item["type"] == "extra_forbidden" for item in error.errors()):
        known = sorted(field.alias or name for name, field in form.model_fields.items())
        return "parameters of this template: " + ", ".join(known)
    return None
