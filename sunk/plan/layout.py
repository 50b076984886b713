"""Which layouts of a model are possible on a job's GPUs, and which is the fastest; pure.

Every way to write the number of GPUs as TP · CP · PP · DP, with every EP, is tried. What breaks a
rule is left out, and the rule says how many it cost and shows one. The rest is ranked by the
expected time of a step (`sunk.plan.layout_cost`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from sunk.errors import InputError
from sunk.model.training import Layout, Machines, Transformer
from sunk.plan.layout_cost import StepTime, memory_gib, micro_batches, step_time

_SHOWN_SHARE = 0.05
"""A part of a step that takes less is no reason for or against a layout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A possible layout.

    Attributes:
        layout: how the model is spread.
        step: expected time of a step.
        memory_gib: what the fullest GPU holds.
        tokens_per_s: of the whole job.
        segment_nodes: nodes that have to be in one NVLink domain or close together: what
            ``sbatch --segment`` is given.
        reasons: what speaks for and against it, the weightiest first.
    """

    layout: Layout
    step: StepTime
    memory_gib: float
    tokens_per_s: float
    segment_nodes: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Layouts that break one rule, the first that each of them breaks.

    Attributes:
        rule: what has to hold.
        count: how many break it.
        example: one of them, and why.
    """

    rule: str
    count: int
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutPlan:
    """All layouts, sorted out.

    Attributes:
        ranked: the possible ones, fastest first.
        rejected: rules that left some out, those of most layouts first.
    """

    ranked: tuple[Scored, ...]
    rejected: tuple[Rejected, ...]


def plan_layouts(model: Transformer, machines: Machines) -> LayoutPlan:
    """Return the possible layouts, fastest first, and what the others break.

    Raises:
        InputError: a number of the model or the machines cannot be.
    """
    _check(model, machines)
    ranked: list[Scored] = []
    broken: dict[str, list[str]] = {}
    for layout in _candidates(model, machines):
        if fault := next(_faults(model, layout, machines), None):
            rule, why = fault
            broken.setdefault(rule, []).append(f"{layout}: {why}")
        else:
            ranked.append(_scored(model, layout, machines))
    ranked.sort(key=lambda one: (one.step.total, one.layout))
    rejected = [
        Rejected(rule=rule, count=len(examples), example=examples[0])
        for rule, examples in broken.items()
    ]
    rejected.sort(key=lambda one: (-one.count, one.rule))
    return LayoutPlan(ranked=tuple(ranked), rejected=tuple(rejected))


def _check(model: Transformer, machines: Machines) -> None:
    for owner, noun in ((model, "model"), (machines, "machines")):
        for field in fields(owner):
            value = getattr(owner, field.name)
            least = 0 if field.name == "experts" else 1 if isinstance(value, int) else None
            if isinstance(value, bool) or value is None:
                continue
            if not (value > 0 if least is None else value >= least) or value > 1e15:
                raise InputError(f"plan layouts: {field.name} of the {noun} is {value}")
    if model.experts and model.experts_per_token > model.experts:
        raise InputError(
            f"plan layouts: experts_per_token is {model.experts_per_token}, "
            f"of {model.experts} experts"
        )
    if model.hidden % model.heads:
        raise InputError(
            f"plan layouts: hidden {model.hidden} is no multiple of {model.heads} heads"
        )


def _candidates(model: Transformer, machines: Machines) -> Iterator[Layout]:
    world = machines.gpus
    for tensor in divisors(world):
        for context in divisors(world // tensor):
            for pipeline in divisors(world // (tensor * context)):
                data = world // (tensor * context * pipeline)
                for expert in divisors(data * context) if model.experts else (1,):
                    yield Layout(
                        tensor=tensor,
                        context=context,
                        expert=expert,
                        pipeline=pipeline,
                        data=data,
                    )


def divisors(number: int) -> tuple[int, ...]:
    """Return the divisors of a number above 0, ascending."""
    low = [one for one in range(1, int(number**0.5) + 1) if number % one == 0]
    return tuple(sorted({*low, *(number // one for one in low)}))


def _faults(model: Transformer, layout: Layout, machines: Machines) -> Iterator[tuple[str, str]]:
    """Yield each rule that a layout breaks, cheap ones first, and what is wrong."""
    domain, kv_heads = machines.domain_gpus, model.kv_heads or model.heads
    tensor, context, pipeline = layout.tensor, layout.context, layout.pipeline
    if tensor > domain or domain % tensor:
        yield (
            "TP divides the GPUs of an NVLink domain: nothing hides its all-reduces",
            f"{tensor} and {domain} GPUs",
        )
    if model.heads % tensor or (kv_heads % tensor and tensor % kv_heads):
        yield "TP divides the attention heads", f"{model.heads} heads, {kv_heads} of keys"
    if model.layers % pipeline:
        yield "PP divides the layers", f"{model.layers} layers"
    if context > 1 and model.sequence % (2 * context):
        # Each rank takes one piece from the front and one from the back, so that all work alike.
        yield "2·CP divides the sequence", f"{model.sequence} tokens"
    if model.experts and model.experts % layout.expert:
        yield "EP divides the experts", f"{model.experts} experts"
    if model.global_batch % (model.micro_batch * layout.data):
        yield (
            "DP times the micro-batch divides the global batch",
            f"{model.global_batch} sequences, {model.micro_batch} at once",
        )
        return
    if (need := memory_gib(model, layout)) > machines.gpu_memory_gib:
        yield "It fits a GPU's memory", f"{need:.1f} of {machines.gpu_memory_gib:g} GiB"


def _scored(model: Transformer, layout: Layout, machines: Machines) -> Scored:
    step = step_time(model, layout, machines)
    close = layout.tensor * max(layout.context, layout.expert)
    return Scored(
        layout=layout,
        step=step,
        memory_gib=memory_gib(model, layout),
        tokens_per_s=model.global_batch * model.sequence / step.total,
        segment_nodes=min(max(1, -(-close // machines.gpus_per_node)), machines.nodes),
        reasons=_reasons(model, layout, machines, step),
    )


def _reasons(
    model: Transformer, layout: Layout, machines: Machines, step: StepTime
) -> tuple[str, ...]:
    count = micro_batches(model, layout)
    inside = layout.tensor * layout.expert <= machines.domain_gpus
    where = "inside the NVLink domain" if inside else "over the network"
    said = {
        "TP's all-reduces take {}, inside the NVLink domain": step.tensor,
        "CP's rings take {} more than attention hides": step.context,
        f"EP's all-to-alls take {{}}, {where}": step.expert,
        f"the bubble takes {{}}: {layout.pipeline} stages, {count} micro-batches": step.bubble,
        "what stages hand on takes {}": step.pipeline,
        "DP's sums take {} more than a micro-batch hides": step.data,
    }
    weighty = sorted(said.items(), key=lambda pair: -pair[1])
    found = [
        text.format(f"{seconds / step.total:.0%}")
        for text, seconds in weighty
        if seconds / step.total >= _SHOWN_SHARE
    ]
    return tuple(found) or (f"computes {step.compute / step.total:.0%} of the time",)
