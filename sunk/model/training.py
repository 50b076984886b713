"""What is trained, on what, and how it is spread over GPUs: the nouns of layout planning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from sunk.model.file_form import FILE_FORM as _FILE_FORM


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """A decoder of equal layers, and how it is trained.

    Attributes:
        layers: transformer layers.
        hidden: width of the model.
        heads: attention heads.
        kv_heads: heads of keys and values; `heads` when absent.
        ffn_hidden: width inside the feed-forward part; 4 times `hidden` when absent.
        gated: the feed-forward part has three matrices (SwiGLU), not two.
        vocabulary: tokens in the vocabulary.
        sequence: tokens in a sequence.
        global_batch: sequences in a step.
        micro_batch: sequences that go through the model at once.
        experts: experts in each layer's feed-forward part; 0 for a dense model.
        experts_per_token: how many of them a token goes to.
        recompute: activations are computed again in the backward pass.
    """

    __pydantic_config__: ClassVar[Any] = _FILE_FORM
    layers: int
    hidden: int
    heads: int
    vocabulary: int
    sequence: int
    global_batch: int
    kv_heads: int | None = None
    ffn_hidden: int | None = None
    gated: bool = True
    micro_batch: int = 1
    experts: int = 0
    experts_per_token: int = 1
    recompute: bool = False

    @property
    def kv_hidden(self) -> int:
        """Width of keys, and of values."""
        return self.hidden * (self.kv_heads or self.heads) // self.heads

    @property
    def attention_parameters(self) -> int:
        """Of one layer: queries and output, keys and values."""
        return 2 * self.hidden * (self.hidden + self.kv_hidden)

    @property
    def ffn_parameters(self) -> int:
        """Of one feed-forward part: of the layer, or of one expert."""
        matrices = 3 if self.gated else 2
        return matrices * self.hidden * (self.ffn_hidden or 4 * self.hidden)

    @property
    def parameters(self) -> int:
        """Of the whole model: layers, input and output embedding."""
        return 2 * self.vocabulary * self.hidden + self.layers * (
            self.attention_parameters + max(self.experts, 1) * self.ffn_parameters
        )

    @property
    def active_parameters(self) -> int:
        """Of what a token goes through, without the look-up in the input embedding."""
        used = self.experts_per_token if self.experts else 1
        return self.vocabulary * self.hidden + self.layers * (
            self.attention_parameters + used * self.ffn_parameters
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """The GPUs of a job.

    Attributes:
        nodes: how many nodes.
        gpus_per_node: GPUs of each.
        gpu_memory_gib: memory of a GPU, in GiB.
        gpu_tflop_per_s: dense bf16 peak of a GPU, in 10**12 operations per second.
        network_gb_per_s: a GPU's share of the network adapters, per direction, in GB/s.
        nvlink_gb_per_s: a GPU's NVLink, per direction, in GB/s.
        nvlink_domain_gpus: GPUs that reach each other over NVLink; those of a node when absent.
        compute_efficiency: reached part of the peak when nothing is waited for.
        crossing_factor: see `sunk.plan.collectives`: rings between nodes take longer by it.
        placement_factor: see there: all-to-alls between nodes take longer by it.
    """

    nodes: int
    gpus_per_node: int
    gpu_memory_gib: float
    gpu_tflop_per_s: float
    network_gb_per_s: float
    nvlink_gb_per_s: float
    nvlink_domain_gpus: int | None = None
    compute_efficiency: float = 0.5
    crossing_factor: float = 1.0
    placement_factor: float = 1.0

    @property
    def gpus(self) -> int:
        """All of them."""
        return self.nodes * self.gpus_per_node

    @property
    def domain_gpus(self) -> int:
        """GPUs of one NVLink domain."""
        return min(self.nvlink_domain_gpus or self.gpus_per_node, self.gpus)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Layout:
    """How a model is spread; ranks count through tensor, context, data, pipeline, in this order.

    Attributes:
        tensor: TP: matrices cut.
        context: CP: sequences cut.
        expert: EP: experts spread, over ranks of data and context.
        pipeline: PP: layers cut into stages.
        data: DP: copies of the model.
    """

    tensor: int
    context: int
    expert: int
    pipeline: int
    data: int

    def __str__(self) -> str:
        """Return it as people write it."""
        return f"TP{self.tensor} CP{self.context} EP{self.expert} PP{self.pipeline} DP{self.data}"
