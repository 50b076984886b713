"""Which rank failed first, and what of; the logs are simulated, see tests/support/failed_runs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk_jobs import triage
from sunk_jobs.failures.evidence import TAIL_BYTES, clock_offsets, gather
from sunk_jobs.failures.signs import Sign, signs, time_of
from tests.support.failed_runs import ABORTED, SCENES, START, TRACEBACK, WATCHDOG, FailedRun

JOBS = Path(triage.__file__).resolve().parent.parent

EXPECTED = {
    "gpu": ("GPU hardware", "exclude=w-1", 2),
    "fabric": ("fabric", "exclude=w-0", 1),
    "host_memory": ("host out of memory", "requeue", None),
    "gpu_memory": ("GPU out of memory", "stop", 1),
    "code": ("code error", "stop", 0),
    "one_exception": ("other", "requeue", 2),
    "storage_full": ("storage full", "stop", 0),
    "storage": ("storage error", "requeue", 0),
    "hang": ("hang", "requeue", 3),
    "hang_of_nobody": ("hang", "requeue", None),
    "clocks": ("other", "requeue", 1),
    "rolled_back": ("loss not finite, back to an earlier checkpoint", "requeue", 0),
    "silent": ("other", "requeue", None),
}


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "words",
    [
        "RuntimeError: [../gloo/transport/tcp/pair.cc:534] Connection closed by peer [10.0.0.1]:1",
        "torch.distributed.DistNetworkError: The client socket has timed out",
        "ConnectionRefusedError: [Errno 111] Connection refused",
        "torch.distributed.elastic.multiprocessing.errors.ChildFailedError:",
    ],
)
def test_loss_of_a_partner_on_all_ranks_is_no_error_of_the_program(run, words):
    for rank in range(4):
        run.ends(rank, 30, TRACEBACK.format("step()") + words)
    assert triage.judge(run.folder, 0, 1)["class"] == "other"


@pytest.fixture
def run(tmp_path):
    return FailedRun(tmp_path / "run")


@pytest.mark.parametrize("scene", SCENES)
def test_class_action_and_rank_follow_from_the_logs(run, scene):
    SCENES[scene](run)
    line = triage.judge(run.folder, 0, 1)
    assert (line["class"], triage.verdict_line(line), line["rank"]) == EXPECTED[scene]


@pytest.mark.parametrize("status", [0, 75, 76, 93])
def test_what_a_program_says_of_itself_is_believed_whatever_its_logs_say(run, status):
    SCENES["gpu"](run)
    line = triage.judge(run.folder, 0, status)
    assert line["class"] == triage.classify(status)
    assert line["text"] == ""


def test_timeouts_and_aborts_are_never_the_cause_however_early_they_are(run):
    run.ends(0, 1, ABORTED)
    run.ends(1, 2, WATCHDOG.format(1, 1))
    run.ends(2, 500, TRACEBACK.format("x") + "ValueError: late")
    first = gather(run.folder, 0).first
    assert first is not None
    assert (first.rank, first.found.sign) == (2, Sign.EXCEPTION)


def test_bad_nodes_of_earlier_attempts_are_kept_off_too(run):
    earlier = {"attempt": 0, "rc": 1, "class": "fabric", "action": "successor", "step": 5}
    ledger = run.folder / "record" / "ledger.jsonl"
    ledger.write_text(json.dumps(earlier | {"exclude": ["w-7"], "node": "w-7"}) + "\n")
    run.attempt = 1
    SCENES["gpu"](run)
    assert triage.verdict_line(triage.judge(run.folder, 1, 1)) == "exclude=w-1,w-7"


def test_node_that_hangs_twice_is_kept_off(run):
    SCENES["hang"](run)
    line = triage.judge(run.folder, 0, 1)
    assert (triage.verdict_line(line), line["node"]) == ("requeue", "w-1")
    (run.folder / "record" / "ledger.jsonl").write_text(json.dumps(line | {"step": 9}) + "\n")
    run.attempt = 1
    SCENES["hang"](run)
    assert triage.verdict_line(triage.judge(run.folder, 1, 1)) == "exclude=w-1"


@pytest.mark.parametrize("name", ["w-1,$(reboot)", "w 1", "w[1-3]", ""])
def test_name_that_is_no_node_name_never_reaches_the_script(run, name):
    SCENES["gpu"](run)
    end = run.folder / "logs" / "end.2.0.json"
    end.write_text(json.dumps(json.loads(end.read_text()) | {"node": name}))
    assert triage.verdict_line(triage.judge(run.folder, 0, 1)) == "requeue"


def test_log_of_earlier_attempts_is_not_read_again(run):
    log = run.folder / "job.log"
    log.write_text("slurmstepd: error: Detected 1 oom_kill event in StepId=17.0.\n")
    size = log.stat().st_size
    assert triage.judge(run.folder, 0, 1)["log_bytes"] == size
    assert gather(run.folder, 1, log_from=size).first is None
    assert gather(run.folder, 1, log_from=0).first is not None


def test_nccl_logs_of_processes_are_read_and_their_host_is_the_node(run):
    folder = run.folder / "record" / "nccl"
    folder.mkdir()
    (folder / "w-3.example.4711").write_text(
        "w-3:4711:9 [0] NCCL WARN NET/IB : w-3:4711 async event: x\n"
        "w-3:4711:9 [0] NCCL WARN NET/IB: Got completion with status=12 opcode=1\n"
    )
    line = triage.judge(run.folder, 0, 1)
    assert (line["class"], line["node"]) == ("fabric", "w-3.example")


def test_huge_log_is_read_from_its_end(run):
    log = run.folder / "logs" / "0.0.log"
    log.write_bytes(b"Xid (PCI:0): 79, gone\n" + b"x" * 99 + b"\n" + b"step\n" * (TAIL_BYTES // 5))
    assert gather(run.folder, 0).first is None
    with log.open("ab") as sink:
        sink.write(b"CUDA out of memory\n")
    assert triage.judge(run.folder, 0, 1)["class"] == "GPU out of memory"


def test_a_rank_that_really_fails_leaves_when_and_where_it_ended(tmp_path):
    words = [sys.executable, "-m", "sunk_jobs.rank_log", "-c", "{}['labels']"]
    for rank in range(2):
        variables = {"PYTHONPATH": str(JOBS), "RANK": str(rank), "SLURMD_NODENAME": f"w-{rank}"}
        done = subprocess.run(words, cwd=tmp_path, env=variables, check=False)
        assert done.returncode == 1
    line = triage.judge(tmp_path, 0, 1)
    assert (line["class"], line["text"], line["repeated"], line["node"]) == (
        "code error",
        "KeyError: 'labels'",
        2,
        "w-0",
    )


@pytest.mark.parametrize(
    "text",
    [
        "slurmstepd-w-2: error: execve(): nosuch: No such file or directory",
        "slurmstepd-w-2: error: execve(): bad interpreter(/no/such): No such file or directory",
        "node: line 6: exec: torchrun: not found",
        "/usr/bin/bash: line 1: torchrun: command not found",
        "/usr/bin/bash: line 1: ./x.sh: cannot execute: required file not found",
        "/usr/bin/python3: can't open file '/home/alice/nosuch.py': [Errno 2] No such file or "
        "directory",
        "/usr/bin/python3: No module named nosuch",
        "/usr/bin/bash: nosuch.sh: No such file or directory",
    ],
)
def test_program_that_is_not_there_is_looked_for_once_more_and_no_oftener(run, text):
    """The texts are recorded: what Slurm 24.11, bash 5.2 and Python 3.11 print."""
    log = run.folder / "job.log"
    log.write_text(f"{text}\nsrun: error: w-2: task 0: Exited with exit code 127\n")
    line = triage.judge(run.folder, 0, 127)
    assert (line["class"], line["text"]) == ("program not found", text)
    assert triage.verdict_line(line) == "requeue"
    (run.folder / "record" / "ledger.jsonl").write_text(json.dumps(line) + "\n")
    with log.open("a") as sink:
        sink.write(f"{text}\n")
    assert triage.verdict_line(triage.judge(run.folder, 1, 127)) == "stop"


@pytest.mark.parametrize(
    "text",
    [
        "FileNotFoundError: [Errno 2] No such file or directory: 'a.json'",
        "warning: libibverbs.so: not found",
        "WARNING line 3: tokenizer.json not found",
        "ls: cannot access 'x': No such file or directory",
        "ModuleNotFoundError: No module named 'torch'",
    ],
)
def test_file_that_a_program_misses_is_no_program_that_is_not_there(text):
    assert Sign.NO_PROGRAM not in [found.sign for found in signs([text], 2026)]


def test_offset_of_a_clock_is_what_its_first_steps_differ_by():
    ahead = {0: 0.0, 1: 0.0, 2: 7.5}
    beats = {rank: {step: step + ahead[rank] for step in range(30)} for rank in ahead}
    beats[0] = {step: when + (0 if step < 10 else 99) for step, when in beats[0].items()}
    assert clock_offsets(beats) == ahead


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("2026-01-02T03:00:01.5 x", START + 1.5),
        ("[2026-01-02 03:00:01,250] x", START + 1.25),
        ("[rank3]:[E102 03:00:01.000000001 x.cpp:1] x", None),
        ("[E0102 03:00:01.5 x.cpp:1] x", START + 1.5),
        ("2026-13-45T99:00:01 x", None),
        ("step 3", None),
    ],
)
def test_time_of_a_line(line, seconds):
    assert time_of(line, 2026) == seconds


@given(st.lists(st.text(max_size=60), max_size=20))
def test_no_text_breaks_the_reader(lines):
    list(signs(lines, 2026))


@given(st.sampled_from(sorted(SCENES)), st.integers(0, 400))
def test_torn_logs_break_nothing(tmp_path_factory, scene, length):
    run = FailedRun(tmp_path_factory.mktemp("torn") / "run")
    SCENES[scene](run)
    for file in run.folder.glob("logs/*"):
        file.write_bytes(file.read_bytes()[:length])
    assert triage.verdict_line(triage.judge(run.folder, 0, 1))
