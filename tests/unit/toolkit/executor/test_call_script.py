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
    "fallback": {"python": "/opt/my env/bin/python3", "fallback_python": "/usr/bin/python3.13"},
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


@pytest.mark.parametrize("has_it", [True, False])
def test_node_without_the_python_that_submitted_takes_what_that_one_was_made_from(tmp_path, has_it):
    pythons = {name: tmp_path / name for name in ("own python", "base")}
    for name, file in pythons.items():
        if has_it or name == "base":
            file.write_text(f"#!/bin/sh\necho {name}\n")
            file.chmod(0o755)
    words = {"python": str(pythons["own python"]), "fallback_python": str(pythons["base"])}
    text = render_job(CALL, validated(CALL.form, words, "test")).script
    start = text.index("python=")
    body = 'srun() { while [[ $1 != */* ]]; do shift; done; "$@"; }\n' + text[start:]
    done = subprocess.run(["bash", "-c", body], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ("own python" if has_it else "base")
