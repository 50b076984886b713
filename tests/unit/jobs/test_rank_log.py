from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sunk_jobs import rank_log
from tests.support.eventually import eventually

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
    assert [one.name for one in (tmp_path / "control").iterdir()] == ["exit.2.75"]


@pytest.mark.parametrize("status", [0, rank_log.TERMINATED])
def test_rank_that_did_well_or_was_told_to_end_leaves_no_mark(tmp_path, status):
    assert started(tmp_path, "-c", f"raise SystemExit({status})", RANK="0").returncode == status
    assert not (tmp_path / "control").exists()


def test_first_rank_to_fail_leaves_its_status_and_later_ones_do_not(tmp_path):
    for rank, status in enumerate((rank_log.TERMINATED, 3, 1)):
        program = f"raise SystemExit({status})"
        assert started(tmp_path, "-c", program, RANK=f"{rank}", ATTEMPT="1").returncode == status
    (mark,) = (tmp_path / "control").iterdir()
    assert (mark.name, mark.read_text()) == ("failed.1", "3\n")


def test_signal_reaches_the_program(tmp_path):
    program = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(76))\n"
        "os.kill(os.getppid(), signal.SIGTERM)\n"
        "signal.pause()\n"
    )
    assert started(tmp_path, "-c", program, RANK="0").returncode == 76
    assert (tmp_path / "control" / "exit.0.76").exists()


def test_program_dies_with_a_killed_launcher(tmp_path):
    program = "import os, signal; print(os.getpid(), flush=True); signal.pause()"
    words = [sys.executable, "-m", "sunk_jobs.rank_log", "-c", program]
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(JOBS), "RANK": "0"}
    launcher = subprocess.Popen(words, cwd=tmp_path, env=variables)
    log = tmp_path / "logs" / "0.0.log"
    eventually(lambda: log.exists() and log.read_text().endswith("\n"), 20, what="the program")
    launcher.kill()
    launcher.wait()
    eventually(lambda: not Path(f"/proc/{int(log.read_text())}").exists(), 20, what="its death")


def test_without_torchrun_it_says_what_is_missing(tmp_path):
    done = started(tmp_path, "-c", "")
    assert done.returncode == rank_log.USAGE
    assert "RANK" in done.stderr


def test_without_a_program_it_says_so(tmp_path):
    assert "no program" in started(tmp_path, RANK="0").stderr
