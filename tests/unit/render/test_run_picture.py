"""A run as a picture: the bytes are those of the run alone."""

import math
import sys
from xml.etree import ElementTree

import pytest

from sunk.errors import EnvironmentFault, InputError
from sunk.model.curve import Axis, Curve
from sunk.render.run_picture import draw

LOSS = Curve(name="loss", along=Axis.STEP, points=((1, 5.5), (2, 4.0), (3, math.nan)))
SPEED = Curve(name="all_reduce busbw, GB/s", along=Axis.SIZE, points=((8, 0.1), (1024, 2.0)))
SHARES = {"useful": 0.7, "lost": 0.1, "stalled": 0.05, "start": 0.1, "tail": 0.05}


def words(picture: bytes) -> set[str]:
    return {text for one in ElementTree.fromstring(picture).iter() if (text := one.text or "")}


def test_same_run_gives_the_same_svg_with_a_panel_for_each_thing():
    made = draw("fsdp2-1", [LOSS, SPEED], SHARES, "svg")
    assert made == draw("fsdp2-1", [LOSS, SPEED], SHARES, "svg")
    said = words(made)
    assert {"fsdp2-1", "loss", "step", "GB/s", "bytes", "all_reduce busbw, GB/s"} <= said
    assert {"useful 70.0%", "lost 10.0%", "share of allocated time"} <= said


def test_png_is_one_and_the_same_too():
    made = draw("fsdp2-1", [LOSS], {}, "png")
    assert made.startswith(b"\x89PNG\r\n")
    assert made == draw("fsdp2-1", [LOSS], {}, "png")


def test_hostile_title_is_text():
    assert "<b>$x$ &" in words(draw("<b>$x$ &", [LOSS], {}, "svg"))


def test_nothing_to_draw_and_other_forms_are_refused():
    with pytest.raises(InputError, match="nothing to draw"):
        draw("a", [], dict.fromkeys(SHARES, 0.0), "svg")
    with pytest.raises(InputError, match=r"'gif' is no form of pictures; give \.svg or \.png"):
        draw("a", [LOSS], {}, "gif")


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(EnvironmentFault) as caught:
        draw("a", [LOSS], {}, "svg")
    assert caught.value.hint == "pip install 'sunk[plot]'"
