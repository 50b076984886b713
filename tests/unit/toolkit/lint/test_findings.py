"""What happens to findings: ignored, known before, fixed, printed."""

from __future__ import annotations

import json

import pytest

from sunk.errors import InputError
from sunk.toolkit.lint.baseline import read_baseline, without_known, write_baseline
from sunk.toolkit.lint.engine import lint_bytes
from sunk.toolkit.lint.fixes import difference, fixed
from sunk.toolkit.lint.model import Edit, Finding, Severity
from sunk.toolkit.lint.report import as_json, as_sarif, as_text, rules_as_json, rules_as_text
from sunk.toolkit.lint.rules import RULES
from tests.support.golden import check_golden

HEAD = "#!/bin/bash\n#SBATCH --time=10\n"
PORT = "export MASTER_PORT=29500"


def rules(text: str) -> list[str]:
    return [one.rule for one in lint_bytes("x", text.encode())]


# --- ignore comments


@pytest.mark.parametrize(
    "text",
    [
        f"{PORT}  # sunk-lint: ignore=S031 nodes are whole\n",
        f"# sunk-lint: ignore=S031 nodes are whole\n{PORT}\n",
        f"# sunk-lint: ignore=S031 nodes are whole\n# and more words\n\n{PORT}\n",
        f"# sunk-lint: ignore=S036,S031 nodes are whole\n{PORT} NCCL_ALGO=Ring\n",
        f"#   sunk-lint:   ignore=S031   nodes are whole\n{PORT}\n",
        f"{PORT}\necho\n# sunk-lint: ignore-file=S031 nodes are whole\n",
        f"# sunk-lint: ignore=S031 nodes are whole\nf() {{\n  {PORT}\n}}\n",
        f"# sunk-lint: ignore=S031 nodes are whole\nsrun bash -c '\n  {PORT}\n'\n",
    ],
)
def test_ignored_rule_is_silent(text):
    assert rules(HEAD + text) == []


@pytest.mark.parametrize(
    "text",
    [
        f"# sunk-lint: ignore=S030 nodes are whole\n{PORT}\n",
        f"# sunk-lint: ignore=S031 nodes are whole\necho\n{PORT}\n",
        f"echo  # sunk-lint: ignore=S031 nodes are whole\n{PORT}\n",
        f"echo '# sunk-lint: ignore-file=S031 nodes are whole'\n{PORT}\n",
    ],
)
def test_comment_elsewhere_or_for_another_rule_ignores_nothing(text):
    assert rules(HEAD + text) == ["S031"]


@pytest.mark.parametrize(
    "comment",
    [
        "ignore=S031",
        "ignore=S031   ",
        "ignore",
        "ignore=all reason",
        "ignore=s031 x",
        "ignore S031",
    ],
)
def test_comment_without_a_reason_or_a_rule_ignores_nothing_and_is_named(comment):
    assert rules(f"{HEAD}# sunk-lint: {comment}\n{PORT}\n") == ["P003", "S031"]


def test_comment_for_a_rule_that_does_not_exist_is_named():
    assert rules(f"{HEAD}# sunk-lint: ignore=S999 nodes are whole\n{PORT}\n") == ["P003", "S031"]


def test_directive_line_can_be_ignored_beside_it_and_above_it():
    above = "#!/bin/bash\n# sunk-lint: ignore=S041 the site waits a day\n#SBATCH -t9 --switches=1\n"
    beside = "#!/bin/bash\n#SBATCH -t9 --switches=1 # sunk-lint: ignore=S041 the site waits\n"
    assert (rules(above), rules(beside)) == ([], [])


def test_python_body_can_ignore_too():
    body = "#!/usr/bin/env python3\n# sunk-lint: ignore=S041 a day\n#SBATCH -t9 --switches=1\n"
    assert rules(body) == ["P002"]


# --- baselines

BAD = f"{HEAD}{PORT}\n{PORT}\nexport NCCL_ALGO=Ring\n"


def test_baseline_holds_what_was_found_wherever_it_moves():
    known = read_baseline(write_baseline(lint_bytes("x", BAD.encode())), "b")
    moved = BAD.replace("#SBATCH", "# more\n\n#SBATCH").encode()
    assert without_known(lint_bytes("x", moved), known) == ()


def test_baseline_does_not_hold_the_same_once_more_or_in_another_file():
    known = read_baseline(write_baseline(lint_bytes("x", BAD.encode())), "b")
    more = lint_bytes("x", f"{BAD}{PORT}\n".encode())
    assert [(one.rule, one.line) for one in without_known(more, known)] == [("S031", 6)]
    assert len(without_known(lint_bytes("y", BAD.encode()), known)) == 3


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 2, "findings": []}', '{"version": 1, "findings": [{}]}']
)
def test_file_that_is_no_baseline_is_refused(text):
    with pytest.raises(InputError, match="read baseline b: ") as caught:
        read_baseline(text, "b")
    assert caught.value.hint == "write it again with --write-baseline"


# --- fixes


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("#SBATCH --time=10\ntrue\n", "#!/bin/bash\n#SBATCH --time=10\ntrue\n"),
        ("#!/bin/bash\r\n#SBATCH -t9\r\n", "#!/bin/bash\n#SBATCH -t9\n"),
        ("\ufeff#!/bin/bash\n#SBATCH -t9\n", "#!/bin/bash\n#SBATCH -t9\n"),
        ("#!/bin/bash\n#SBATCH -t9 --job=é\n", "#!/bin/bash\n#SBATCH -t9 --job-name=é\n"),
        (
            "#!/bin/bash\n#SBATCH -t9 --requeue\n# é\nsrun x\n",
            "#!/bin/bash\n#SBATCH -t9 --requeue\n#SBATCH --open-mode=append\n# é\nsrun x\n",
        ),
        (
            "#!/bin/bash\n#SBATCH -t9 -c4\necho é; srun -l x\n",
            "#!/bin/bash\n#SBATCH -t9 -c4\n"
            'echo é; srun --cpus-per-task="$SLURM_CPUS_PER_TASK" -l x\n',
        ),
        (
            "#!/bin/bash\n#SBATCH -t9\n"
            "export NCCL_IB_HCA='mlx5_1' A=^mlx5_2\nNCCL_IB_HCA=^mlx5_2 x\n",
            "#!/bin/bash\n#SBATCH -t9\n"
            "export NCCL_IB_HCA='=mlx5_1' A=^mlx5_2\nNCCL_IB_HCA=^=mlx5_2 x\n",
        ),
        (
            "#!/bin/bash\n#SBATCH -t9 -a1-2 --open-mode=append\n"
            'echo $SLURM_RESTART_COUNT; scontrol requeue "${SLURM_JOB_ID}"\n',
            "#!/bin/bash\n#SBATCH -t9 -a1-2 --open-mode=append\n"
            "echo $SLURM_RESTART_COUNT; "
            'scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"\n',
        ),
    ],
)
def test_safe_fix(before, after):
    data = before.encode()
    assert fixed(data, lint_bytes("x", data))[0].decode() == after


@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/bash\n#SBATCH -t9 -c4\n$RUN srun x\nA='srun x'\n$A\n",
        "#!/bin/bash\n#SBATCH -t9\nH=mlx5_1\nexport NCCL_IB_HCA=$H\n",
        "#!/bin/bash\n#SBATCH -t9 -c4\nsrun=srun\n$srun x\n",
    ],
)
def test_what_cannot_be_fixed_safely_is_left(text):
    data = text.encode()
    assert fixed(data, lint_bytes("x", data)) == (data, ())


def finding(*edits: Edit) -> Finding:
    return Finding(
        path="x", rule="S004", severity=Severity.ERROR, line=1, column=1, message="m", edits=edits
    )


def edit(start: int, end: int, text: str) -> Edit:
    return Edit(start=start, end=end, text=text)


@pytest.mark.parametrize(
    ("second", "after", "count"),
    [
        (edit(2, 4, "X"), "aBdef", 1),  # overlaps the first
        (edit(2, 2, "X"), "aBdef", 1),  # goes in where the first takes away
        (edit(1, 1, "X"), "aBdef", 1),  # the order of the two would matter
        (edit(3, 3, "X"), "aBXdef", 2),
        (edit(3, 4, "X"), "aBXef", 2),
        (edit(1, 3, "B"), "aBdef", 2),  # the same edit mends both
    ],
)
def test_fix_that_touches_another_waits_for_the_next_round(second, after, count):
    both = (finding(edit(1, 3, "B")), finding(second))
    data, mended = fixed(b"abcdef", both)
    assert (data.decode(), len(mended)) == (after, count)


def test_difference_is_a_patch(tmp_path):
    before, after = b"a\nb\x0bc\nd", b"a\nB\x0bc\nd\n"
    patch = difference("x", before, after)
    assert patch == (
        "--- x\n+++ x\n@@ -1,3 +1,3 @@\n a\n"
        "-b\x0bc\n-d\n\\ No newline at end of file\n+B\x0bc\n+d\n"
    )
    assert difference("x", before, before) == ""


# --- reports


def found():
    first = lint_bytes(
        "dir/a b.sbatch", f"#!/bin/bash\n#SBATCH -N $N --job=x\n{PORT} # é\n".encode()
    )
    second = lint_bytes("/abs/ü.py", b"#!/usr/bin/env python3\n#SBATCH --time=9 --switches=1\n")
    return (*first, *second)


def test_text_report_is_the_golden_one():
    check_golden("lint/report.txt", as_text(found(), 2))


def test_json_report_is_the_golden_one():
    check_golden("lint/report.json", as_json(found(), 2))


def test_sarif_report_is_the_golden_one():
    check_golden("lint/report.sarif", as_sarif(found(), tuple(RULES.values()), "VERSION"))


def test_nothing_found_is_said():
    assert as_text((), 1) == "1 file: nothing found\n"
    assert as_text((), 2) == "2 files: nothing found\n"


def test_sarif_points_into_its_own_rules():
    run = json.loads(as_sarif(found(), tuple(RULES.values()), "1"))["runs"][0]
    listed = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [listed[one["ruleIndex"]] for one in run["results"]] == [
        one["ruleId"] for one in run["results"]
    ]


def test_list_of_rules_has_a_line_for_each():
    lines = rules_as_text(tuple(RULES.values())).splitlines()
    assert [line.split()[0] for line in lines] == list(RULES)
    assert [one["id"] for one in json.loads(rules_as_json(tuple(RULES.values())))] == list(RULES)
