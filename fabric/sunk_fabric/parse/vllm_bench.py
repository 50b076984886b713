"""``vllm bench serve --save-result`` and ``vllm bench throughput --output-json``: one JSON file."""

from __future__ import annotations

import math

import msgspec

from sunk_fabric.parse import json_text
from sunk_fabric.parse.text import Content, Parsed


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a load generator.

    Attributes:
        requests: that were sent; None when not told.
        completed: of them; None when not told.
        failed: of them; None when not told.
        figures: name in the tool's words -> value: ``tokens_per_second``, ``p99_ttft_ms``.
    """

    requests: int | None = None
    completed: int | None = None
    failed: int | None = None
    figures: dict[str, float] = {}

    @property
    def lost(self) -> int:
        """Return how many requests got no answer; 0 where nothing tells."""
        if self.failed is not None:
            return self.failed
        if self.requests is None or self.completed is None:
            return 0
        return max(0, self.requests - self.completed)


RATES = ("tokens_per_second", "total_token_throughput", "output_throughput")
"""More is better: tokens a second of a batch, of a server in and out, and of what it generates."""
WAITS = ("e2el", "ttft", "itl", "tpot")
"""Less is better: a whole answer, the first token, between tokens, and for each token."""


class _Counts(msgspec.Struct, frozen=True):
    num_requests: int | None = None
    num_prompts: int | None = None
    completed: int | None = None
    failed: int | None = None


def parse(content: Content) -> Parsed[Load]:
    """Return the run; one without a figure, or with one that is none, is damage."""
    whole = content if isinstance(content, bytes) else b"".join(content)
    decoded = json_text.decode(whole, dict[str, msgspec.Raw], {})
    counted = json_text.decode(whole, _Counts, _Counts())
    if not decoded.sound or not counted.sound:
        damage = decoded.damage or counted.damage
        return Parsed(value=Load(), lines=decoded.lines, unknown=0, quoted=(), damage=damage)
    figures: dict[str, float] = {}
    wrong = ""
    for name in sorted(filter(is_figure, decoded.value)):
        try:
            value = msgspec.json.decode(decoded.value[name], type=float)
        except msgspec.MsgspecError:
            wrong = wrong or f"{name} is no number"
            continue
        if not 0 <= value < math.inf:
            wrong = wrong or f"{name} is {value:g}"
        figures[name] = value
    if not figures:
        wrong = wrong or "there is no figure of this tool"
    told = counted.value
    sent = told.num_prompts if told.num_requests is None else told.num_requests
    load = Load(requests=sent, completed=told.completed, failed=told.failed, figures=figures)
    damage = (wrong,) if wrong else ()
    return Parsed(value=load, lines=decoded.lines, unknown=0, quoted=(), damage=damage)


def is_figure(name: str) -> bool:
    """Return whether a key is one of the figures: a rate, or a percentile or mean of a wait."""
    kind, _, rest = name.partition("_")
    wait = rest.removesuffix("_ms")
    statistic = kind in {"mean", "median"} or (kind[:1] == "p" and kind[1:2].isdigit())
    return name in RATES or (statistic and rest.endswith("_ms") and wait in WAITS)
