"""Damaged texts of every format: never an exception, never a good value out of a bad text.

Each example tries ten damaged texts, so a night tries more than a million.
"""

from __future__ import annotations

import importlib
import pkgutil
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sunk_fabric.parse
from sunk_fabric.parse import formats, json_text, link_list
from sunk_fabric.parse.text import LINE_LIMIT, Parsed
from tests.support.examples import PROFILES, examples
from tests.support.fabric_texts import fixtures

PARSERS = {
    one.name: module.parse
    for one in pkgutil.iter_modules(sunk_fabric.parse.__path__)
    if hasattr(module := importlib.import_module(f"sunk_fabric.parse.{one.name}"), "parse")
}
"""Every module that parses, whether a folder of texts may hold its format or not."""
PLAN = ",".join((*link_list.NEEDED, *link_list.OPTIONAL)) + "\nleaf1,1,gpu001 mlx5_0,1,4x,NDR\n"
SOURCES = {
    name: [one.content for one in fixtures() if one.format == name] or [b"{}\n"] for name in PARSERS
} | {"link_list": [PLAN.encode()]}
EACH = 10
HOSTILE = (
    b"\x1b[31mred\x1b]0;title\x07",
    b"<script>alert(1)</script>",
    b"&lt;&amp;\"'",
    b"\xff\xfe\x00\x00",
    "Ω ligne état: erreur".encode(),
    "état".encode("latin-1"),
    b"A" * 65_536,
    b'"' * 5000,
    b"[" * 5000,
    b"(" * 2000 + b")" * 2000,
    b" " * 7000,
    b"9" * 4000,
    "\u2028\u0085\u202e".encode(),
    b"1,5e3 1.234,56",
)


EXAMPLES = 60


def test_every_parser_is_fuzzed_and_a_night_tries_a_million_texts():
    """The tests below run over all of them, so a new one cannot be left out."""
    assert set(formats.BY_NAME) == set(PARSERS) - {"link_list"}
    assert all(formats.BY_NAME[name].parse is PARSERS[name] for name in formats.BY_NAME)
    assert set(SOURCES) == set(PARSERS)
    assert len(SOURCES) * EXAMPLES * EACH * PROFILES["nightly"] >= 1_000_000


def damaged(rng: random.Random, text: bytes) -> bytes:
    """Return the text with one to four wounds."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(text))
        lines = text.split(b"\n")
        match rng.randrange(8):
            case 0:
                text = text[:at]
            case 1 if text:
                at = min(at, len(text) - 1)
                text = text[:at] + bytes([text[at] ^ 1 << rng.randrange(8)]) + text[at + 1 :]
            case 2:
                text = text[:at] + rng.choice(HOSTILE) + text[at:]
            case 3:
                text = text.replace(b"\n", b"\r\n")
            case 4:
                rng.shuffle(lines)
                text = b"\n".join(lines)
            case 5:
                text += text[at:]
            case 6:
                text = text.replace(b".", b",") if rng.random() < 0.5 else text.upper()
            case _:
                text = text[:at] + rng.randbytes(rng.randint(0, 40)) + text[at:]
    return text


def must_be_handled(name: str, text: bytes) -> Parsed:
    parsed = PARSERS[name](text)
    assert parsed.unknown >= len(parsed.quoted)
    for words in (parsed.trouble, *parsed.quoted, *parsed.damage):
        assert words.isprintable()
        assert len(words) < 400
    assert parsed.sound == (not parsed.trouble)
    return parsed


@pytest.mark.parametrize("name", sorted(PARSERS))
@given(seed=st.integers(0, 2**63))
@settings(max_examples=examples(EXAMPLES))
def test_damaged_text_never_breaks_a_parser(name, seed):
    rng = random.Random(seed)
    for _ in range(EACH):
        must_be_handled(name, damaged(rng, rng.choice(SOURCES[name])))


@pytest.mark.parametrize("name", sorted(PARSERS))
@given(text=st.binary(max_size=300))
@settings(max_examples=examples(20))
def test_arbitrary_bytes_are_never_sound(name, text):
    parsed = must_be_handled(name, text)
    # Blank text and empty lists say nothing, and some formats have no line that must be there.
    assert not parsed.sound or not text.strip() or not parsed.value or name.startswith("rdma_")


@pytest.mark.parametrize("text", HOSTILE, ids=lambda one: repr(one[:12]))
def test_hostile_node_description_is_shown_harmlessly(text):
    (plain, *_) = SOURCES["ibnetdiscover"]
    parsed = must_be_handled("ibnetdiscover", plain.replace(b"gpu001 mlx5_1", text))
    long = len(text) > LINE_LIMIT
    for node in parsed.value.nodes:
        assert node.description.isprintable()
        assert len(node.description) <= 64
    assert not long or not parsed.sound


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_repeated_hostile_line_is_read_in_linear_time(name):
    """A pattern that backtracks would hang here until the test's time limit ends it."""
    for text in SOURCES[name]:
        for line in text.split(b"\n"):
            long = (line * (LINE_LIMIT // max(len(line), 1)))[: LINE_LIMIT - 1]
            must_be_handled(name, (long + b"\n") * 3)
            must_be_handled(name, (line + b" " * (LINE_LIMIT - len(line) - 2) + b"x\n") * 3)


JSON_NUMBER = re.compile(rb'(": ?)\d+(?=[,}\s])')


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param(one.format, one.content, id=f"{one.format}-{one.name}")
        for one in fixtures()
        if JSON_NUMBER.search(one.content) and one.content.lstrip()[:1] in {b"{", b"["}
    ],
)
def test_number_that_no_float_holds_is_damage_or_of_no_matter(name, content):
    """A night of damaged texts found one that divided it."""
    for found in JSON_NUMBER.finditer(content):
        start, end = found.span()
        text = content[:start] + found[1] + b"9" * 400 + content[end:]
        parsed = PARSERS[name](text)
        assert isinstance(parsed, Parsed)
        assert parsed.trouble


def test_long_digits_in_a_string_are_no_number():
    text = b'{"schema": "x", "note": "' + b"9" * 400 + b'"}'
    assert not json_text.decode(text, dict[str, str], {}).trouble
