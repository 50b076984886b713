from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sunk_jobs import rank_log

JOBS = Path(rank_log.__file__).resolve().parent.parent


def started(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sunk_jobs.rank_log", *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(JOBS), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_program_writes_its_own_log_and_ends_with_its_own_status(tmp_path):
    program = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(75)"
    done = started(tmp_path, "-c", program, RANK="3", ATTEMPT="2")
    assert (done.returncode, done.stdout, done.stderr) == (75, "", "")
    assert sorted((tmp_path / "logs" / "3.2.log").read_text().split()) == ["err", "out"]


def test_without_torchrun_it_says_what_is_missing(tmp_path):
    done = started(tmp_path, "-c", "")
    assert done.returncode == rank_log.USAGE
    assert "RANK" in done.stderr


def test_without_a_program_it_says_so(tmp_path):
    assert "no program" in started(tmp_path, RANK="0").stderr
