"""A rank is killed at every one of its file operations, and the next attempt goes on."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.pages import ROOT


@pytest.mark.parametrize(("ranks", "how"), [(2, "sync"), (2, "async"), (3, "sync")])
def test_whoever_is_killed_wherever_the_next_attempt_loads_a_whole_state_and_saves(
    tmp_path, ranks, how
):
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.killed_writers", tmp_path, str(ranks), how],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'jobs'}"},
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout)
    assert said["wrong"] == []
    # Rank 0 commits, the others write: none of these points must get lost from the enumeration.
    assert len(said["deaths"]) == ranks
    assert said["deaths"][0] >= 50
    assert min(said["deaths"]) >= 5
