"""Checks that join texts of several tools: what each of them says, and what is missing."""

from __future__ import annotations

import pytest

from sunk.assess.bundle import Kept, pack
from sunk.assess.evidence import evidence_of
from sunk.assess.verdict import Verdict
from sunk_fabric.expected import Expected
from tests.support.fabric_checks import FAIL, PASS, SKIP, UNKNOWN, WARN
from tests.support.fabric_texts import FOLDER
from tests.support.simulated_fabric import two_level

NODE = "node/gpu001"
ON = "/proc/driver/nvidia/params:GrdmaPciTopoCheckOverride: 1\n"
OFF = "/proc/driver/nvidia/params:EnableMSI: 1\n"
LOG = "2026-11-21T04:00:00,000000+00:00 {}\n"
REFUSED = LOG.format("mlx5_core 0000:9c:00.0: dma-buf attach failed: topology not supported")


def smi(product="NVIDIA GB200", driver="570.124.06"):
    return (
        f"<nvidia_smi_log><driver_version>{driver}</driver_version>"
        "<attached_gpus>1</attached_gpus><gpu><pci><pci_bus_id>00000000:0F:00.0</pci_bus_id></pci>"
        f"<product_name>{product}</product_name></gpu></nvidia_smi_log>\n"
    ).encode()


@pytest.mark.parametrize(
    ("texts", "verdict", "words"),
    [
        ({"nvidia_smi": smi("NVIDIA H100 80GB HBM3")}, SKIP, "no Grace-Blackwell GPU"),
        ({"nvidia_smi": smi(driver="595.10")}, PASS, "driver 595.10 needs no option"),
        (
            {"nvidia_smi": smi(), "kernel_files": ON.encode()},
            PASS,
            "driver 570.124.06, GrdmaPciTopoCheckOverride is 1",
        ),
        (
            {"nvidia_smi": smi("NVIDIA GB300"), "kernel_files": OFF.encode()},
            FAIL,
            "driver 570.124.06, GrdmaPciTopoCheckOverride is not there",
        ),
        (
            {"nvidia_smi": smi(driver="595.10"), "dmesg": REFUSED.encode()},
            FAIL,
            "mlx5_core 0000:9c:00.0: dma-buf attach failed: topology not supported",
        ),
        (
            {"nvidia_smi": smi()},
            UNKNOWN,
            "driver 570.124.06, and /proc/driver/nvidia/params is not told",
        ),
        ({"nvidia_smi": smi(driver="?")}, UNKNOWN, "the driver's release is not told"),
    ],
)
def test_option_of_grace_is_needed_of_older_drivers(texts, verdict, words, check):
    files = {f"gpu001/{name}.txt": text for name, text in texts.items()}
    assert check("host.gdr.grace", files) == [(verdict, NODE, words)]


# --- links that go down


def log(*hours, first="2026-11-19T04:00:00"):
    """Return a kernel's log that was taken at 12:00, and links that went down at these hours."""
    lines = [f"{first},000000+00:00 Linux version 6.12"]
    lines += [
        f"2026-11-21T{hour:02}:00:00,000000+00:00 mlx5_core 0000:9c:00.0 ens1np0: Link down"
        for hour in hours
    ]
    return "".join(f"{one}\n" for one in lines).encode()


def flapped(check, text, layer="Ethernet"):
    port = {"number": 1, "values": {"link_layer": layer}}
    view = b'{"has_rdma": true, "devices": [{"name": "mlx5_0", "ports": [%s]}]}' % (
        str(port).replace("'", '"').encode()
    )
    kept = [
        Kept(
            evidence=evidence_of(
                content, command=(name,), host="gpu001", at="2026-11-21T12:00:00Z", exit_code=0
            ),
            output=content,
        )
        for name, content in (("dmesg", text), ("sysfs_rdma", view))
    ]
    return check("rdma.port.flaps", pack(kept))


DOWN = "the last: mlx5_core 0000:9c:00.0 ens1np0: Link down"
PORT = f"{NODE}/0000:9c:00.0"


@pytest.mark.parametrize(
    ("text", "layer", "answer"),
    [
        (log(1, 2, 3, 4, 5), "Ethernet", (FAIL, PORT, f"5 times down, {DOWN}")),
        (log(1, 2), "InfiniBand", (WARN, PORT, f"2 times down, {DOWN}")),
        (
            log(),
            "Ethernet",
            (PASS, NODE, "no link went down in the 56.0 h that the log reaches back"),
        ),
        (
            log(first="2026-11-21T04:00:00"),
            "Ethernet",
            (
                UNKNOWN,
                NODE,
                "no link went down in the 8.0 h that the log reaches back, less than a day",
            ),
        ),
        (
            log(),
            "InfiniBand",
            (
                UNKNOWN,
                NODE,
                "no link went down in the 56.0 h that the log reaches back; of InfiniBand links it "
                "does not tell, rdma.counters.delta does",
            ),
        ),
        (
            b"[    0.000000] Linux version 6.12\n",
            "Ethernet",
            (UNKNOWN, NODE, "no link went down; how far the log reaches back is not told"),
        ),
        (
            b"".join(b"[%5d.000000] mlx5_core 0000:9c:00.0: Link down\n" % at for at in range(6)),
            "Ethernet",
            (
                UNKNOWN,
                PORT,
                "6 times down, the last: mlx5_core 0000:9c:00.0: Link down; whether within a day "
                "is not told",
            ),
        ),
    ],
)
def test_links_that_go_down_are_counted_as_far_as_the_log_reaches(text, layer, answer, check):
    assert flapped(check, text, layer) == [answer]


def test_link_that_went_down_the_day_before_is_not_counted(check):
    text = log(11).replace(b"2026-11-21T11", b"2026-11-20T11")
    assert [one[0] for one in flapped(check, text)] == [PASS]


# --- storage on its own fabric


SCAN = two_level(leaves=2, hosts_per_leaf=2).text()
GUID = next(
    line.partition(b"=")[2].decode() for line in SCAN.splitlines() if line.startswith(b"caguid=")
)


def apart(check, storage, compute=GUID, layer="InfiniBand", declared=("mlx5_9",)):
    def device(name, guid):
        return {
            "name": name,
            "values": {"node_guid": guid} if guid else {},
            "ports": [{"number": 1, "values": {"link_layer": layer}}],
        }

    devices = [device("mlx5_0", compute), device("mlx5_9", storage)]
    files = {
        "ibnetdiscover.txt": SCAN,
        "gpu001/sysfs_rdma.txt": {"has_rdma": True, "devices": devices},
    }
    return check("storage.fabric_separate", files, Expected(storage_adapters=declared))


FAR = "b8ce:f603:00ff:0001"


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (
            {"storage": FAR},
            (PASS, f"{NODE}/mlx5_9", "the fabric of compute adapters does not have it"),
        ),
        (
            {"storage": GUID},
            (FAIL, f"{NODE}/mlx5_9", "it is in one fabric with compute adapters"),
        ),
        (
            {"storage": FAR, "compute": FAR},
            (UNKNOWN, f"{NODE}/mlx5_9", "the scan is not of the fabric of compute adapters"),
        ),
        ({"storage": ""}, (UNKNOWN, f"{NODE}/mlx5_9", "its GUID is not told")),
        (
            {"storage": FAR, "layer": "Ethernet"},
            (
                UNKNOWN,
                f"{NODE}/mlx5_9",
                "it is not InfiniBand, and a scan does not tell of it",
            ),
        ),
        ({"storage": FAR, "declared": ("mlx5_7",)}, (UNKNOWN, NODE, "none of mlx5_7 is here")),
        (
            {"storage": FAR, "declared": ()},
            (UNKNOWN, "fabric", "which adapters are for storage is not declared"),
        ),
    ],
)
def test_storage_is_apart_where_the_scan_does_not_have_it(asked, answer, check):
    assert apart(check, **asked) == [answer]


# --- collectives between hosts


TABLE = (FOLDER / "nccl_tests" / "all-reduce.txt").read_text().replace("N/A", "0")
NDR = Expected(port_gbit_per_s=400)


def table(busbw="46.20", hosts=2, ranks=1, model="NVIDIA H100 80GB HBM3"):
    ranks = "".join(
        f"#  Rank {at:2} Group  0 Pid {at + 1} on      gpu{at:02} device {gpu:2} [0x0a] {model}\n"
        for at in range(hosts)
        for gpu in range(ranks)
    )
    lines = [one for one in TABLE.splitlines(keepends=True) if "  Rank " not in one]
    at = next(n for n, one in enumerate(lines) if "Using devices" in one) + 1
    return "".join([*lines[:at], ranks, *lines[at:]]).replace("480.26", busbw)


def nccl(size=17_179_869_184, algorithm="RING", adapters=1, collective="AllReduce"):
    prefix = "gpu00:1:2 [0] NCCL INFO"
    using = " ".join(f"[{at}]mlx5_{at}:1/IB" for at in range(adapters))
    return (
        f"{prefix} NET/IB : Using {using} [RO]; OOB eth0:10.0.0.1<0>\n"
        f"{prefix} Using network IB\n"
        f"{prefix} Channel 00/0 : 0[0] -> 1[0] [send] via NET/IB/0/GDRDMA\n"
        f"{prefix} {collective}: {size} Bytes -> Algo {algorithm} proto SIMPLE channel{{0..1}}\n"
        f"{prefix} ncclCommInitRank comm 0x1 rank 0 nranks 2 - Init COMPLETE\n"
    )


def scaled(check, *runs, expected=NDR):
    files = {}
    for at, (text, said) in enumerate(runs):
        files[f"nccl_tests.run{at}.txt"] = text.encode()
        if said:
            files[f"nccl_log.run{at}.txt"] = said.encode()
    return check("nccl.bandwidth.scale", files, expected)


@pytest.mark.parametrize(
    ("run", "verdict", "words"),
    [
        (
            (table("46.20"), nccl()),
            PASS,
            "AllReduce on 2 hosts: 46.2 GB/s is 0.92 of 1 x 400 Gb/s",
        ),
        (
            (table("41.00"), nccl()),
            WARN,
            "AllReduce on 2 hosts: 41 GB/s is 0.82 of 1 x 400 Gb/s",
        ),
        (
            (table("22.00"), nccl()),
            FAIL,
            "AllReduce on 2 hosts: 22 GB/s is 0.44 of 1 x 400 Gb/s",
        ),
        (
            (table("66.00"), nccl()),
            UNKNOWN,
            "AllReduce on 2 hosts: 66 GB/s is 1.32 of 1 x 400 Gb/s, more than they carry",
        ),
        (
            (table(), nccl(algorithm="TREE")),
            UNKNOWN,
            "AllReduce TREE: a ring measures the wire, NCCL_ALGO=RING",
        ),
        (
            (table(), nccl(size=4)),
            UNKNOWN,
            "an unknown algorithm: a ring measures the wire, NCCL_ALGO=RING",
        ),
        (
            (table().replace("17179869184", "1048576").replace("8589934592", "524288"), nccl()),
            UNKNOWN,
            "messages of 1048576 bytes do not fill the adapters: run to 8 GiB",
        ),
        ((table(hosts=1), nccl()), SKIP, "it ran on one host"),
    ],
)
def test_ring_between_hosts_is_a_share_of_what_adapters_carry(run, verdict, words, check):
    assert scaled(check, run) == [(verdict, "run/run0", words)]


def test_run_without_its_log_waits_for_the_proof_of_its_way(check):
    files = {
        "nccl_tests.run7.txt": table().encode(),
        "nccl_log.other.txt": nccl().encode(),
    }
    assert [one[0] for one in check("nccl.bandwidth.scale", files, NDR)] == [Verdict.BLOCKED]


def test_run_over_sockets_waits_for_its_path(check):
    said = nccl().replace("Using network IB", "Using network Socket")
    assert [one[0] for one in scaled(check, (table(), said))] == [Verdict.BLOCKED]


@pytest.mark.parametrize(("large", "lost"), [("45.10", "1.2%"), ("42.00", "4.7%")])
def test_loss_with_more_hosts_is_told_for_each_doubling(large, lost, check):
    runs = [(table("46.20", hosts=2), nccl()), (table(large, hosts=8), nccl())]
    subject = "run/run1/growth"
    answer = next(one for one in scaled(check, *runs) if one[1] == subject)
    assert answer == (
        PASS,
        subject,
        f"AllReduce from 2 to 8 hosts: 46.2 to {float(large):g} GB/s, "
        f"{lost} less for each doubling",
    )


@pytest.mark.parametrize(("large", "verdict"), [("43.00", WARN), ("41.00", FAIL)])
def test_loss_beyond_the_rule_is_no_pass(large, verdict, check):
    runs = [(table("46.20", hosts=2), nccl()), (table(large, hosts=4), nccl())]
    found = {one[1]: one[0] for one in scaled(check, *runs)}
    assert found["run/run1/growth"] is verdict


# --- collectives within a host


@pytest.mark.parametrize(
    ("text", "said", "verdict", "words"),
    [
        ("476.10", nccl(), PASS, "476.1 GB/s, 460 is usual of NVIDIA H100 80GB HBM3"),
        ("445.00", nccl(algorithm="NVLS"), WARN, "445 GB/s, 460 is usual of NVIDIA H100 80GB HBM3"),
        ("365.00", nccl(), FAIL, "365 GB/s, 460 is usual of NVIDIA H100 80GB HBM3"),
        (
            "476.10",
            nccl(collective="AllGather"),
            UNKNOWN,
            "AllGather; of AllReduce alone rates are known",
        ),
        (
            "476.10",
            "",
            UNKNOWN,
            "no NCCL log of the same name tells of what; of AllReduce alone rates are known",
        ),
    ],
)
def test_eight_gpus_reach_what_is_known_of_their_model(text, said, verdict, words, check):
    files = {"nccl_tests.run0.txt": table(text, hosts=1, ranks=8).encode()}
    if said:
        files["nccl_log.run0.txt"] = said.encode()
    assert check("nccl.bandwidth.node", files) == [(verdict, "run/run0", words)]


@pytest.mark.parametrize(
    ("run", "verdict", "words"),
    [
        (table(hosts=2), SKIP, "it ran on several hosts"),
        (
            table(hosts=1, ranks=4),
            UNKNOWN,
            "4 x NVIDIA H100 80GB HBM3: no rate is known of these",
        ),
        (
            table(hosts=1, ranks=8, model="NVIDIA L40S"),
            UNKNOWN,
            "8 x NVIDIA L40S: no rate is known of these",
        ),
    ],
)
def test_other_numbers_and_models_of_gpus_have_no_known_rate(run, verdict, words, check):
    files = {"nccl_tests.run0.txt": run.encode(), "nccl_log.run0.txt": nccl().encode()}
    assert check("nccl.bandwidth.node", files) == [(verdict, "run/run0", words)]


# --- the PCI tree beside the GPU's own tool


TREE = (FOLDER / "pci_tree" / "two-gpus.txt").read_text()
MATRIX = next((FOLDER / "nvidia_topo").glob("*.txt")).read_text()
FIRST, SECOND = f"{NODE}/0000:0f:00.0", f"{NODE}/0000:9a:00.0"
NEAR = "0000:10:00.0 is behind the same bridge"


def tree(check, text, matrix=""):
    files = {"gpu001/pci_tree.txt": text.encode()}
    if matrix:
        files["gpu001/nvidia_topo.txt"] = matrix.encode()
    return {subject: (verdict, words) for verdict, subject, words in check("loc.topo.sysfs", files)}


def test_tree_and_matrix_that_agree_pass(check):
    found = tree(check, TREE, MATRIX)
    assert found[FIRST] == (PASS, f"{NEAR}; nvidia-smi: mlx5_0 is nearest, at PIX")
    assert found[SECOND][0] is PASS


def test_matrix_that_says_otherwise_is_unknown(check):
    found = tree(check, TREE, MATRIX.replace("PIX\tSYS\t0-47", "SYS\tSYS\t0-47"))
    assert found[FIRST] == (UNKNOWN, f"{NEAR}; nvidia-smi: mlx5_0 is nearest, at SYS")
    assert found[SECOND][0] is PASS


def test_far_by_both_is_agreement(check):
    moved = TREE.replace("pci0000:0b/0000:0b:01.0/0000:0d:00.0/0000:0e:01.0", "pci0000:aa")
    matrix = MATRIX.replace("PIX\tSYS\t0-47", "SYS\tSYS\t0-47")
    verdict, words = tree(check, moved, matrix)[FIRST]
    assert (verdict, words.partition(";")[0]) == (
        PASS,
        "0000:9c:00.0 is nearest, behind another root",
    )


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (TREE, (PASS, NEAR)),
        (
            TREE.replace("0000:0b:01.0/0000:0d:00.0/0000:0e:01.0", "0000:0b:02.0"),
            (FAIL, "0000:10:00.0 is nearest, at the same root"),
        ),
        (TREE.replace("0x0207", "0x0108"), (UNKNOWN, "no adapter in the PCI tree")),
    ],
)
def test_without_the_gpus_own_tool_the_tree_alone_is_judged(text, answer, check):
    assert tree(check, text)[FIRST] == answer


def test_tools_that_count_other_gpus_are_unknown(check):
    text = "".join(TREE.splitlines(keepends=True)[:2])
    assert tree(check, text, MATRIX) == {FIRST: (UNKNOWN, "1 GPUs in the tree, 2 by nvidia-smi")}


def test_machine_without_gpus_is_skipped_and_a_damaged_tree_unknown(check):
    assert tree(check, "no GPU and no network card on PCI\n") == {
        NODE: (SKIP, "no GPU in the PCI tree")
    }
    for text in (TREE + TREE, TREE.replace("0x10de", "nvidia"), TREE[:-5]):
        assert {one[0] for one in tree(check, text).values()} == {UNKNOWN}


# --- memory shared over NVLink


def imex(check, service, cluster="6a1d0f5e-1111-2222-3333-444455556666"):
    gpus = smi().replace(
        b"</gpu>", f"<fabric><clusterUuid>{cluster}</clusterUuid></fabric></gpu>".encode()
    )
    files = {"gpu001/nvidia_smi.txt": gpus}
    if service:
        files["gpu001/imex.txt"] = service
    return check("runtime.imex", files)


UP = (FOLDER / "imex" / "up.json").read_bytes()
DOWN_DOMAIN = (FOLDER / "imex" / "down.json").read_bytes()


@pytest.mark.parametrize(
    ("service", "verdict", "words"),
    [
        (UP, PASS, "2 hosts are ready"),
        (
            DOWN_DOMAIN,
            FAIL,
            "the domain is DOWN; 10.0.0.2 is UNAVAILABLE; 10.0.0.1 to 10.0.0.2 is DISCONNECTED; "
            "10.0.0.2 to 10.0.0.2 is DISCONNECTED",
        ),
        (UP.replace(b'"CONNECTED"', b'"RECOVERING"', 1), FAIL, None),
        (None, UNKNOWN, "no output of nvidia-imex-ctl -N -j"),
        (b"{}\n", UNKNOWN, None),
    ],
)
def test_domain_is_up_where_every_host_is_ready_and_connected(service, verdict, words, check):
    ((found, subject, said),) = imex(check, service)
    assert (found, subject) == (verdict, NODE)
    assert words is None or said == words


def test_gpus_in_no_domain_of_several_hosts_need_no_service(check):
    ((verdict, _, _),) = imex(check, None, cluster="00000000-0000-0000-0000-000000000000")
    assert verdict is SKIP


# --- where Slurm says that a job is


PLACES = (FOLDER / "job_places" / "two-nodes.txt").read_bytes()
TOPOLOGY = (FOLDER / "slurm_topology" / "two-leaves.txt").read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "answer"),
    [
        (b"", b"", (PASS, "spine.leaf2.gpu003 in the job, below leaf2 in Slurm")),
        (
            b"leaf2.gpu003",
            b"leaf1.gpu003",
            (FAIL, "spine.leaf1.gpu003 in the job, below leaf2 in Slurm"),
        ),
        (
            b"spine.leaf2.gpu003",
            b"-",
            (FAIL, "- in the job, below leaf2 in Slurm"),
        ),
    ],
)
def test_address_of_a_job_ends_with_its_leaf_and_node(old, new, answer, check):
    files = {"job_places.txt": PLACES.replace(old, new), "slurm_topology.txt": TOPOLOGY}
    found = {one[1]: (one[0], one[2]) for one in check("sched.topology_address", files)}
    assert found["node/gpu003"] == answer
    assert found["node/gpu001"][0] is PASS


def test_node_that_slurms_topology_does_not_have_is_unknown(check):
    files = {
        "job_places.txt": PLACES.replace(b"gpu003", b"gpu009"),
        "slurm_topology.txt": TOPOLOGY,
    }
    found = {one[1]: one[0] for one in check("sched.topology_address", files)}
    assert found == {"node/gpu001": PASS, "node/gpu009": UNKNOWN}


def test_places_without_the_topology_or_twice_are_unknown(check):
    assert {one[0] for one in check("sched.topology_address", {"job_places.txt": PLACES})} == {
        UNKNOWN
    }
    files = {"job_places.txt": PLACES * 2, "slurm_topology.txt": TOPOLOGY}
    assert {one[0] for one in check("sched.topology_address", files)} == {UNKNOWN}
