"""Parameters of services that run on several nodes: Ray, vLLM."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from sunk.toolkit.parameters.base import LEAST_LEAD_SECONDS, NodeParameters, nearest_divisor
from sunk.toolkit.parameters.breach import Breach
from sunk.toolkit.parameters.kinds import AbsolutePath, NoOption, Word


class RayParameters(NodeParameters):
    """A Ray cluster for one driver."""

    name: Word = Field("ray", description="Job name.")
    program: list[str] = Field(
        default_factory=lambda: ["python3", "-m", "sunk_jobs.ray_nodes"],
        min_length=1,
        description="The driver and its arguments; runs on the node of rank 0.",
    )
    start_seconds: int = Field(
        300, ge=10, le=86400, description="How long nodes wait for each other at the start, in s."
    )


class VllmParameters(NodeParameters):
    """A model served over several nodes."""

    name: Word = Field("vllm", description="Job name.")
    model: NoOption = Field(
        "Qwen/Qwen2.5-0.5B-Instruct",
        min_length=1,
        max_length=1024,
        description="Model: a folder on every node, or a name.",
    )
    tensor_parallel: int | None = Field(
        None, ge=1, le=4096, description="TP; absent: the processes of a node."
    )
    pipeline_parallel: int | None = Field(None, ge=1, le=4096, description="PP; absent: the nodes.")
    port: int = Field(8000, ge=1024, le=60999, description="Where the service listens.")
    offline: bool = Field(default=True, description="Never download: the model is there already.")
    api_key_file: AbsolutePath | None = Field(
        None,
        description="File of mode 600 with the key that clients show.",
    )
    ready_seconds: int = Field(
        1800, ge=10, le=86400, description="How long loading may take until it answers, in s."
    )
    drain_seconds: int = Field(
        LEAST_LEAD_SECONDS,
        ge=LEAST_LEAD_SECONDS,
        le=3600,
        description="How long before the end to take no more requests, in s.",
    )
    options: list[str] = Field(default_factory=list, description="More arguments of `vllm serve`.")

    @property
    def tensor_size(self) -> int:
        """TP."""
        return self.tensor_parallel or self.ranks_per_node

    @property
    def pipeline_size(self) -> int:
        """PP."""
        return self.pipeline_parallel or self.world // self.tensor_size or 1

    def breaches(self) -> Iterator[Breach]:
        """Yield the rules that the parameters break among themselves."""
        yield from super().breaches()
        if self.tensor_size * self.pipeline_size != self.world:
            yield Breach(
                field="tensorParallel",
                value=self.tensor_size,
                limit=f"TP·PP = {self.tensor_size * self.pipeline_size} has to be {self.world}",
                source="nodes · processesPerNode",
                nearest=nearest_divisor(self.world, self.tensor_size),
            )
        if self.api_key_file is None and any(
            one == "--api-key" or one.startswith("--api-key=") for one in self.options
        ):
            yield Breach(
                field="options",
                value="--api-key",
                limit="no secrets: everybody on a node can read a program's arguments",
                source="proc(5), cmdline",
                nearest="apiKeyFile",
            )
