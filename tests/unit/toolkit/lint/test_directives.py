"""#SBATCH lines are read as sbatch reads them; tests/real holds the same to the real one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.toolkit.lint.directives import FaultKind, read_directives


def options(*lines: str) -> list[tuple[str, str | None]]:
    found = read_directives(lines)
    assert found.faults == ()
    return [(one.name, one.value) for one in found.options]


def fault(*lines: str) -> tuple[FaultKind, str, int, int]:
    (one,) = read_directives(lines).faults
    return one.kind, one.text, one.line, one.column


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("#SBATCH --nodes=2", [("nodes", "2")]),
        ("#SBATCH --nodes 2", [("nodes", "2")]),
        ("#SBATCH -N2", [("nodes", "2")]),
        ("#SBATCH -N 2", [("nodes", "2")]),
        ("#SBATCH--nodes=2", [("nodes", "2")]),
        ("#SBATCH\t-N2\t-c4", [("nodes", "2"), ("cpus-per-task", "4")]),
        ("#SBATCH --tasks-per-node=2", [("ntasks-per-node", "2")]),
        ("#SBATCH --exclusive --nodes=2", [("exclusive", None), ("nodes", "2")]),
        ("#SBATCH --exclusive=user", [("exclusive", "user")]),
        ("#SBATCH -Hs", [("hold", None), ("oversubscribe", None)]),
        ("#SBATCH --job-name='a b' -N2", [("job-name", "a b"), ("nodes", "2")]),
        ("#SBATCH --job-name=a\"b c\"d'e f'", [("job-name", "ab cde f")]),
        (r'#SBATCH --comment="a \"b\" \\c"', [("comment", 'a "b" \\c')]),
        (r"#SBATCH --job-name=a\ b", [("job-name", "a b")]),
        ("#SBATCH --nodes=2 -- # words", [("nodes", "2")]),
        ("#SBATCH --nodes=2 '' --time=5", [("nodes", "2")]),
        (r"#SBATCH --job-name=a\#b", [("job-name", "a#b")]),
        ("#SBATCH --nodes=2 # --time=5", [("nodes", "2")]),
        ("#SBATCH --job-name=nvcr.io#pytorch --nodes=2", [("job-name", "nvcr.io")]),
        ("#SBATCH --job-name='nvcr.io#pytorch'", [("job-name", "nvcr.io#pytorch")]),
        ("#SBATCH --nodes=2 \\", [("nodes", "2")]),
        ("#SBATCH --output=$HOME/x", [("output", "$HOME/x")]),
        ("#SBATCH", []),
        ("#SBATCH   ", []),
    ],
)
def test_words_of_a_line(line, wanted):
    assert options("#!/bin/bash", line) == wanted


def test_value_may_stand_on_the_next_line():
    assert options("#SBATCH --nodes", "#SBATCH 2 -t5") == [("nodes", "2"), ("time", "5")]


def test_reading_stops_at_the_first_command_and_names_what_comes_later():
    lines = ("#!/bin/bash", "", "  # words", "#SBATCH -N1", "true", "#SBATCH -N2", " #SBATCH -N3")
    found = read_directives(lines)
    assert [one.value for one in found.options] == ["1"]
    assert (found.last_line, found.late, found.lookalikes) == (4, (6,), ())


@pytest.mark.parametrize(
    "line", ["# SBATCH -N2", "##SBATCH --nodes=2", " #SBATCH -N2", "#sbatch -N2", "# SBATCH: -N2"]
)
def test_lookalike_takes_no_effect_and_is_named(line):
    found = read_directives(("#!/bin/bash", line))
    assert (found.options, found.lookalikes) == ((), (2,))


def test_components_of_a_heterogeneous_job_are_apart():
    found = read_directives(("#SBATCH -N1", "#SBATCH hetjob", "#SBATCH -N2"))
    assert [(one.value, one.component) for one in found.options] == [("1", 0), ("2", 1)]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("#SBATCH --nonsense=1", (FaultKind.UNKNOWN, "--nonsense", 1, 9)),
        ("#SBATCH -N2 -y", (FaultKind.UNKNOWN, "-y", 1, 13)),
        ("#SBATCH --ntasks-per=2", (FaultKind.AMBIGUOUS, "--ntasks-per", 1, 9)),
        ("#SBATCH --time", (FaultKind.NO_VALUE, "--time", 1, 9)),
        ("#SBATCH -t", (FaultKind.NO_VALUE, "-t", 1, 9)),
        ("#SBATCH --requeue=yes", (FaultKind.UNWANTED_VALUE, "--requeue", 1, 9)),
        ("#SBATCH --nodes=2 -", (FaultKind.STRAY_WORD, "-", 1, 19)),
        ("#SBATCH -- --nodes=2", (FaultKind.STRAY_WORD, "--nodes=2", 1, 12)),
        ("#SBATCH two --nodes=2", (FaultKind.STRAY_WORD, "two", 1, 9)),
        ("#SBATCH --job-name='x", (FaultKind.QUOTE, "'", 1, 9)),
        ("#SBATCH: --nodes=2", (FaultKind.COLON, ":", 1, 8)),
    ],
)
def test_what_sbatch_refuses(line, wanted):
    assert fault(line) == wanted


def test_abbreviation_is_the_option_it_begins():
    (one,) = read_directives(("#SBATCH --job=a",)).options
    assert (one.name, one.written, one.abbreviated) == ("job-name", "--job", True)


VALUES = st.text(
    st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]), min_size=1, max_size=20
)


def quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(VALUES, VALUES)
def test_any_quoted_value_arrives_as_it_was_meant(first, second):
    line = f"#SBATCH --comment={quoted(first)} -J {quoted(second)}"
    assert options("#!/bin/bash", line) == [("comment", first), ("job-name", second)]


@given(st.lists(VALUES, max_size=8))
def test_any_lines_are_read_and_places_lie_in_them(rest):
    lines = tuple(f"#SBATCH {one}" for one in rest)
    found = read_directives(lines)
    for one in (*found.options, *found.faults):
        assert 1 <= one.line <= len(lines)
        assert 1 <= one.column <= len(lines[one.line - 1])
