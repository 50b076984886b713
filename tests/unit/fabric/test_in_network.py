"""Programs that reduce in the network: MPI's by SHARP's library, NCCL's types by its plugin."""

from __future__ import annotations

import pytest

from sunk_fabric.expected import Expected
from tests.support.fabric_checks import FAIL, PASS, SKIP, UNKNOWN, WARN
from tests.support.fabric_texts import FOLDER

ALLREDUCE = (FOLDER / "sharp_coll" / "allreduce.txt").read_bytes()
REFUSED = (FOLDER / "sharp_coll" / "no-manager.txt").read_bytes()
NCCL = (FOLDER / "nccl_log" / "ib-gdr.txt").read_bytes()
TABLE = (FOLDER / "nccl_tests" / "all-reduce.txt").read_bytes()
CANNOT = (
    b"[2026-11-21 07:04:15] gpu001:4021:4050 [0] sharp_plugin.c:300 (ncclSharpConnect) NCCL WARN"
    b" SHARP int8,uint8,bfloat16 Datatypes not supported\n"
)


def without(text, word):
    return b"".join(one for one in text.splitlines(keepends=True) if word not in one)


@pytest.mark.parametrize(
    ("text", "verdict", "words"),
    [
        (ALLREDUCE, PASS, "2 groups of up to 4 hosts, trees LLT, SAT"),
        (REFUSED, FAIL, "1 errors, the first: unable to connect to the aggregation manager"),
        (without(ALLREDUCE, b"tree_idx:"), FAIL, "it got no trees of the network"),
        (
            without(ALLREDUCE, b"group#:"),
            FAIL,
            "trees LLT, SAT, and no communicator uses them: HCOLL_ENABLE_SHARP, or fewer hosts"
            " than HCOLL_SHARP_NP",
        ),
        (
            ALLREDUCE.replace(b"group size:4", b"group size:1"),
            FAIL,
            "trees LLT, SAT, and no communicator uses them: HCOLL_ENABLE_SHARP, or fewer hosts"
            " than HCOLL_SHARP_NP",
        ),
    ],
)
def test_mpi_reduces_in_the_network_where_its_library_made_a_group(text, verdict, words, check):
    found = check("sharp.mpi", {"sharp_coll.eight.txt": text})
    assert found == [(verdict, "run/eight", words)]


def test_mpi_program_that_says_nothing_of_the_network_is_unknown(check):
    ((verdict, _, words),) = check("sharp.mpi", {"sharp_coll.txt": b"step 1\nstep 2\n"})
    assert verdict is UNKNOWN
    assert words.endswith("no line of SHARP's: SHARP_COLL_LOG_LEVEL was not 3")


def test_labels_of_launchers_change_nothing(check):
    labelled = b"".join(b"12: " + one for one in ALLREDUCE.splitlines(keepends=True))
    found = check("sharp.mpi", {"sharp_coll.eight.txt": labelled})
    assert [one[0] for one in found] == [PASS]


@pytest.mark.parametrize("name", ["osu", "nccl_tests"])
def test_lines_of_the_library_in_a_table_are_no_fault_of_it(name, check):
    own = [one for one in ALLREDUCE.splitlines(keepends=True) if one.startswith(b"[node")]
    osu = (FOLDER / "osu" / "allreduce.txt").read_bytes()
    first, *rest = (osu if name == "osu" else TABLE).splitlines(keepends=True)
    found = check("evidence.sound", {f"{name}.txt": b"".join((first, *own, *rest))})
    assert [one[0] for one in found] == [PASS]


@pytest.mark.parametrize(
    ("name", "more", "verdict"),
    [
        ("float32", b"", PASS),
        ("bfloat16", b"", UNKNOWN),
        ("bfloat16", CANNOT, WARN),
        ("float16", CANNOT, PASS),
        ("float8", b"", WARN),
    ],
)
def test_types_are_those_that_the_plugin_gives_to_the_network(name, more, verdict, check):
    files = {"nccl_log.run.txt": NCCL + more}
    ((got, subject, _),) = check("sharp.dtype", files, Expected(sharp_types=(name,)))
    assert (got, subject) == (verdict, f"run/run/{name}")


def test_types_of_no_declaration_or_of_a_run_without_the_network_say_nothing(check):
    assert [one[0] for one in check("sharp.dtype", {"nccl_log.run.txt": NCCL})] == [UNKNOWN]
    plain = {"nccl_log.run.txt": without(NCCL, b"COLLNET/")}
    found = check("sharp.dtype", plain, Expected(sharp_types=("float32",)))
    assert [one[0] for one in found] == [SKIP]


def test_run_that_is_to_do_without_is_not_asked_whether_it_used_it(check):
    files = {"nccl_log.sharp-off.txt": without(NCCL, b"COLLNET/")}
    found = check("sharp.nccl.used", files, Expected(sharp=True))
    assert [one[0] for one in found] == [SKIP]
