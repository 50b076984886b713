"""Parameters of jobs that call functions of a Python program."""

from __future__ import annotations

from pydantic import Field

from sunk.toolkit.parameters.base import JobParameters
from sunk.toolkit.parameters.kinds import Word

_MOST_ELEMENTS = 4_000_001
"""slurm.conf(5): MaxArraySize can be no larger."""


class CallParameters(JobParameters):
    """One function, called once, or once in each element of a job array."""

    name: Word = Field("call", description="Job name.")
    nodes: int = Field(1, ge=1, le=1, description="Nodes: a call is one process.")
    tasks_per_node: int = Field(1, ge=1, le=1, description="Tasks: a call is one process.")
    python: str = Field(
        "python3", min_length=1, description="Python of the nodes; of the version that submits."
    )
    fallback_python: str | None = Field(
        None, min_length=1, description="Python for nodes that lack that one; of its version, too."
    )
    requeue: bool = Field(
        default=False, description="Call again when the node was lost or taken away."
    )
    calls: int | None = Field(
        None, ge=1, le=_MOST_ELEMENTS, description="Elements of the array; absent: no array."
    )
    at_once: int = Field(256, ge=1, le=_MOST_ELEMENTS, description="Elements that run at once.")

    @property
    def array_size(self) -> int | None:
        """Elements of the job array; None for a single call."""
        return self.calls
