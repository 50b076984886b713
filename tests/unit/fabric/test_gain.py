"""The gain of SHARP from two runs of one benchmark, and its proof by a log."""

from __future__ import annotations

import json

import pytest

from sunk_fabric import service
from sunk_fabric.expected import Expected
from sunk_jobs.outputs.results import TORCH_COLLECTIVES
from tests.support.fabric_texts import FOLDER

TABLE = (FOLDER / "nccl_tests" / "all-reduce.txt").read_text()
SLOWER = TABLE.replace("274.43", "137.20").replace("274.54", "137.30")


def found(folder, **texts):
    for name, text in texts.items():
        (folder / f"nccl_tests.{name.replace('_', '-')}.txt").write_text(text)
    findings = service.check(folder, Expected(sharp=True), None, ("sharp.nccl.gain",))
    return [one for one in findings if one.check == "sharp.nccl.gain"]


def with_log(folder):
    (source,) = [
        one for one in (FOLDER / "nccl_log").glob("*.txt") if "COLLNET/" in one.read_text()
    ][:1]
    (folder / "nccl_log.sharp-on.txt").write_text(source.read_text())


@pytest.mark.parametrize(
    ("on", "off", "verdict", "times"),
    [(TABLE, SLOWER, "PASS", "2.00"), (SLOWER, TABLE, "WARN", "0.50")],
)
def test_gain_is_the_ratio_of_algorithm_bandwidths(tmp_path, on, off, verdict, times):
    with_log(tmp_path)
    (one,) = found(tmp_path, sharp_on=on, sharp_off=off)
    assert (one.verdict, one.found.split()[0]) == (verdict, times)


def test_gain_without_proof_that_it_was_used_is_blocked(tmp_path):
    (one,) = found(tmp_path, sharp_on=TABLE, sharp_off=SLOWER)
    assert (one.verdict, one.blocked_by) == ("BLOCKED", ("sharp.nccl.used",))


def test_one_run_alone_says_nothing(tmp_path):
    with_log(tmp_path)
    (one,) = found(tmp_path, sharp_on=TABLE)
    assert one.verdict == "UNKNOWN"
    assert one.found == "sharp-on alone: run it with SHARP and without"


def ranks_said(rate, hosts=("a", "b"), **more):
    rows = [
        {"collective": name, "size_bytes": size, "algbw_gb_per_s": rate * size}
        for name, size in (("all_reduce", 8), ("all_reduce", 1024), ("all_gather", 8))
    ]
    said = {"schema": TORCH_COLLECTIVES, "correct": True, "hosts": hosts, "rows": rows} | more
    return json.dumps(said)


@pytest.mark.parametrize(
    ("on", "off", "verdict", "words"),
    [
        (ranks_said(3.0), ranks_said(2.0), "PASS", "1.50 times"),
        (ranks_said(1.0), ranks_said(2.0), "WARN", "0.50 times"),
        (ranks_said(3.0), ranks_said(2.0, hosts=("a",)), "UNKNOWN", "2 ranks with and 1 without"),
        (ranks_said(3.0), ranks_said(2.0, hosts=("a", "c")), "UNKNOWN", "2 ranks with and 2"),
        (ranks_said(3.0), ranks_said(2.0, correct=False), "UNKNOWN", "sharp-on alone"),
    ],
)
def test_gain_of_our_own_program_is_that_of_its_all_reduces(tmp_path, on, off, verdict, words):
    with_log(tmp_path)
    (tmp_path / "collectives.sharp-on.json").write_text(on)
    (tmp_path / "collectives.sharp-off.json").write_text(off)
    (one,) = found(tmp_path)
    assert one.verdict == verdict
    assert one.found.startswith(words)


def test_two_programs_are_no_one_run(tmp_path):
    with_log(tmp_path)
    (tmp_path / "collectives.sharp-off.json").write_text(ranks_said(2.0))
    (one,) = found(tmp_path, sharp_on=TABLE)
    assert one.verdict == "UNKNOWN"
    assert one.found == "nccl_tests with and collectives without: not the same run"
