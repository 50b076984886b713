"""What a layout of a model costs: memory of a GPU, and the time of a step and of its parts; pure.

An estimate for choosing between layouts, not for promising a speed: kernels are taken as equally
fast whatever their shape, and what overlaps, overlaps fully.

Sources:
    V. Korthikanti et al., "Reducing Activation Recomputation in Large Transformer Models" (2022):
    activations of a layer are 34·s·b·h bytes with flash attention and sequence parallelism, over
    all tensor ranks together, and 2·s·b·h bytes when the rest is computed again.
    D. Narayanan et al., "Efficient Large-Scale Language Model Training on GPU Clusters" (2021):
    6 operations for each parameter and token, 8 with recomputation; bubble (p-1)/m; two
    all-reduces for each layer in the forward pass and two in the backward pass.
    S. Rajbhandari et al., "ZeRO" (2020): bf16 weights 2, fp32 gradients 4, optimizer 12 bytes for
    each parameter, the last shared by the copies.
"""

from __future__ import annotations

from dataclasses import dataclass

from sunk.model.training import Layout, Machines, Transformer
from sunk.plan.collectives import Algorithm, Collective, Links, Shape, estimate

_WEIGHT_BYTES = 2
_GRADIENT_BYTES = 4
_OPTIMIZER_BYTES = 12
_ACTIVATION_BYTES = 34
_CHECKPOINT_BYTES = 2
_ELEMENT_BYTES = 2
"""Activations travel as bf16."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """The time of a step, in seconds, and its parts.

    Attributes:
        compute: all GPUs at `compute_efficiency`.
        tensor: all-reduces of TP; nothing hides them.
        context: what attention does not hide of CP's rings.
        expert: all-to-alls of EP; nothing hides them.
        pipeline: what PP's stages hand on, forward and backward; nothing hides it.
        bubble: stages that wait for the first and the last micro-batch.
        data: what the first and last micro-batch do not hide of DP's sums.
    """

    compute: float
    tensor: float
    context: float
    expert: float
    pipeline: float
    bubble: float
    data: float

    @property
    def total(self) -> float:
        """The whole step."""
        parts = (self.compute, self.tensor, self.context, self.expert, self.pipeline)
        return sum(parts) + self.bubble + self.data


def micro_batches(model: Transformer, layout: Layout) -> int:
    """Return how many micro-batches go through each copy of the model in a step."""
    return model.global_batch // (model.micro_batch * layout.data)


def memory_gib(model: Transformer, layout: Layout) -> float:
    """Return what the fullest GPU, one of the first stage, holds, in GiB."""
    dense, experts = _local_parameters(model, layout)
    copies = layout.data * layout.context
    state = (dense + experts) * (_WEIGHT_BYTES + _GRADIENT_BYTES)
    state += dense * _OPTIMIZER_BYTES / copies
    state += experts * _OPTIMIZER_BYTES / max(copies / layout.expert, 1)
    per_layer = _CHECKPOINT_BYTES if model.recompute else _ACTIVATION_BYTES
    tokens = model.sequence * model.micro_batch / (layout.tensor * layout.context)
    in_flight = min(layout.pipeline, micro_batches(model, layout))
    activations = tokens * model.hidden * model.layers / layout.pipeline * per_layer * in_flight
    return (state + activations) / 2**30


def _local_parameters(model: Transformer, layout: Layout) -> tuple[float, float]:
    """Return the parameters on a GPU of the first stage: of all tokens, and of experts."""
    layers = model.layers / layout.pipeline
    ffn = 0 if model.experts else model.ffn_parameters
    # The first stage has the input embedding; a model of one stage the output embedding too.
    embeddings = (2 if layout.pipeline == 1 else 1) * model.vocabulary * model.hidden
    dense = (layers * (model.attention_parameters + ffn) + embeddings) / layout.tensor
    experts = layers * model.experts * model.ffn_parameters / (layout.tensor * layout.expert)
    return dense, experts


def step_time(model: Transformer, layout: Layout, machines: Machines) -> StepTime:
    """Return the time of a step.

    Args:
        model: what is trained.
        layout: legal for it, see `sunk.plan.layout`.
        machines: the GPUs.
    """
    links = Links(
        network_gb_per_s=machines.network_gb_per_s, nvlink_gb_per_s=machines.nvlink_gb_per_s
    )
    times = _Times(model, layout, machines, links)
    count = micro_batches(model, layout)
    compute = times.compute()
    busy = {
        "compute": compute,
        "tensor": times.tensor(),
        "context": max(0.0, times.context() - times.attention()),
        "expert": times.expert(),
        "pipeline": times.pipeline(),
    }
    return StepTime(
        **busy,
        bubble=(layout.pipeline - 1) / count * sum(busy.values()),
        data=max(0.0, times.data() - compute / count),
    )


class _Times:
    """Seconds of one step on one GPU, part by part."""

    def __init__(
        self, model: Transformer, layout: Layout, machines: Machines, links: Links
    ) -> None:
        self._model, self._layout, self._machines, self._links = model, layout, machines, links
        self._calls = micro_batches(model, layout) * model.layers / layout.pipeline
        """How often a GPU goes through a layer."""
        self._elements = model.micro_batch * model.sequence / layout.context * model.hidden
        """Activations of one micro-batch on a tensor group."""

    def compute(self) -> float:
        model = self._model
        times = 8 if model.recompute else 6
        tokens = model.global_batch * model.sequence
        return self._rate(times * model.active_parameters * tokens) + self.attention()

    def attention(self) -> float:
        """Scores and their use, causal: 2·s²·h forward for a layer and sequence, twice backward."""
        model = self._model
        times = 8 if model.recompute else 6
        return self._rate(
            times * model.layers * model.sequence**2 * model.hidden * model.global_batch
        )

    def tensor(self) -> float:
        size = _ELEMENT_BYTES * self._elements
        return 4 * self._calls * self._group(Collective.ALL_REDUCE, size, self._layout.tensor, 1)

    def context(self) -> float:
        """Keys and values go round forward, and with their gradients backward: 3 times in all."""
        model, layout = self._model, self._layout
        if layout.context == 1:
            return 0.0
        share = self._elements * model.kv_hidden / model.hidden / layout.tensor
        volume = 3 * (layout.context - 1) * 2 * _ELEMENT_BYTES * share
        inside = layout.context * layout.tensor <= self._machines.domain_gpus
        return self._calls * self._sent(volume, inside=inside)

    def expert(self) -> float:
        model, layout = self._model, self._layout
        size = _ELEMENT_BYTES * self._elements / layout.tensor * model.experts_per_token
        one = self._group(Collective.ALL_TO_ALL, size, layout.expert, layout.tensor)
        return 4 * self._calls * one

    def pipeline(self) -> float:
        """A stage hands each micro-batch on, and its gradient back."""
        layout = self._layout
        if layout.pipeline == 1:
            return 0.0
        inside = self._machines.gpus <= self._machines.domain_gpus
        size = _ELEMENT_BYTES * self._elements / layout.tensor
        return 2 * micro_batches(self._model, layout) * self._sent(size, inside=inside)

    def data(self) -> float:
        """Gradients are reduced and scattered, weights gathered; each once in a step."""
        layout = self._layout
        dense, experts = _local_parameters(self._model, layout)
        copies = layout.data * layout.context
        return self._shared(dense, copies, layout.tensor) + self._shared(
            experts, copies // layout.expert, layout.tensor * layout.expert
        )

    def _shared(self, parameters: float, copies: int, stride: int) -> float:
        scatter = self._group(
            Collective.REDUCE_SCATTER, _GRADIENT_BYTES * parameters, copies, stride
        )
        gather = self._group(Collective.ALL_GATHER, _WEIGHT_BYTES * parameters, copies, stride)
        return scatter + gather

    def _group(self, collective: Collective, size: float, ranks: int, stride: int) -> float:
        """Return the time of one collective in a group of every `stride`-th rank."""
        if ranks == 1 or size == 0:
            return 0.0
        inside = ranks_in_domain(ranks, stride, self._machines.domain_gpus)
        factor = (
            self._machines.placement_factor
            if collective is Collective.ALL_TO_ALL
            else self._machines.crossing_factor
        )
        shape = Shape(
            nodes=ranks // inside,
            ranks_per_node=inside,
            crossing_factor=factor if inside < ranks else 1.0,
        )
        return estimate(collective, Algorithm.HIERARCHICAL, size, shape, self._links).most_seconds

    def _sent(self, size: float, *, inside: bool) -> float:
        """Return the time of sending bytes to a neighbour, inside of an NVLink domain or not."""
        if inside:
            return size / (self._machines.nvlink_gb_per_s * 1e9 * self._links.nvlink_efficiency)
        reached = self._machines.network_gb_per_s * 1e9 * self._links.network_efficiency
        return size / reached * self._machines.crossing_factor

    def _rate(self, operations: float) -> float:
        machines = self._machines
        reached = machines.gpus * machines.gpu_tflop_per_s * 1e12 * machines.compute_efficiency
        return operations / reached


def ranks_in_domain(ranks: int, stride: int, domain_gpus: int) -> int:
    """Return how many ranks of a group share an NVLink domain, the same in each domain.

    Args:
        ranks: of the group.
        stride: distance of its neighbours, in GPUs.
        domain_gpus: GPUs of a domain.
    """
    most = max(1, min(ranks, domain_gpus // stride))
    return max(one for one in range(1, most + 1) if ranks % one == 0)
