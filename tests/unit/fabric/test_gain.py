"""The gain of SHARP from runs of one program, and the proof of the way that each took."""

from __future__ import annotations

import json

import pytest

from sunk_fabric import service
from sunk_fabric.expected import Expected
from sunk_jobs.outputs.results import TORCH_COLLECTIVES
from tests.support.fabric_texts import FOLDER
from tests.support.sharp_runs import log, table, with_sharp, without_sharp

SHARP = (FOLDER / "sharp_coll" / "allreduce.txt").read_text()
OSU = (FOLDER / "osu" / "allreduce.txt").read_text()
REFUSED = "Communicator has 2 nodes which is less than CollNet node threshold 4, disabling CollNet"
RUNS = {
    "nccl_tests.sharp-on.txt": table(200.0),
    "nccl_log.sharp-on.txt": with_sharp(),
    "nccl_tests.sharp-off.txt": table(100.0),
    "nccl_log.sharp-off.txt": without_sharp(),
}


def gain(folder, files):
    for name, text in files.items():
        (folder / name).write_text(text)
    (one,) = service.check(folder, Expected(sharp=True), None, ("sharp.nccl.gain",))
    return one.verdict, one.found


@pytest.mark.parametrize(
    ("off", "verdict", "times"), [(100.0, "PASS", "2.00"), (400.0, "WARN", "0.50")]
)
def test_gain_is_the_ratio_of_algorithm_bandwidths(tmp_path, off, verdict, times):
    words = f"{times} times the algorithm bandwidth without, median of 3 sizes"
    got = gain(tmp_path, RUNS | {"nccl_tests.sharp-off.txt": table(off)})
    assert got == (verdict, f"{words}, 1 runs with and 1 without")


def test_repeated_runs_are_compared_by_their_means(tmp_path):
    more = {
        "nccl_tests.sharp-on-2.txt": table(400.0),
        "nccl_log.sharp-on-2.txt": with_sharp(),
        "nccl_tests.sharp-off-2.txt": table(100.0),
        "nccl_log.sharp-off-2.txt": without_sharp(),
    }
    words = (
        "3.00 times the algorithm bandwidth without, median of 3 sizes, 2 runs with and 2 without"
    )
    assert gain(tmp_path, RUNS | more) == ("PASS", words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nccl_log.sharp-on.txt": None}, "no NCCL log of sharp-on proves which way it went"),
        ({"nccl_log.sharp-off.txt": None}, "no NCCL log of sharp-off proves which way it went"),
        (
            {"nccl_log.sharp-on.txt": with_sharp(hosts=["a"])},
            "the NCCL log of sharp-on tells of 1 of 2 hosts",
        ),
        (
            {"nccl_log.sharp-on.txt": without_sharp()},
            "sharp-on: no channel goes into the network",
        ),
        (
            {"nccl_log.sharp-on.txt": with_sharp(more=[REFUSED])},
            f"sharp-on did without: {REFUSED}",
        ),
        (
            {"nccl_log.sharp-on.txt": log("RING", network=True)},
            "sharp-on: NCCL chose RING at every size",
        ),
        (
            {
                "nccl_log.sharp-on.txt": "".join(
                    one for one in with_sharp().splitlines(True) if "Algo" not in one
                )
            },
            "sharp-on: no algorithm is told of; NCCL_DEBUG_SUBSYS with TUNING shows it",
        ),
        (
            {"nccl_log.sharp-off.txt": with_sharp()},
            "sharp-off was to do without, and 2 channels go into the network",
        ),
        (
            {"nccl_log.sharp-off.txt": log("COLLNETCHAIN", network=False)},
            "sharp-off: NCCL chose COLLNETCHAIN at every size",
        ),
        ({"nccl_tests.sharp-off.txt": None}, "sharp-on alone: run it with SHARP and without"),
    ],
)
def test_gain_without_proof_of_both_ways_is_unknown(tmp_path, change, words):
    files = {name: text for name, text in (RUNS | change).items() if text is not None}
    assert gain(tmp_path, files) == ("UNKNOWN", words)


def test_run_that_did_not_end_says_so(tmp_path):
    cut = table(200.0).partition("# Out of bounds")[0]
    verdict, words = gain(tmp_path, RUNS | {"nccl_tests.sharp-on.txt": cut})
    assert verdict == "UNKNOWN"
    assert words.endswith("there is no footer: the run did not end")


def test_sizes_that_went_another_way_do_not_count(tmp_path):
    text = with_sharp().replace("8388608 Bytes -> Algo COLLNETDIRECT", "8388608 Bytes -> Algo TREE")
    verdict, words = gain(tmp_path, RUNS | {"nccl_log.sharp-on.txt": text})
    assert (verdict, "median of 2 sizes" in words) == ("PASS", True)


def test_other_ranks_are_not_the_same_run(tmp_path):
    other = {
        "nccl_tests.sharp-off.txt": table(100.0, hosts="abc"),
        "nccl_log.sharp-off.txt": without_sharp(hosts="abc"),
    }
    assert gain(tmp_path, RUNS | other) == (
        "UNKNOWN",
        "nccl_tests of 2 ranks and nccl_tests of 3 ranks, or on other hosts: not the same run",
    )


def test_one_host_reduces_nothing_in_the_network(tmp_path):
    files = {
        "nccl_tests.sharp-on.txt": table(200.0, hosts="a"),
        "nccl_log.sharp-on.txt": with_sharp(hosts="a"),
        "nccl_tests.sharp-off.txt": table(100.0, hosts="a"),
        "nccl_log.sharp-off.txt": without_sharp(hosts="a"),
    }
    assert gain(tmp_path, files) == ("SKIP", "one host has no network to reduce in")


def ranks_said(rate, hosts=("a", "b"), **more):
    rows = [
        {"collective": name, "size_bytes": size, "algbw_gb_per_s": rate}
        for name, size in (("all_reduce", 8388608), ("all_reduce", 16777216), ("all_gather", 8))
    ]
    said = {"schema": TORCH_COLLECTIVES, "correct": True, "hosts": hosts, "rows": rows} | more
    return json.dumps(said)


@pytest.mark.parametrize(
    ("on", "off", "verdict", "words"),
    [
        (ranks_said(3.0), ranks_said(2.0), "PASS", "1.50 times"),
        (ranks_said(1.0), ranks_said(2.0), "WARN", "0.50 times"),
        (ranks_said(3.0), ranks_said(2.0, hosts=("a",)), "UNKNOWN", "collectives of 1 ranks and"),
        (
            ranks_said(3.0),
            ranks_said(2.0, hosts=("a", "c")),
            "UNKNOWN",
            "collectives of 2 ranks and",
        ),
        (ranks_said(3.0), ranks_said(2.0, correct=False), "UNKNOWN", "sharp-on alone"),
        (ranks_said(3.0), table(2.0), "UNKNOWN", "collectives of 2 ranks and nccl_tests of 2"),
    ],
)
def test_gain_of_our_own_program_is_that_of_its_all_reduces(tmp_path, on, off, verdict, words):
    form = "nccl_tests" if off.startswith("#") else "collectives"
    files = {
        "collectives.sharp-on.txt": on,
        "nccl_log.sharp-on.txt": with_sharp(),
        f"{form}.sharp-off.txt": off,
        "nccl_log.sharp-off.txt": without_sharp(),
    }
    got, found = gain(tmp_path, files)
    assert (got, found[: len(words)]) == (verdict, words)


def mpi(text, us):
    """Return osu_allreduce's text with one latency, and lines of SHARP's library."""
    lines = [f"{size}  {us}" for size in (8, 1024)]
    return "\n".join(
        ["# OSU MPI Allreduce Latency Test v7.4", text, "# Size  Avg Latency(us)", *lines, ""]
    )


LINES = "\n".join(one for one in SHARP.splitlines() if one.startswith("[node"))


@pytest.mark.parametrize(
    ("on", "off", "answer"),
    [
        (
            mpi(LINES, 4.0),
            mpi("", 8.0),
            (
                "PASS",
                "2.00 times the algorithm bandwidth without, median of 2 sizes, 1 runs with and 1"
                " without",
            ),
        ),
        (
            mpi("", 4.0),
            mpi("", 8.0),
            (
                "UNKNOWN",
                "sharp-on: no communicator reduces in the network, or SHARP_COLL_LOG_LEVEL was"
                " not 3",
            ),
        ),
        (
            mpi(LINES, 4.0),
            mpi(LINES, 8.0),
            ("UNKNOWN", "sharp-off was to do without, and SHARP's library is at work"),
        ),
    ],
)
def test_gain_of_mpi_is_proved_by_the_library_s_own_lines(tmp_path, on, off, answer):
    assert gain(tmp_path, {"osu.sharp-on.txt": on, "osu.sharp-off.txt": off}) == answer
