"""Hosts, their logs, GPUs and lossless Ethernet: a good text, and one fault each."""

from __future__ import annotations

import json

import pytest

from sunk.assess.bundle import Kept, pack
from sunk.assess.evidence import evidence_of
from sunk_fabric.expected import Expected
from sunk_fabric.parse.dmesg import moment
from tests.support.fabric_checks import FAIL, PASS, SKIP, UNKNOWN, WARN
from tests.support.fabric_texts import fixtures

NODE, NETDEV, GPU = "node/gpu001", "node/gpu001/ens1np0", "node/gpu001/0000:0f:00.0"
TEXTS = {one.format: one.content for one in fixtures()}
LSPCI = (
    b"0f:00.0 3D controller: NVIDIA Corporation GH100 [H100 SXM5 80GB] (rev a1)\n"
    b"9c:00.0 Infiniband controller: Mellanox Technologies MT2910 Family [ConnectX-7]\n"
    b"9c:00.1 Infiniband controller: Mellanox Technologies ConnectX Family mlx5Gen "
    b"Virtual Function\n"
)
DECLARED = Expected(
    lossless_priority=3,
    roce_dscp=26,
    gpus_per_host=1,
    adapters_per_host=1,
    memory_gib_per_host=2016,
    hugepages={"2048kB": 512},
)
LIMITED = (
    b"252.056 Gb/s available PCIe bandwidth, limited by 32.0 GT/s PCIe x8 link at 0000:97:01.0"
)
ROOMY = b"504.112 Gb/s available PCIe bandwidth (32.0 GT/s PCIe x16 link)"


def kept(name, content, at="2026-11-21T07:04:15Z"):
    evidence = evidence_of(content, command=(name,), host="gpu001", at=at, exit_code=0)
    return Kept(evidence=evidence, output=content)


def judged(check, name, texts, expected=DECLARED):
    return check(name, pack([kept(one, content) for one, content in texts.items()]), expected)


CASES = [
    ("host.clock.sync", "chronyc", b"", b"", (PASS, NODE, "-0.000012 s, Normal")),
    (
        "host.clock.sync",
        "chronyc",
        b"0.000012417 seconds slow",
        b"0.200000000 seconds fast",
        (WARN, NODE, "+0.200000 s, Normal"),
    ),
    (
        "host.clock.sync",
        "chronyc",
        b"0.000012417 seconds",
        b"7.000000000 seconds",
        (FAIL, NODE, "-7.000000 s, Normal"),
    ),
    (
        "host.clock.sync",
        "chronyc",
        b": Normal",
        b": Not synchronised",
        (FAIL, NODE, "-0.000012 s, Not synchronised"),
    ),
    (
        "host.clock.sync",
        "timedatectl",
        b"",
        b"",
        (UNKNOWN, NODE, "synchronised; how far it is off is not told"),
    ),
    (
        "host.clock.sync",
        "timedatectl",
        b"NTPSynchronized=yes",
        b"NTPSynchronized=no",
        (FAIL, NODE, "it is not synchronised"),
    ),
    ("host.cpu.governor", "kernel_files", b"", b"", (PASS, NODE, "performance on 2")),
    (
        "host.cpu.governor",
        "kernel_files",
        b"cpu1/cpufreq/scaling_governor:performance",
        b"cpu1/cpufreq/scaling_governor:powersave",
        (WARN, NODE, "performance on 1, powersave on 1"),
    ),
    ("host.numa.balancing", "kernel_files", b"", b"", (PASS, NODE, "numa_balancing is 0")),
    (
        "host.numa.balancing",
        "kernel_files",
        b"numa_balancing:0",
        b"numa_balancing:1",
        (WARN, NODE, "numa_balancing is 1"),
    ),
    (
        "host.numa.balancing",
        "kernel_files",
        b"iommu=pt ",
        b"",
        (WARN, NODE, "the IOMMU translates"),
    ),
    ("host.hugepages", "kernel_files", b"", b"", (PASS, NODE, "2048kB: 512")),
    (
        "host.hugepages",
        "kernel_files",
        b"nr_hugepages:512",
        b"nr_hugepages:5",
        (FAIL, NODE, "2048kB: 5, 512 declared"),
    ),
    ("host.dmesg.mlx5", "dmesg", b"", b"", (PASS, NODE, "nothing of the kind in 4 lines")),
    (
        "host.dmesg.mlx5",
        "dmesg",
        ROOMY,
        b"health compromised - reached miss count",
        (
            FAIL,
            NODE,
            "1 lines, the last: mlx5_core 0000:9c:00.0: health compromised - reached miss count",
        ),
    ),
    (
        "host.dmesg.mlx5",
        "dmesg",
        ROOMY,
        b"Port module event: module 0, Cable unplugged",
        (
            WARN,
            NODE,
            "1 lines, the last: mlx5_core 0000:9c:00.0: Port module event: module 0, "
            "Cable unplugged",
        ),
    ),
    ("host.dmesg.xid", "dmesg", b"): 94, ", b"): 79, ", FAIL),
    (
        "host.dmesg.xid",
        "dmesg",
        b"06:50:00,000001+00:00 NVRM: Xid (PCI:0000:0f:00): 94",
        b"01:50:00,000001+00:00 NVRM: Xid (PCI:0000:0f:00): 79",
        WARN,
    ),
    ("host.dmesg.xid", "dmesg", b"12028, Non-fatal", b"12028, Fatal", FAIL),
    ("host.dmesg.xid", "dmesg", b"", b"", (PASS, NODE, "no fatal event in 4 lines")),
    (
        "pcie.kernel.limited",
        "dmesg",
        b"",
        b"",
        (PASS, f"{NODE}/0000:9c:00.0", "504.112 Gb/s available"),
    ),
    (
        "pcie.kernel.limited",
        "dmesg",
        ROOMY,
        LIMITED,
        (
            WARN,
            f"{NODE}/0000:9c:00.0",
            "252.056 Gb/s available, limited by 32.0 GT/s PCIe x8 link at 0000:97:01.0",
        ),
    ),
    ("pcie.kernel.limited", "dmesg", b"mlx5_core", b"mlx4_core", UNKNOWN),
    (
        "host.gpu.rowremap",
        "nvidia_smi",
        b"",
        b"",
        (PASS, GPU, "no remap pending or failed, ECC is on"),
    ),
    (
        "host.gpu.rowremap",
        "nvidia_smi",
        b"pending>No<",
        b"pending>Yes<",
        (FAIL, GPU, "a remap of rows is pending"),
    ),
    ("host.gpu.rowremap", "nvidia_smi", b">Enabled<", b">Disabled<", (FAIL, GPU, "ECC is off")),
    (
        "host.gpu.rowremap",
        "nvidia_smi",
        b">No<",
        b">N/A<",
        (UNKNOWN, GPU, "remapped rows or ECC are not told"),
    ),
    ("pcie.link.gpu", "nvidia_smi", b"", b"", (PASS, GPU, "generation 5 x16, 5 x16 possible")),
    (
        "pcie.link.gpu",
        "nvidia_smi",
        b"current_link_width>16x",
        b"current_link_width>8x",
        (FAIL, GPU, "generation 5 x8, 5 x16 possible"),
    ),
    (
        "pcie.link.gpu",
        "nvidia_smi",
        b"current_link_gen>5",
        b"current_link_gen>1",
        (SKIP, GPU, "generation 1 x16, 5 x16 possible, and the GPU is idle"),
    ),
    ("loc.nvlink.fabric", "nvidia_smi", b"", b"", PASS),
    (
        "loc.nvlink.fabric",
        "nvidia_smi",
        b">Completed<",
        b">In Progress<",
        (FAIL, NODE, "1 GPUs, 0000:0f:00.0: In Progress, Success"),
    ),
    (
        "loc.nvlink.fabric",
        "nvidia_smi",
        b">Completed<",
        b">N/A<",
        (SKIP, NODE, "GPUs of this kind join no fabric"),
    ),
    (
        "host.inventory.match",
        "lspci",
        b"",
        b"",
        (UNKNOWN, NODE, "1 GPUs, 1 adapters; memory is not told"),
    ),
    (
        "host.inventory.match",
        "lspci",
        b"3D controller",
        b"Multimedia controller",
        (FAIL, NODE, "0 GPUs, 1 declared"),
    ),
    ("roce.trust", "mlnx_qos", b"", b"", (PASS, NETDEV, "dscp is trusted")),
    ("roce.trust", "mlnx_qos", b"state: dscp", b"state: pcp", (FAIL, NETDEV, "pcp is trusted")),
    ("roce.pfc", "mlnx_qos", b"", b"", (PASS, NETDEV, "flow control on 3, 3 declared")),
    (
        "roce.pfc",
        "mlnx_qos",
        b"0   0   0   1   0   0   0   0   \n\tbuffer",
        b"0   0   0   1   0   1   0   0   \n\tbuffer",
        (FAIL, NETDEV, "flow control on 3, 5, 3 declared"),
    ),
    (
        "roce.dscp.mapping",
        "mlnx_qos",
        b"",
        b"",
        (PASS, NETDEV, "DSCP 26 goes to priority 3, 3 declared"),
    ),
    (
        "roce.dscp.mapping",
        "mlnx_qos",
        b"prio:3 dscp:31",
        b"prio:4 dscp:31",
        (FAIL, NETDEV, "DSCP 26 goes to priority 4, 3 declared"),
    ),
    ("roce.ecn", "kernel_files", b"", b"", (PASS, NETDEV, "both points are on for priority 3")),
    (
        "roce.ecn",
        "kernel_files",
        b"roce_rp/enable/3:1",
        b"roce_rp/enable/3:0",
        (FAIL, NETDEV, "roce_rp is off for priority 3"),
    ),
    (
        "roce.tclass",
        "kernel_files",
        b"",
        b"",
        (PASS, f"{NODE}/mlx5_0/1", "default_roce_tos 104 is DSCP 26, 26 declared"),
    ),
    (
        "roce.tclass",
        "kernel_files",
        b"tos:104",
        b"tos:0",
        (FAIL, f"{NODE}/mlx5_0/1", "default_roce_tos 0 is DSCP 0, 26 declared"),
    ),
    ("roce.neighbour", "kernel_files", b"", b"", (PASS, NODE, "arp_ignore 1, arp_announce 2")),
    (
        "roce.neighbour",
        "kernel_files",
        b"arp_announce:2",
        b"arp_announce:0",
        (WARN, NODE, "arp_ignore 1, arp_announce 0"),
    ),
]


@pytest.mark.parametrize(("name", "form", "old", "new", "answer"), CASES)
def test_text_is_judged(name, form, old, new, answer, check):
    text = LSPCI if form == "lspci" else TEXTS[form]
    assert old in text
    found = judged(check, name, {form: text.replace(old, new) if old else text})
    if isinstance(answer, tuple):
        assert found == [answer]
    else:
        assert [verdict for verdict, _, _ in found] == [answer]


@pytest.mark.parametrize("name", ["roce.pfc", "roce.dscp.mapping", "roce.ecn", "roce.tclass"])
def test_what_is_not_declared_is_unknown(name, check):
    form = "kernel_files" if name in {"roce.ecn", "roce.tclass"} else "mlnx_qos"
    found = judged(check, name, {form: TEXTS[form]}, Expected())
    assert [verdict for verdict, _, _ in found] == [UNKNOWN]


def test_slot_too_narrow_for_its_port_fails(check):
    port = {"number": 1, "values": {"rate": "400 Gb/sec (4X NDR)"}}
    view = {
        "devices": [
            {"name": "mlx5_0", "pci": [{"address": "0000:9c:00.0", "values": {}}], "ports": [port]}
        ]
    }
    files = {
        "gpu001/dmesg.txt": TEXTS["dmesg"].replace(ROOMY, LIMITED),
        "gpu001/sysfs_rdma.txt": view,
    }
    ((verdict, _, found),) = check("pcie.kernel.limited", files)
    assert (verdict, found.partition("; ")[2]) == (FAIL, "the port has 400 Gb/s")


def test_memory_and_parts_as_declared_pass(check):
    texts = {"lspci": LSPCI, "kernel_files": TEXTS["kernel_files"]}
    assert judged(check, "host.inventory.match", texts) == [
        (PASS, NODE, "1 GPUs, 1 adapters, 2016 GiB of memory")
    ]


def seen(*devices):
    """What the kernel says of RDMA devices: name, PCI address and link layer of each."""
    return json.dumps(
        {
            "has_rdma": True,
            "devices": [
                {
                    "name": name,
                    "values": {},
                    "ports": [{"number": 1, "values": {"link_layer": layer}}],
                    "pci": [{"address": address, "values": {}}] if address else [],
                }
                for name, address, layer in devices
            ],
        }
    ).encode()


OTHERS = (
    b"0f:00.0 3D controller: NVIDIA Corporation GH100 [H100 SXM5 80GB] (rev a1)\n"
    b"9c:00.0 Ethernet controller: Broadcom Inc. and subsidiaries BCM57608\n"
    b"9c:00.1 Ethernet controller: Broadcom Inc. and subsidiaries BCM57608\n"
)


@pytest.mark.parametrize(
    ("devices", "answer"),
    [
        ([("bnxt_re0", "0000:9c:00.0", "Ethernet")], (PASS, NODE, "1 GPUs, 1 adapters")),
        ([("rxe0", "", "Ethernet")], (PASS, NODE, "1 GPUs, 1 adapters")),
        ([], (FAIL, NODE, "0 adapters, 1 declared")),
        (
            None,
            (
                *(UNKNOWN, NODE),
                "1 GPUs; which cards of other makers speak RDMA is not told",
            ),
        ),
    ],
    ids=["another maker", "soft", "none", "not told"],
)
def test_adapters_of_any_maker_are_counted_as_the_kernel_tells_them(check, devices, answer):
    declared = Expected(gpus_per_host=1, adapters_per_host=1)
    texts = {"lspci": OTHERS}
    if devices is not None:
        texts["sysfs_rdma"] = seen(*devices)
    assert judged(check, "host.inventory.match", texts, declared) == [answer]


def test_both_functions_of_a_card_are_adapters(check):
    second = LSPCI.replace(b"9c:00.1", b"9c:00.2").splitlines(keepends=True)[1]
    text = LSPCI + second.replace(b"9c:00.0", b"9c:00.1")
    declared = Expected(adapters_per_host=2)
    texts = {"lspci": text, "sysfs_rdma": seen(("mlx5_0", "0000:9c:00.0", "InfiniBand"))}
    assert judged(check, "host.inventory.match", texts, declared) == [
        (PASS, NODE, "1 GPUs, 2 adapters")
    ]


@pytest.mark.parametrize(
    ("layers", "answer"),
    [
        (["Ethernet", "Ethernet"], (WARN, NODE, "arp_ignore 1, arp_announce 0")),
        (["Ethernet", "InfiniBand"], (SKIP, NODE, "one alone is on Ethernet")),
        (["InfiniBand"], (SKIP, NODE, "no RDMA device is on Ethernet")),
    ],
)
def test_one_card_alone_on_ethernet_has_nobody_to_answer_for(check, layers, answer):
    loose = TEXTS["kernel_files"].replace(b"arp_announce:2", b"arp_announce:0")
    devices = [(f"mlx5_{at}", f"0000:9{at}:00.0", layer) for at, layer in enumerate(layers)]
    texts = {"kernel_files": loose, "sysfs_rdma": seen(*devices)}
    assert judged(check, "roce.neighbour", texts) == [answer]


def test_two_kernels_are_a_warning(check):
    other = TEXTS["uname"].replace(b"6.8.0-45", b"6.8.0-40")
    files = {"gpu001/uname.txt": TEXTS["uname"], "gpu002/uname.txt": other}
    assert check("host.kernel.uniform", files) == [
        (
            WARN,
            "software/kernel",
            "6.8.0-45-generic on 1, 6.8.0-40-generic on 1 hosts",
        )
    ]
    del files["gpu002/uname.txt"]
    assert check("host.kernel.uniform", files | {"gpu002/uname.txt": TEXTS["uname"]}) == [
        (PASS, "software/kernel", "6.8.0-45-generic on 2 hosts")
    ]


# --- counters of two readings


def twice(form, before, after, minutes=60):
    late = f"2026-11-21T{7 + minutes // 60:02}:{4 + minutes % 60:02}:15Z"
    return pack([kept(form, before), kept(form, after, at=late)])


def stats(pause=0, duration=0, discards=0):
    return (
        "# ens1np0\nNIC statistics:\n"
        f"     rx_prio3_pause: {pause}\n     rx_prio3_pause_duration: {duration}\n"
        f"     rx_prio3_discards: {discards}\n"
    ).encode()


@pytest.mark.parametrize(
    ("after", "answer"),
    [
        (stats(5, 5), (PASS, "3 counters stand still")),
        (stats(9, 1_000_005), (PASS, "paused 0.03% of the time")),
        (stats(9, 72_000_005), (WARN, "paused 2.00% of the time")),
        (stats(5, 5, 1), (FAIL, "rx_prio3_discards +1")),
        (stats(4, 5), (UNKNOWN, "a counter went down: rx_prio3_pause +-1")),
    ],
)
def test_pauses_between_two_readings(after, answer, check):
    assert check("roce.pause", twice("ethtool", stats(5, 5), after)) == [
        (answer[0], NETDEV, answer[1])
    ]


@pytest.mark.parametrize(
    ("counted", "verdict"), [(stats(), PASS), (stats(discards=3), UNKNOWN)], ids=["none", "some"]
)
def test_one_reading_proves_silence_alone(counted, verdict, check):
    assert judged(check, "roce.pause", {"ethtool": counted})[0][0] is verdict


MODULES = b"nvidia_peermem 1 0 - Live 0x0\nmlx5_core 1 0 - Live 0x0\n"
DIRECT = "gpu001:7:9 [0] NCCL INFO NET/IB : GPU Direct RDMA {} for HCA 0 'mlx5_0'\n"


@pytest.mark.parametrize(
    ("files", "verdict"),
    [
        ({"proc_modules": MODULES}, PASS),
        ({"proc_modules": MODULES.replace(b"nvidia_peermem", b"nvidia")}, UNKNOWN),
        ({"nccl_log": DIRECT.format("Enabled").encode()}, PASS),
        ({"nccl_log": DIRECT.format("Disabled").encode(), "proc_modules": MODULES}, FAIL),
        ({}, UNKNOWN),
    ],
)
def test_way_to_gpu_memory_is_a_module_or_what_nccl_found(files, verdict, check):
    texts = {"nvidia_smi": TEXTS["nvidia_smi"], **files}
    assert [one[0] for one in judged(check, "host.gdr.path", texts)] == [verdict]


def view(marked=0, sent=0, fatal=0, correctable=0):
    values = {
        "aer_dev_fatal": f"Undefined 0\nTOTAL_ERR_FATAL {fatal}",
        "aer_dev_nonfatal": "TOTAL_ERR_NONFATAL 0",
        "aer_dev_correctable": f"TOTAL_ERR_COR {correctable}",
    }
    port = {
        "number": 1,
        "values": {"link_layer": "Ethernet"},
        "hw_counters": {"np_ecn_marked_roce_packets": marked, "np_cnp_sent": sent},
    }
    pci = [{"address": "0000:9c:00.0", "values": values}]
    return {"has_rdma": True, "devices": [{"name": "mlx5_0", "pci": pci, "ports": [port]}]}


@pytest.mark.parametrize(
    ("name", "after", "verdict"),
    [
        ("roce.congestion.loop", view(9, 3), PASS),
        ("roce.congestion.loop", view(9, 1), FAIL),
        ("roce.congestion.loop", view(1, 1), UNKNOWN),
        ("roce.congestion.loop", view(0, 3), UNKNOWN),
        ("pcie.aer", view(), PASS),
        ("pcie.aer", view(fatal=1), FAIL),
        ("pcie.aer", view(correctable=9), PASS),
        ("pcie.aer", view(correctable=11), WARN),
    ],
)
def test_growth_between_two_snapshots(name, after, verdict, check):
    files = twice("sysfs_rdma", json.dumps(view(1, 1)).encode(), json.dumps(after).encode())
    assert [one[0] for one in check(name, files)] == [verdict]


def test_functions_without_a_gid_fail(check):
    one = view()
    one["devices"][0]["is_vf"] = True
    assert check("roce.gid.table_space", {"gpu001/sysfs_rdma.txt": one}) == [
        (FAIL, f"{NODE}/mlx5_0", "0 entries")
    ]
    one["devices"][0]["ports"][0]["gids"] = [{"index": 3, "gid": "::1", "type": "RoCE v2"}]
    assert check("roce.gid.table_space", {"gpu001/sysfs_rdma.txt": one})[0][0] is PASS


LOG = (
    "gpu001:7:9 [0] NCCL INFO NET/IB : Using [0]mlx5_0:1/RoCE [RO]; OOB eth0:10.0.0.1<0>\n"
    "gpu001:7:9 [0] NCCL INFO NCCL_IB_HCA set by environment to mlx5_0\n"
)
SET = "gpu001:7:9 [0] NCCL INFO NCCL_IB_{} set by environment to {}\n"


@pytest.mark.parametrize(
    ("name", "lines", "verdict"),
    [
        ("roce.gid.index", "", PASS),
        ("roce.gid.index", SET.format("GID_INDEX", 3), WARN),
        ("roce.tclass", SET.format("TC", 106), PASS),
        ("roce.tclass", "", FAIL),
    ],
)
def test_variables_of_jobs_are_judged(name, lines, verdict, check):
    found = judged(check, name, {"nccl_log": (LOG + lines).encode()})
    assert [one[0] for one in found if one[1].startswith("run/")] == [verdict]


def test_fixed_index_that_points_to_an_unfit_entry_fails(check):
    one = view()
    gid = {"index": 3, "gid": "0000::ffff:0a14:0007", "type": "RoCE v2"}
    one["devices"][0]["ports"][0]["gids"] = [gid]
    files = {
        "gpu001/nccl_log.txt": (LOG + SET.format("GID_INDEX", 4)).encode(),
        "gpu001/sysfs_rdma.txt": one,
    }
    ((verdict, _, found),) = check("roce.gid.index", files)
    assert (verdict, found) == (
        FAIL,
        "NCCL_IB_GID_INDEX 4 is no routable RoCE v2 entry of mlx5_0: those are 3",
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-21T07:04:15Z", 1795244655.0),
        ("2026-11-21T09:04:15,123456+02:00", 1795244655.0),
        ("2026-11-21T02:34:15-0430", 1795244655.0),
        ("2026-13-21T07:04:15Z", None),
        ("yesterday", None),
    ],
)
def test_times_of_texts_are_moments_in_utc(text, seconds):
    assert moment(text) == seconds
