"""The batch script of calls."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sunk.toolkit.catalogue import CALL
from sunk.toolkit.lint.engine import lint_bytes
from sunk.toolkit.parameters import validated
from sunk.toolkit.script import render_job
from tests.support.golden import check_golden

CASES = {
    "one": {},
    "array": {
        **{"calls": 1000, "at_once": 50, "requeue": True},
        **{"partition": "main", "time_limit": "30"},
    },
}


@pytest.mark.parametrize("case", CASES)
def test_script_is_the_golden_one_and_checkers_have_nothing_to_say(case, tmp_path):
    text = render_job(CALL, validated(CALL.form, CASES[case], "test")).script
    check_golden(f"sbatch/call.{case}.sbatch", text)
    assert lint_bytes(case, text.encode()) == ()
    file = tmp_path / "job.sbatch"
    file.write_text(text)
    subprocess.run(["bash", "-n", file], check=True)
    checker = Path(sys.executable).parent / "shellcheck"
    done = subprocess.run([checker, "--severity=warning", file], capture_output=True, check=False)
    assert done.stdout == b""


def test_python_with_odd_characters_is_one_word():
    odd = "/opt/my $(reboot) python'3"
    text = render_job(CALL, validated(CALL.form, {"python": odd}, "test")).script
    line = next(one for one in text.splitlines() if "sunk_jobs.call" in one)
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert words[0] == odd
