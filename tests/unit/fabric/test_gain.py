"""The gain of SHARP from two runs of one benchmark, and its proof by a log."""

from __future__ import annotations

import pytest

from sunk_fabric import service
from sunk_fabric.expected import Expected
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
