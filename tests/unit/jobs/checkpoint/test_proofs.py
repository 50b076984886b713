"""What proves that the holder of a lock is gone, and what does not."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace

import pytest

from sunk_jobs.checkpoint import any_of, gone_by_slurm, gone_from_here
from sunk_jobs.checkpoint.proofs import over, this_process

HERE = this_process(run_id="r", job_id="7", attempt=1, taken="now", nonce="1")


def test_a_process_of_this_host_is_gone_once_it_ended_or_the_host_was_rebooted():
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert [
        gone_from_here(one)
        for one in (
            HERE,
            replace(HERE, boot_id="another"),
            replace(HERE, process_started=HERE.process_started - 1),
            replace(HERE, pid=ended.pid),
            replace(HERE, host="elsewhere", boot_id="another", pid=ended.pid),
        )
    ] == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("record", "proved"),
    [
        ("JobId=7 JobState=RUNNING Reason=None Restarts=1", False),
        ("JobId=7 JobState=COMPLETING Restarts=1", False),
        ("JobId=7 JobState=PENDING Restarts=2", True),
        ("JobId=7 JobState=RUNNING Restarts=2", True),
        ("JobId=7 JobState=FAILED Restarts=1", True),
        ("JobId=7 JobState=NODE_FAIL Restarts=1", True),
        ("JobId=7 JobState=FAILED Restarts=0", False),
        ("JobId=7 JobState=FAILED", False),
        ("", False),
        ("slurm_load_jobs error: Invalid job id specified", False),
    ],
)
def test_slurm_proves_it_by_the_end_of_that_attempt_or_a_later_one(record, proved):
    assert over(record, HERE) is proved


@pytest.mark.parametrize(
    ("script", "proved"),
    [
        ("echo JobId=$4 JobState=COMPLETED Restarts=1", True),
        ("echo JobId=$4 JobState=COMPLETED Restarts=1; exit 1", False),
        (None, False),
    ],
)
def test_slurm_that_does_not_answer_proves_nothing(tmp_path, monkeypatch, script, proved):
    if script is not None:
        (tmp_path / "scontrol").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gone_by_slurm(HERE) is proved


def test_one_proof_is_enough():
    assert any_of(lambda _: False, lambda _: True)(HERE)
    assert not any_of(lambda _: False)(HERE)
    assert os.getpid() == HERE.pid
