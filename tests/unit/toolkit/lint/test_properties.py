"""Whatever the text: the linter answers, with places that exist, and the same each time."""

from __future__ import annotations

import subprocess
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sunk.toolkit.lint.engine import lint_bytes
from sunk.toolkit.lint.fixes import fixed
from sunk.toolkit.lint.model import Finding
from sunk.toolkit.lint.rules import RULES
from tests.support.examples import examples
from tests.support.lint_rules import SCRIPTS, examples_of

TEXTS = [examples_of(rule).script(kind) for rule in RULES for kind in ("bad", "good")]
TEXTS += [file.read_bytes() for file in SCRIPTS]
PIECES = st.sampled_from(
    [
        *("#SBATCH ", "#!/bin/bash\n", "srun ", "bash -c ", "<<EOF\n", "EOF\n", "\\\n", "$(", ")"),
        *("${", "}", "'", '"', "`", "$A", "A=", "A+=(", "((", "[[", "if ", "done", "|", "&", ";"),
        *(
            "\r\n",
            "\0",
            "\ufeff",
            "é",
            "名",
            "--time=",
            "-N",
            "eval ",
            "torchrun ",
            "--rdzv-backend=",
        ),
        *(
            "#",
            "sunk-lint: ignore=S001 x",
            "%",
            "*",
            "export ",
            "python -c ",
            "import torch\n",
            "\n",
        ),
    ]
)


def lint(data: bytes) -> tuple[Finding, ...]:
    return lint_bytes("x", data)


def check(data: bytes) -> None:
    found = lint(data)
    count = data.count(b"\n") + 1
    assert all(1 <= one.line <= count and one.column >= 1 and one.message for one in found)
    assert all(0 <= e.start <= e.end <= len(data) for one in found for e in one.edits)
    assert found == lint(data)


@given(st.binary(max_size=400))
def test_any_bytes_are_answered(data):
    check(data)


@given(st.text(max_size=300))
def test_any_text_behind_a_first_line_is_answered(text):
    check(b"#!/bin/bash\n" + text.encode(errors="surrogatepass"))


@settings(max_examples=examples(300))
@given(st.lists(PIECES, max_size=40).map("".join))
def test_any_pile_of_shell_is_answered(text):
    check(text.encode())


@settings(max_examples=examples(200))
@given(st.sampled_from(TEXTS), st.data())
def test_any_script_with_a_piece_cut_out_or_put_in_is_answered(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    check(text[:start] + data.draw(PIECES).encode() + text[end:])


@pytest.mark.parametrize("char", ["\xe9", "\u540d", "\U0001f600", "\U000de7f5", "\U0010ffff"])
def test_any_character_behind_a_brace_is_answered(char):
    """The grammar's scanner dies of some of them when it gets them as they are."""
    check(f"#!/bin/bash\n{{{char}..3}} ${{{char}}} {{{char}\n".encode())


@pytest.mark.parametrize(
    "text", ["(", "$(", "`", "bash -c '", '"$(', "{ ", "if ", "<<A\n", "((", "${a:-"]
)
def test_deep_nesting_is_answered(text):
    check(b"#!/bin/bash\n" + text.encode() * 3000)


@given(st.sampled_from(sorted(RULES)), st.integers(1, 9), st.sampled_from(["", "# words", "  "]))
def test_lines_put_above_move_every_place_by_as_many(rule, count, line):
    first, _, rest = examples_of(rule).script("bad").partition(b"\n")
    if not first.startswith(b"#!"):
        return
    moved = first + b"\n" + f"{line}\n".encode() * count + rest
    facts = examples_of(rule).facts("bad")
    places = [
        (one.line, one.column)
        for one in lint_bytes("x", first + b"\n" + rest, facts)
        if one.rule == rule
    ]
    wanted = [(number + count if number > 1 else 1, column) for number, column in places]
    assert [(o.line, o.column) for o in lint_bytes("x", moved, facts) if o.rule == rule] == wanted


@given(st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]), max_size=30))
def test_column_counts_characters(text):
    quoted = text.replace("'", "")
    data = f"#!/bin/bash\n#SBATCH --time=9\n: '{quoted}'; srun mpirun x\n".encode()
    (one,) = [one for one in lint(data) if one.rule == "S023"]
    assert (one.line, one.column) == (3, len(f": '{quoted}'; srun ") + 1)


@pytest.mark.parametrize("text", TEXTS)
def test_fixes_mend_what_they_say_and_leave_good_bash(text):
    found = lint(text)
    mended, which = fixed(text, found)
    left = {(one.rule, one.source_line) for one in lint(mended) if one.edits}
    assert not left & {(one.rule, one.source_line) for one in which}
    if which and b"P001" not in {one.rule.encode() for one in found}:
        subprocess.run(["bash", "-n"], input=mended, check=True)


def test_linting_what_was_fixed_finds_nothing_new():
    for text in TEXTS:
        before, mended = lint(text), fixed(text, lint(text))[0]
        assert {one.rule for one in lint(mended)} <= {one.rule for one in before}


@pytest.mark.parametrize(
    "line",
    [
        *("srun x", "# sunk-lint: ignore=S031 x", "#SBATCH -N1", "srun x &\nsleep 60", "A=$A$A"),
        *("srun bash -c 'x'", "srun --container-image=i x\nexport NCCL_X=1", "f() { f; }; f"),
    ],
)
def test_time_grows_with_the_length_and_not_with_its_square(line):
    """CPU time for eight times the text: 8 times as much, or 64 if something looks at all pairs."""

    def cpu_seconds(count: int) -> float:
        data = b"#!/bin/bash\n" + f"{line}\n".encode() * count
        start = time.process_time()
        lint(data)
        return time.process_time() - start

    short = min(cpu_seconds(1000) for _ in range(2))
    # A pause of the garbage collector or of the machine is no square: it does not come thrice.
    assert any(cpu_seconds(8000) < 24 * short for _ in range(3))
