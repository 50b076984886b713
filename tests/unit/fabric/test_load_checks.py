"""Runs that load hosts: MPI between two, copies to GPUs, the vendor's diagnostic."""

from __future__ import annotations

import json

import pytest

from sunk_fabric.expected import Expected
from tests.support.fabric_checks import FAIL, PASS, SKIP, UNKNOWN, WARN
from tests.support.fabric_texts import FOLDER

NDR = Expected(port_gbit_per_s=400)
OSU = {one: (FOLDER / "osu" / f"{one}.txt").read_bytes() for one in ("bandwidth", "latency")}
ALLREDUCE = (FOLDER / "osu" / "allreduce.txt").read_bytes()
TEXT = (FOLDER / "nvbandwidth" / "four-gpus.txt").read_bytes()
JSON = (FOLDER / "nvbandwidth" / "four-gpus-json.json").read_bytes()
WAYS = (FOLDER / "ucx_log" / "rdma.txt").read_bytes()
LINE = "400 Gb/s x 4096/4122 = 397.5 Gb/s"


@pytest.mark.parametrize(
    ("rate", "verdict", "words"),
    [
        ("48987.12", PASS, f"391.9 Gb/s is 0.986 of {LINE}"),
        ("47500.00", WARN, f"380.0 Gb/s is 0.956 of {LINE}"),
        ("24000.00", FAIL, f"192.0 Gb/s is 0.483 of {LINE}"),
        (
            "60000.00",
            UNKNOWN,
            f"480.0 Gb/s is 1.208 of {LINE}: shared memory, several adapters, or another rate",
        ),
    ],
)
def test_mpi_bandwidth_is_a_share_of_the_line(rate, verdict, words, check):
    text = OSU["bandwidth"].replace(b"48987.12", rate.encode())
    files = {"osu.bw.txt": text, "ucx_log.bw.txt": WAYS}
    assert check("nccl.mpi.bandwidth", files, NDR) == [(verdict, "run/bw", words)]


@pytest.mark.parametrize(
    ("ways", "verdict", "words"),
    [
        (None, UNKNOWN, "; nothing proves which way the bytes went: UCX_LOG_LEVEL=info shows it"),
        (
            WAYS.replace(b"inter-node", b"intra-node"),
            UNKNOWN,
            "; nothing proves which way the bytes went: UCX_LOG_LEVEL=info shows it",
        ),
        (
            WAYS.replace(b"rc_mlx5/mlx5_2:1", b"tcp/eth0"),
            FAIL,
            "; it went by rc_mlx5 by mlx5_0:1, tcp by eth0",
        ),
    ],
)
def test_good_rate_without_proof_of_its_way_is_not_good(ways, verdict, words, check):
    files = {"osu.bw.txt": OSU["bandwidth"]} | ({"ucx_log.bw.txt": ways} if ways else {})
    found = check("nccl.mpi.bandwidth", files, NDR)
    assert found == [(verdict, "run/bw", f"391.9 Gb/s is 0.986 of {LINE}{words}")]


def test_headers_of_ethernet_count_where_every_port_is_ethernet(check):
    port = {"number": 1, "values": {"link_layer": "Ethernet"}}
    view = {"has_rdma": True, "devices": [{"name": "mlx5_0", "ports": [port]}]}
    files = {"osu.bw.txt": OSU["bandwidth"], "gpu001/sysfs_rdma.txt": view, "ucx_log.bw.txt": WAYS}
    ((verdict, _, words),) = check("nccl.mpi.bandwidth", files, NDR)
    assert (verdict, words) == (
        PASS,
        "391.9 Gb/s is 0.999 of 400 Gb/s x 4096/4178 = 392.1 Gb/s",
    )


@pytest.mark.parametrize(
    ("text", "expected", "answer"),
    [
        (OSU["bandwidth"], Expected(), (UNKNOWN, "the port's rate is not declared")),
        (OSU["latency"], NDR, (SKIP, "Latency, not osu_bw")),
        (
            b"".join(OSU["bandwidth"].splitlines(keepends=True)[:10]),
            NDR,
            (UNKNOWN, "messages of 32 bytes do not fill the line"),
        ),
    ],
)
def test_mpi_bandwidth_that_nothing_can_be_said_of(text, expected, answer, check):
    ((verdict, _, words),) = check("nccl.mpi.bandwidth", {"osu.txt": text}, expected)
    assert (verdict, words) == answer


@pytest.mark.parametrize(
    ("us", "verdict", "words"),
    [
        ("1.93", PASS, "1.93 us, 3 allowed"),
        ("4.20", WARN, "4.2 us, 3 allowed"),
        ("18.5", FAIL, "18.5 us, 3 allowed: as slow as sockets"),
        ("0.28", UNKNOWN, "0.28 us is shared memory and not the fabric: use two hosts"),
    ],
)
def test_mpi_latency_is_that_of_a_fabric(us, verdict, words, check):
    text = OSU["latency"].replace(b"1.93", us.encode(), 1)
    assert check("nccl.mpi.latency", {"osu.txt": text}) == [(verdict, "run/osu.txt", words)]


def test_collective_and_buffers_of_gpus_have_no_ceiling(check):
    ((verdict, _, words),) = check("nccl.mpi.latency", {"osu.txt": ALLREDUCE})
    assert (verdict, words) == (SKIP, "Allreduce Latency, not osu_latency")
    text = OSU["latency"].replace(b"OSU MPI", b"OSU MPI-CUDA").replace(b"1.93", b"2.93")
    ((verdict, _, words),) = check("nccl.mpi.latency", {"osu.txt": text})
    assert verdict is UNKNOWN
    assert words == "2.93 us between buffers of CUDA: no ceiling is known"


@pytest.mark.parametrize("text", [OSU["bandwidth"] * 2, OSU["bandwidth"].partition(b"1   ")[0]])
def test_two_benchmarks_or_none_in_one_text_are_unknown(text, check):
    assert [one[0] for one in check("nccl.mpi.bandwidth", {"osu.txt": text}, NDR)] == [UNKNOWN]


@pytest.mark.parametrize("text", [TEXT, JSON])
@pytest.mark.parametrize(
    ("rate", "verdict", "words"),
    [
        (b"55.63", PASS, "55.63 GB/s, 50.4 is usual of NVIDIA H100 80GB HBM3"),
        (b"49.00", WARN, "49 GB/s, 50.4 is usual of NVIDIA H100 80GB HBM3"),
        (b"26.10", FAIL, "26.1 GB/s, 48 is the floor of NVIDIA H100 80GB HBM3"),
    ],
)
def test_copies_from_the_host_reach_the_floor_of_the_model(text, rate, verdict, words, check):
    files = {"gpu001/nvbandwidth.txt": text.replace(b"55.63", rate)}
    found = {one[1]: one for one in check("pcie.h2d_bandwidth", files)}
    subject = "node/gpu001/GPU0/host_to_device_memcpy_ce"
    assert found.pop(subject) == (verdict, subject, words)
    assert {one[0] for one in found.values()} == {PASS}
    assert len(found) == 3


@pytest.mark.parametrize("text", [TEXT, JSON])
def test_slowest_copy_of_a_gpu_is_the_one_that_counts(text, check):
    files = {"gpu001/nvbandwidth.txt": text.replace(b"394.36", b"120.00")}
    found = check("pcie.p2p_bandwidth", files)
    assert [one[0] for one in found].count(FAIL) == 1
    assert len(found) == 4


def test_model_without_a_floor_and_test_that_was_not_run_are_unknown(check):
    files = {"gpu001/nvbandwidth.txt": TEXT.replace(b"H100 80GB HBM3", b"H100 PCIe")}
    assert {one[0] for one in check("pcie.p2p_bandwidth", files)} == {UNKNOWN}
    assert {one[0] for one in check("pcie.h2d_bandwidth", files)} == {PASS}
    alone = {"gpu001/nvbandwidth.txt": TEXT.replace(b"device_to_device", b"device_local")}
    ((verdict, subject, words),) = check("pcie.p2p_bandwidth", alone)
    assert (verdict, subject) == (UNKNOWN, "node/gpu001")
    assert words.endswith("was not run")


def test_copies_without_their_sum_are_unknown(check):
    files = {"gpu001/nvbandwidth.txt": TEXT.replace(b"SUM device", b"sum device")}
    assert [one[0] for one in check("pcie.h2d_bandwidth", files)] == [UNKNOWN]


def diagnosed(name, check):
    text = (FOLDER / "dcgm_diag" / f"{name}.json").read_bytes()
    return check("host.gpu.dcgm", {"gpu001/dcgm_diag.txt": text})


def test_diagnostic_without_a_defect_passes(check):
    found = diagnosed("passed", check)
    assert {one[0] for one in found} == {PASS, SKIP}
    assert (PASS, "node/gpu001/GPU1/memory", "passed") in found


def test_defect_is_told_from_a_set_up_that_failed(check):
    wrong = [one for one in diagnosed("defect-and-set-up", check) if one[0] not in {PASS, SKIP}]
    assert sorted(wrong) == [
        (FAIL, "node/gpu001/GPU1/memory", "GPU 1 has a row remap that failed."),
        (
            UNKNOWN,
            "node/gpu001/GPU0/software",
            "set-up, no defect: Persistence mode is not on for GPU 0.",
        ),
    ]


def test_older_diagnostic_tells_the_same_without_numbers(check):
    wrong = [one for one in diagnosed("older", check) if one[0] is not PASS]
    assert sorted(wrong) == [
        (FAIL, "node/gpu001/GPU1/GPU Memory", "A fault was found in memory."),
        (
            UNKNOWN,
            "node/gpu001/GPU0,1/Persistence Mode",
            "set-up, no defect: Persistence mode is not on.",
        ),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"test_categories": []},
        {"runtime_error": "no such GPU"},
        {"test_categories": [{"category": "Hardware", "tests": [{"results": [{"status": "?"}]}]}]},
    ],
)
def test_diagnostic_without_results_is_unknown(change, check):
    files = {"gpu001/dcgm_diag.txt": json.dumps({"DCGM Diagnostic": change}).encode()}
    assert [one[0] for one in check("host.gpu.dcgm", files)] == [UNKNOWN]


def test_diagnostic_of_the_set_up_alone_proves_no_hardware(check):
    tests = [{"name": "software", "results": [{"status": "Pass", "entity_id": 0}]}]
    run = {"test_categories": [{"category": "Deployment", "tests": tests}]}
    files = {"gpu001/dcgm_diag.txt": json.dumps({"DCGM Diagnostic": run}).encode()}
    assert [one[0] for one in check("host.gpu.dcgm", files)] == [UNKNOWN, PASS]


@pytest.mark.parametrize(("severities", "verdict"), [([5], UNKNOWN), ([5, 2], FAIL), ([1], WARN)])
def test_severity_of_an_error_says_what_a_failed_test_means(severities, verdict, check):
    warnings = [{"warning": "w", "error_severity": one} for one in severities]
    results = [{"status": "Fail", "entity_id": 0, "warnings": warnings}]
    run = {"test_categories": [{"category": "Hardware", "tests": [{"results": results}]}]}
    files = {"gpu001/dcgm_diag.txt": json.dumps({"DCGM Diagnostic": run}).encode()}
    assert [one[0] for one in check("host.gpu.dcgm", files)] == [verdict]
