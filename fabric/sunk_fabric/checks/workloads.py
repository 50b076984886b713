"""Training and inference: their pace beside the one that a site declares."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping

from sunk.assess.judge import Answer
from sunk_fabric.checks.declared import Figure, beside
from sunk_fabric.expected import TRAINING
from sunk_fabric.facts import Facts
from sunk_fabric.parse import megatron_log, training, vllm_bench
from sunk_fabric.parse.megatron_log import Progress
from sunk_fabric.parse.training import Training
from sunk_fabric.parse.vllm_bench import Load

LEAST_STEPS = 20
"""Fewer are the ones in which caches fill and kernels are chosen. Proposal."""
STEP, FLOPS, TOKENS = TRAINING


def trained(facts: Facts) -> Iterator[Answer]:
    """A reference model trains as fast as declared."""
    yield from beside(
        facts,
        facts.expected.training,
        (training.parse, _of_training),
        (megatron_log.parse, _of_progress),
    )


def _of_training(one: Training) -> Mapping[str, Figure]:
    doubt = _few(one.steps)
    if one.backend != "nccl":
        doubt = f"the back end is {one.backend or 'not told'}, and that of GPUs is nccl"
    figures = {}
    if one.step_p50_seconds is not None:
        figures[STEP] = Figure(one.step_p50_seconds, "s", doubt, less_is_better=True)
    if one.tokens_per_second is not None:
        figures[TOKENS] = Figure(one.tokens_per_second, "/s", doubt)
    return figures


def _of_progress(one: Progress) -> Mapping[str, Figure]:
    """Return the medians over the lines, the first of which has the start in it."""
    steady = one.iterations[1:] or one.iterations
    doubt = _few(steady[-1].number - one.iterations[0].number)
    seconds = statistics.median(each.seconds for each in steady)
    figures = {STEP: Figure(seconds, "s", doubt, less_is_better=True)}
    rates = [each.tflops for each in steady if each.tflops is not None]
    if len(rates) == len(steady):
        figures[FLOPS] = Figure(statistics.median(rates), "TFLOP/s", doubt)
    return figures


def _few(steps: int) -> str:
    if steps >= LEAST_STEPS:
        return ""
    return f"{steps} steps, {LEAST_STEPS} and more say something"


def _loads(mine: Callable[[str], bool]) -> Callable[[Facts], Iterator[Answer]]:
    """Return what judges the figures of load generators whose names `mine` takes."""

    def judged(facts: Facts) -> Iterator[Answer]:
        wanted = {name: one for name, one in facts.expected.inference.items() if mine(name)}
        yield from beside(facts, wanted, (vllm_bench.parse, lambda one: _of_load(one, mine)))

    return judged


def _of_load(one: Load, mine: Callable[[str], bool]) -> Mapping[str, Figure]:
    doubt = f"{one.lost} of {one.requests or one.completed} requests got no answer"
    return {
        name: Figure(
            value,
            "ms" if name.endswith("_ms") else "/s",
            doubt if one.lost else "",
            less_is_better=name.endswith("_ms"),
        )
        for name, value in one.figures.items()
        if mine(name)
    }


def _is_of(*waits: str) -> Callable[[str], bool]:
    return lambda name: any(name.endswith(f"_{one}_ms") for one in waits)


batch = _loads(lambda name: name in vllm_bench.RATES)
"""Tokens a second as declared."""
realtime = _loads(_is_of("e2el"))
"""Whole answers as soon as declared."""
stream = _loads(_is_of("ttft", "itl", "tpot"))
"""First tokens, and those after them, as soon as declared."""
