"""Rates of storage: a run that keeps the contract, and one doubt or fault each."""

from __future__ import annotations

import json

import pytest

from sunk_fabric.expected import Expected
from tests.support.fabric_checks import FAIL, PASS, SKIP, UNKNOWN
from tests.support.fabric_texts import FOLDER

RECORDED = json.loads((FOLDER / "fio" / "write-and-read.json").read_text())
IO500 = (FOLDER / "io500" / "valid.txt").read_bytes()
SHORT = (FOLDER / "io500" / "too-short.txt").read_bytes()
MDTEST = (FOLDER / "mdtest" / "files.txt").read_bytes()
CONTRACT = Expected(
    storage_gb_per_s={"read": 5.0, "write": 2.0},
    metadata_per_s={"File creation": 100_000, "mdtest-easy-stat": 400_000},
)


def fio(direct="1", seconds=60, error=0, read=(3e9, 3e9), group=1):
    """Two jobs that read together, and one that wrote before them."""
    jobs = [
        {
            "jobname": f"read{at}",
            "groupid": group,
            "error": error,
            "read": {"io_bytes": 1, "bw_bytes": rate, "runtime": seconds * 1000},
        }
        for at, rate in enumerate(read)
    ]
    write = {"io_bytes": 1, "bw_bytes": 2.5e9, "runtime": 60_000}
    jobs.append({"jobname": "write", "groupid": 0, "write": write})
    return {"fio version": "fio-3.33", "global options": {"direct": direct}, "jobs": jobs}


WRITE = (PASS, "run/host1_fio.txt/write", "2.5 GB/s, 2 declared")


@pytest.mark.parametrize(
    ("run", "verdict", "words"),
    [
        (fio(), PASS, "6 GB/s, 5 declared"),
        (fio(read=(1e9, 3e9)), FAIL, "4 GB/s, 5 declared"),
        (
            fio(seconds=3),
            UNKNOWN,
            "6 GB/s, 5 declared; it took 3 s, 30 and more say something",
        ),
        (fio(error=28), UNKNOWN, "6 GB/s, 5 declared; job read0 ended with error 28"),
    ],
)
def test_jobs_that_run_together_are_added_and_compared(run, verdict, words, check):
    found = check("storage.bandwidth", {"host1/fio.txt": run}, CONTRACT)
    assert found == [(verdict, "run/host1_fio.txt/read", words), WRITE]


def test_rate_that_the_hosts_own_memory_may_have_given_is_unknown(check):
    found = check("storage.bandwidth", {"host1/fio.txt": fio(direct="0")}, CONTRACT)
    assert {one[0] for one in found} == {UNKNOWN}
    assert "without direct=1" in found[0][2]


def test_groups_that_run_one_after_the_other_are_not_added(check):
    run = fio(read=(3e9,))
    run["jobs"].append(dict(run["jobs"][0], groupid=7))
    found = check("storage.bandwidth", {"host1/fio.txt": run}, CONTRACT)
    assert found[0][2] == "3 GB/s, 5 declared"


def test_recorded_run_is_read_and_too_short_to_say_something(check):
    found = check("storage.bandwidth", {"host1/fio.txt": RECORDED}, CONTRACT)
    assert [one[0] for one in found] == [UNKNOWN, UNKNOWN]
    assert all(one[2].endswith("it took 3 s, 30 and more say something") for one in found)


@pytest.mark.parametrize(
    ("name", "files", "declared", "answers"),
    [
        (
            "storage.bandwidth",
            {"io500.txt": IO500},
            {
                "ior-easy-write": 40.0,
                "ior-easy-read": 70.0,
                "ior-hard-write": 1,
                "ior-hard-read": 1,
            },
            [FAIL, PASS, PASS, PASS],
        ),
        ("storage.bandwidth", {"io500.txt": IO500}, {}, [UNKNOWN]),
        ("storage.bandwidth", {"io500.txt": SHORT}, {"ior-easy-write": 40.0}, [UNKNOWN]),
        (
            "storage.metadata",
            {"mdtest.txt": MDTEST},
            {"File creation": 119_784, "File stat": 2_400_000},
            [PASS, FAIL],
        ),
        ("storage.metadata", {"io500.txt": SHORT}, {"mdtest-easy-write": 1}, [UNKNOWN]),
    ],
)
def test_phases_and_operations_are_compared_with_the_contract(
    name, files, declared, answers, check
):
    expected = Expected(storage_gb_per_s=declared, metadata_per_s=declared)
    assert [one[0] for one in check(name, files, expected)] == answers


def test_rates_are_in_units_of_the_contract(check):
    contract = Expected(storage_gb_per_s={"ior-easy-write": 40.0})
    found = check("storage.bandwidth", {"io500.txt": IO500}, contract)
    assert (PASS, "run/io500.txt/ior-easy-write", "43.136 GB/s, 40 declared") in found
    found = check("storage.metadata", {"mdtest.txt": MDTEST}, CONTRACT)
    assert (PASS, "run/mdtest.txt/File creation", "119784/s, 100000 declared") in found


def test_declared_rate_that_nobody_measured_is_unknown(check):
    found = check("storage.metadata", {"mdtest.txt": MDTEST}, CONTRACT)
    answer = (UNKNOWN, "run/mdtest-easy-stat", "400000 declared, and no run measured it")
    assert answer in found


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("storage.bandwidth", {"io500.txt": IO500.partition(b"[SCORE")[0]}),
        ("storage.bandwidth", {"io500.txt": IO500 + IO500}),
        ("storage.bandwidth", {"fio.txt": b'{"fio version": "fio-3.33", "jobs": []}'}),
        ("storage.bandwidth", {"fio.txt": b"fio: failed opening blktrace\n"}),
        ("storage.metadata", {"mdtest.txt": MDTEST.partition(b"-- finished")[0]}),
        ("storage.metadata", {"mdtest.txt": MDTEST + MDTEST}),
    ],
)
def test_run_without_its_end_or_twice_in_one_text_is_unknown(name, files, check):
    found = [one[0] for one in check(name, files, CONTRACT)]
    assert (found[0], set(found)) == (UNKNOWN, {UNKNOWN})


def test_fast_group_that_is_in_doubt_hides_no_slower_one_that_is_not(check):
    run = fio(read=(3e9,))
    fast = {"io_bytes": 1, "bw_bytes": 9e9, "runtime": 1000}
    run["jobs"].append({"jobname": "burst", "groupid": 7, "read": fast})
    found = check("storage.bandwidth", {"host1/fio.txt": run}, CONTRACT)
    assert found[0] == (FAIL, "run/host1_fio.txt/read", "3 GB/s, 5 declared")


GDS = (FOLDER / "gdscheck" / "nfs.txt").read_bytes()


@pytest.mark.parametrize(
    ("name", "old", "new", "answer"),
    [
        ("NFS", b"", b"", (PASS, "NFS is supported")),
        ("WekaFS", b"", b"", (FAIL, "WekaFS is Unsupported")),
        ("Lustre", b"", b"", (FAIL, "Lustre is not told of")),
        (
            "NFS",
            b"force_compat_mode : false",
            b"force_compat_mode : true",
            (FAIL, "force_compat_mode takes all through host memory"),
        ),
        (
            "NFS",
            b"verification succeeded",
            b"verification failed",
            (FAIL, "NFS is supported, and the platform was not found fit"),
        ),
    ],
)
def test_declared_file_systems_read_straight_into_gpu_memory(name, old, new, answer, check):
    files = {"gpu001/gdscheck.txt": GDS.replace(old, new) if old else GDS}
    found = check("storage.gds", files, Expected(storage_gds=(name,)))
    assert found == [(answer[0], f"node/gpu001/{name}", answer[1])]


def test_direct_reads_that_nobody_declared_are_skipped_and_a_cut_text_unknown(check):
    files = {"gpu001/gdscheck.txt": GDS}
    assert [one[0] for one in check("storage.gds", files)] == [SKIP]
    cut = {"gpu001/gdscheck.txt": GDS.partition(b" Platform verification")[0]}
    found = check("storage.gds", cut, Expected(storage_gds=("NFS",)))
    assert [one[0] for one in found] == [UNKNOWN]


def test_run_that_moved_nothing_is_no_measurement(check):
    run = fio(read=())
    run["jobs"] = [{"jobname": "idle", "groupid": 0}]
    ((verdict, _, found),) = check("storage.bandwidth", {"host1/fio.txt": run}, Expected())
    assert (verdict, found) == (UNKNOWN, "no output of fio --output-format=json or io500")
