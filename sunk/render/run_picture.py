"""A run as a picture: its curves and where its time went, as SVG or PNG.

Drawn with matplotlib, which is part of the extra ``plot`` and imported here alone.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sunk.errors import EnvironmentFault, InputError
from sunk.model.curve import Axis, Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMS = ("svg", "png")
_PANEL_INCHES = (7.0, 2.6)
_FEW_STEPS = 40
"""Up to here each step has its dot."""
_COLOURS = ("#2a7f3f", "#b3261e", "#e0a100", "#7a7a7a", "#b9b9b9")
"""Of useful, lost, stalled, start and tail, told apart by people who see red and green alike, too:
they differ in lightness, and stand in this order."""


def draw(title: str, curves: Sequence[Curve], shares: Mapping[str, float], form: str) -> bytes:
    """Return the picture; the same run gives the same bytes.

    Args:
        title: above it.
        curves: one panel each; those along sizes share one.
        shares: where the time went, name -> share of the whole; empty leaves its panel out.
        form: ``svg`` or ``png``.

    Raises:
        InputError: no such form, or there is nothing to draw.
        EnvironmentFault: matplotlib is not installed.
    """
    if form not in FORMS:
        raise InputError(f"draw {title}: {form!r} is no form of pictures; give .svg or .png")
    panels = _panels(curves, shares)
    if not panels:
        raise InputError(
            f"draw {title}: there is nothing to draw",
            hint="a run has curves once it has done a step or measured a collective",
        )
    plot = _matplotlib()
    settings = {"svg.hashsalt": "sunk", "svg.fonttype": "none", "font.size": 9}
    with plot.rc_context(settings):
        size = (_PANEL_INCHES[0], _PANEL_INCHES[1] * len(panels))
        figure, axes = plot.subplots(len(panels), 1, figsize=size, squeeze=False)
        figure.suptitle(title, parse_math=False)
        for (fill, what), axis in zip(panels, axes[:, 0], strict=True):
            fill(axis, what)
        figure.tight_layout()
        sink = io.BytesIO()
        # A date would make each picture another.
        metadata = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(sink, format=form, metadata=metadata, dpi=120)
        plot.close(figure)
    return sink.getvalue()


def _panels(curves: Sequence[Curve], shares: Mapping[str, float]) -> list[tuple[Any, Any]]:
    panels: list[tuple[Any, Any]] = []
    panels += [(_by_step, one) for one in curves if one.along is Axis.STEP]
    by_size = [one for one in curves if one.along is Axis.SIZE]
    if by_size:
        panels.append((_by_size, by_size))
    if any(shares.values()):
        panels.append((_bars, shares))
    return panels


def _by_step(axis: Axes, curve: Curve) -> None:
    steps, values = [step for step, _ in curve.points], list(curve.values)
    axis.plot(
        steps, values, color=_COLOURS[0], linewidth=1.2, marker="." if len(steps) < 40 else ""
    )
    axis.set_xlabel("step")
    axis.set_ylabel(curve.name)
    axis.grid(alpha=0.3)


def _by_size(axis: Axes, curves: Sequence[Curve]) -> None:
    for one in curves:
        sizes = [size for size, _ in one.points]
        axis.plot(sizes, list(one.values), marker=".", linewidth=1.2, label=one.name)
    axis.set_xscale("log", base=2)
    axis.set_xlabel("bytes")
    axis.set_ylabel("GB/s")
    axis.legend(fontsize=8)
    axis.grid(alpha=0.3)


def _bars(axis: Axes, shares: Mapping[str, float]) -> None:
    left = 0.0
    for (name, share), colour in zip(shares.items(), _COLOURS, strict=False):
        label = f"{name} {share:.1%}"
        axis.barh(["time"], [share], left=left, color=colour, label=label)
        left += share
    axis.set_xlim(0, 1)
    axis.set_yticks([])
    axis.set_xlabel("share of allocated time")
    axis.legend(ncols=len(shares), fontsize=8, loc="upper center", bbox_to_anchor=(0.5, 1.3))


def _matplotlib() -> Any:
    # Here: only who draws a picture needs it, and its import takes a good part of a second.
    try:
        importlib.import_module("matplotlib").use("agg")
    except ImportError as exc:
        raise EnvironmentFault(
            "draw a picture: matplotlib is not installed", hint="pip install 'sunk[plot]'"
        ) from exc
    return importlib.import_module("matplotlib.pyplot")
