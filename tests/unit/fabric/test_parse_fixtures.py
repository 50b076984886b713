"""Every format on whole texts: what is read, and that damage is never sound."""

from __future__ import annotations

import json

import pytest

from sunk.cli.output import plain
from sunk_fabric.parse import formats
from tests.support.fabric_texts import fixtures
from tests.support.golden import check_golden
from tests.support.simulated_fabric import two_level

FIXTURES = fixtures()
each = pytest.mark.parametrize("fixture", FIXTURES, ids=lambda one: f"{one.format}-{one.name}")
LINED = tuple(one for one in FIXTURES if one.path.suffix == ".txt")
each_lined = pytest.mark.parametrize("fixture", LINED, ids=lambda one: f"{one.format}-{one.name}")
NAMES = sorted(formats.BY_NAME)


def parse(fixture, content=None):
    return formats.BY_NAME[fixture.format].parse(fixture.content if content is None else content)


@each
def test_fixture_states_its_origin(fixture):
    assert set(fixture.sidecar) == {"origin", "tool", "how"}
    assert fixture.origin


@each
def test_whole_text_is_sound_and_read_as_expected(fixture):
    parsed = parse(fixture)
    assert (parsed.trouble, parsed.unknown, parsed.damage) == ("", 0, ())
    value = json.dumps(jsonable(parsed.value), indent=1, sort_keys=True) + "\n"
    check_golden(f"fabric/{fixture.format}/{fixture.name}.json", value)


def jsonable(value):
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in sorted(value.items(), key=str)}
    if isinstance(value, (list, tuple)):
        return [jsonable(one) for one in value]
    if isinstance(value, set):
        return sorted((jsonable(one) for one in value), key=str)
    if hasattr(value, "__struct_fields__"):
        return {name: jsonable(getattr(value, name)) for name in value.__struct_fields__}
    if hasattr(value, "__dataclass_fields__"):
        return {name: jsonable(getattr(value, name)) for name in value.__dataclass_fields__}
    return plain(value)


@each
def test_windows_line_ends_change_nothing(fixture):
    assert parse(fixture, fixture.content.replace(b"\n", b"\r\n")).value == parse(fixture).value


@each
def test_pieces_give_what_the_whole_gives(fixture):
    content = fixture.content
    pieces = [content[at : at + 7] for at in range(0, len(content), 7)]
    assert parse(fixture, iter(pieces)) == parse(fixture)


@each_lined
def test_text_cut_inside_its_last_line_is_not_sound(fixture):
    cut = fixture.content.rstrip()[:-1].rstrip(b"\n")
    assert not parse(fixture, cut).sound


@each
def test_line_of_64_kib_is_damage(fixture):
    parsed = parse(fixture, fixture.content + b"x" * 65_537 + b"\n")
    assert parsed.damage


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n\r\n"])
def test_empty_output_is_never_sound_where_it_says_nothing(name, content):
    parsed = formats.BY_NAME[name].parse(content)
    if content == b"" or name not in QUIET:
        assert not parsed.sound


QUIET = {"iblinkinfo", "ibnetdiscover", "ibstat", "ibv_devinfo", "perfquery", "saquery"} | {
    *("smpquery", "sminfo")
}
"""Formats where blank lines are no damage: the value is empty, and checks say UNKNOWN."""


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"nccl_log"}))
def test_message_of_another_tool_is_never_sound(name):
    text = b"bash: command not found\n"
    assert not formats.BY_NAME[name].parse(text).sound


@pytest.mark.parametrize(
    "name", ["iblinkinfo", "ibnetdiscover", "ibqueryerrors", "ibstat", "perfquery", "sminfo"]
)
def test_warning_of_the_tool_is_damage(name):
    (fixture, *_) = [one for one in FIXTURES if one.format == name]
    warned = b"ibwarn: [4242] mad_rpc: _do_madrpc failed; dport (DR path slid 0)\n"
    parsed = parse(fixture, warned + fixture.content)
    assert parsed.damage[0].startswith("the tool warned: ibwarn: [4242]")
    assert parsed.value == parse(fixture).value


def test_fixtures_cover_every_format():
    assert {one.format for one in FIXTURES} | {"sysfs_rdma"} == set(NAMES)


def test_scan_cut_at_the_end_of_any_record_is_not_sound():
    """Nothing but the links with one end shows that records are missing."""
    records = two_level(leaves=2, hosts_per_leaf=2).text().rstrip().split(b"\n\n")
    for count in range(2, len(records)):
        cut = b"\n\n".join(records[:count]) + b"\n"
        (first, *_) = formats.BY_NAME["ibnetdiscover"].parse(cut).damage
        assert first.endswith("stands in a link and has no record")


def test_ends_of_a_link_that_contradict_each_other_are_damage():
    fixture = next(one for one in FIXTURES if one.format == "ibnetdiscover")
    good, bad = b'[33]\t"S-e8ebd30300b10000"[3]', b'[33]\t"S-e8ebd30300b10000"[4]'
    swapped = fixture.content.replace(good, bad)
    assert "name different peers" in parse(fixture, swapped).trouble


def test_figures_of_an_unknown_unit_are_not_read():
    fixture = next(one for one in FIXTURES if one.name == "write-bw")
    parsed = parse(fixture, fixture.content.replace(b"Gb/sec", b"MJ/sec"))
    assert not parsed.sound
    assert parsed.value.bandwidth == ()
