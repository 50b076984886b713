from __future__ import annotations

import json

from sunk_jobs.outputs.run_files import StepLog, heartbeat_file, loss_file, read_lines, read_losses


def test_each_step_of_each_rank_is_a_line(tmp_path):
    for rank in (0, 1):
        log = StepLog(tmp_path, rank, 3, clock=lambda: 12.34567)
        log.step(7, 0.1 + 0.2)
        log.close()
    beat = '{"rank": 1, "step": 7, "time": 12.346, "loss": 0.30000000000000004}\n'
    assert heartbeat_file(tmp_path, 1, 3).read_text() == beat
    assert loss_file(tmp_path, 3).read_text() == '{"step": 7, "loss": 0.30000000000000004}\n'
    assert sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.jsonl")) == [
        "logs/heartbeat.0.3.jsonl",
        "logs/heartbeat.1.3.jsonl",
        "record/loss.3.jsonl",
    ]


def test_a_line_is_there_as_soon_as_it_is_written(tmp_path):
    log = StepLog(tmp_path, 0, 0)
    log.step(1, 2.0)
    assert [line["step"] for line in read_lines(heartbeat_file(tmp_path, 0, 0))] == [1]
    log.close()


def test_where_attempts_overlap_the_last_one_counts(tmp_path):
    for attempt, steps in ((0, (1, 2, 3)), (2, (2,)), (10, (2, 3, 4))):
        log = StepLog(tmp_path, 0, attempt)
        for step in steps:
            log.step(step, float(f"{attempt}.{step}"))
        log.close()
    assert read_losses(tmp_path) == {1: 0.1, 2: 10.2, 3: 10.3, 4: 10.4}


def test_a_torn_last_line_is_left_out(tmp_path):
    file = loss_file(tmp_path, 0)
    file.parent.mkdir()
    file.write_text(json.dumps({"step": 1, "loss": 5.5}) + '\n{"step": 2, "lo')
    assert read_losses(tmp_path) == {1: 5.5}


def test_a_run_without_losses_has_none(tmp_path):
    assert read_losses(tmp_path) == {}
