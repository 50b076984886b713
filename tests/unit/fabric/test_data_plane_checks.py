"""SR-IOV, Kubernetes' counts, and what Pods see: verdicts on altered sites, one fault each."""

from __future__ import annotations

import copy
import json

import pytest

from sunk.assess.verdict import Verdict
from sunk_fabric.expected import Expected
from tests.support.fabric_checks import FAIL, PASS, SKIP, UNKNOWN, WARN, every

CARD, VF = "0000:9c:00.0", "0000:9c:00.1"
LIMITS = (
    "Limit                     Soft Limit           Hard Limit           Units     \n"
    "Max locked memory         {0:<20} {0:<20} bytes     \n"
)
DF = "Filesystem     1024-blocks  Used Available Capacity Mounted on\nshm {} 0 {} 0% /dev/shm\n"
TOPO = "\tGPU0\tNIC0\nGPU0\t X \tPIX\nNIC0\tPIX\t X \n\nNIC Legend:\n\n  NIC0: mlx5_1\n"
LIBRARIES = (
    "2 libs found in cache `/etc/ld.so.cache'\n"
    "\tlibibverbs.so.1 (libc6,x86-64) => /lib/libibverbs.so.1\n"
)
LSPCI = (
    "0f:00.0 3D controller: NVIDIA Corporation GH100 [H100 SXM5 80GB] (rev a1)\n"
    "9c:00.0 Infiniband controller: Mellanox Technologies MT2910 Family [ConnectX-7]\n"
)


def device(name, address, *, is_vf=False, netdev="net1"):
    gids = [{"index": 3, "gid": "0000:0000:0000:0000:0000:ffff:0a14:0007", "type": "RoCE v2"}]
    values = {"state": "4: ACTIVE", "phys_state": "5: LinkUp", "link_layer": "Ethernet"}
    return {
        "name": name,
        "numa_node": 0,
        "is_vf": is_vf,
        "netdevs": [netdev],
        "pci": [{"address": address, "values": {}}],
        "ports": [{"number": 1, "values": values, "gids": gids}],
    }


def listed(kind, *items):
    return {"kind": f"{kind}List", "items": list(items)}


def site():
    """Return a healthy site of one Node and one Pod, as parts that tests break."""
    policy = {
        "resourceName": "rail0",
        "nodeSelector": {"gpu": "h100"},
        "numVfs": 1,
        "isRdma": True,
        "nicSelector": {"vendor": "15b3", "pfNames": ["ens1np0#0-0"]},
    }
    group = {"resourceName": "rail0", "vfRange": "0-0", "policyName": "rail0"}
    card = {
        "name": "ens1np0",
        "pciAddress": CARD,
        "vendor": "15b3",
        "deviceID": "1021",
        "eSwitchMode": "legacy",
        "totalvfs": 16,
        "numVfs": 1,
        "Vfs": [{"vfID": 0, "pciAddress": VF}],
    }
    state = {
        "metadata": {"name": "gpu001"},
        "spec": {"interfaces": [{"pciAddress": CARD, "numVfs": 1, "vfGroups": [group]}]},
        "status": {"syncStatus": "Succeeded", "interfaces": [card]},
    }
    amounts = {"nvidia.com/rail0": "1", "nvidia.com/gpu": "1"}
    status = {
        "name": "hpc/rail0",
        "interface": "net1",
        "ips": ["10.20.0.7"],
        "device-info": {"type": "pci", "pci": {"pci-address": VF, "rdma-device": "mlx5_1"}},
    }
    function = {"vf": 0, "spoofchk": True, "link_state": "auto", "trust": False}
    attributes = {
        "x.io/rdma": {"bool": True},
        "x.io/rdmaDevice": {"string": "mlx5_0"},
        "x.io/numaNode": {"int": 0},
        "x.io/pciAddress": {"string": CARD},
    }
    offered = {"driver": "x.io", "nodeName": "gpu001"}
    offered["devices"] = [{"name": "net0", "attributes": attributes}]
    definition = {
        "metadata": {
            "name": "rail0",
            "namespace": "hpc",
            "annotations": {"k8s.v1.cni.cncf.io/resourceName": "nvidia.com/rail0"},
        },
        "spec": {"config": '{"type": "sriov"}'},
    }
    return {
        "policy": policy,
        "state": state,
        "card": card,
        "node": {"capacity": amounts, "allocatable": dict(amounts)},
        "status": status,
        "networks": "hpc/rail0",
        "devices": {"nvidia.com/rail0": 1, "nvidia.com/gpu": 1},
        "function": function,
        "link_type": "ether",
        "host": {"has_rdma": True, "devices": [device("mlx5_0", CARD, netdev="ens1np0")]},
        "inside": {"has_rdma": True, "devices": [device("mlx5_1", VF, is_vf=True)]},
        "mtu": 9000,
        "mode": "exclusive",
        "env": f"PCIDEVICE_NVIDIA_COM_RAIL0={VF}\n",
        "locked": "unlimited",
        "shm": 8 * 2**20,
        "topo": TOPO,
        "libraries": LIBRARIES,
        "lspci": LSPCI,
        "offered": offered,
        "definition": definition,
        "operator": {"state": "ready", "appliedStates": [{"name": "state-OFED", "state": "ready"}]},
    }


def files(parts):
    status = json.dumps([{"name": "cluster", "default": True}, parts["status"]])
    pod = {
        "namespace": "slurm",
        "name": "w-0",
        "node": "gpu001",
        "networks": parts["networks"],
        "status": status,
        "devices": parts["devices"],
    }
    parent = {
        "ifname": "ens1np0",
        "mtu": 9000,
        "operstate": "UP",
        "link_type": parts["link_type"],
        "vfinfo_list": [parts["function"]],
    }
    inner = {"ifname": "net1", "mtu": parts["mtu"], "operstate": "UP", "link_type": "ether"}
    named = {"metadata": {"name": "rail0"}, "spec": parts["policy"]}
    node = {"metadata": {"name": "gpu001", "labels": {"gpu": "h100"}}, "status": parts["node"]}
    return {
        "sriov_policies.txt": listed("SriovNetworkNodePolicy", named),
        "sriov_state.txt": listed("SriovNetworkNodeState", parts["state"]),
        "nodes.txt": listed("Node", node),
        "network_attachments.txt": listed("NetworkAttachmentDefinition", parts["definition"]),
        "nic_cluster_policies.txt": listed(
            "NicClusterPolicy", {"metadata": {"name": "nic"}, "status": parts["operator"]}
        ),
        "resource_slices.txt": listed("ResourceSlice", {"spec": parts["offered"]}),
        "pod_networks.txt": [pod],
        "gpu001/ip_link.txt": [parent],
        "gpu001/sysfs_rdma.txt": parts["host"],
        "gpu001/rdma_system.txt": [{"netns": parts["mode"]}],
        "gpu001/lspci.txt": parts["lspci"].encode(),
        "w-0/sysfs_rdma.txt": parts["inside"],
        "w-0/ip_link.txt": [inner],
        "w-0/pcidevice_env.txt": parts["env"].encode(),
        "w-0/proc_limits.shell.txt": LIMITS.format(parts["locked"]).encode(),
        "w-0/ldconfig.txt": parts["libraries"].encode(),
        "w-0/nvidia_topo.txt": parts["topo"].encode(),
        "w-0/df.txt": DF.format(parts["shm"], parts["shm"]).encode(),
    }


def changed(parts, path, value):
    *way, last = path
    at = parts
    for step in way:
        at = at[step]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return parts


HEALTHY = (
    "k8s.control_vs_hardware",
    "k8s.dra.claims",
    "k8s.operator.state",
    "k8s.pod.device_env",
    "k8s.pod.gid_mtu",
    "k8s.pod.memlock",
    "k8s.pod.network_status",
    "k8s.pod.rdma_visible",
    "k8s.pod.request_match",
    "k8s.pod.shm",
    "k8s.pod.stack",
    "loc.pod.gpu_nic",
    "runtime.gpu_container",
    "sriov.eswitch",
    "sriov.numa.advertised",
    "sriov.policy.selects",
    "sriov.resource.advertised",
    "sriov.resource.health",
    "sriov.vf.link",
    "sriov.vf.rdma",
    "sriov.vf.trust",
)
DECLARED = Expected(vf_trust=False, vf_spoof_check=True)


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_site_passes(name, check):
    found = check(name, files(site()), DECLARED)
    assert {verdict for verdict, _, _ in found} <= {PASS, SKIP}
    assert PASS in {verdict for verdict, _, _ in found}


POD, NODE = "pod/slurm/w-0", "node/gpu001"
FUNCTION = f"{NODE}/ens1np0/vf0"
BROKEN = [
    (
        "sriov.policy.selects",
        ("policy", "nicSelector", "pfNames"),
        ["ens9np9"],
        (FAIL, f"{NODE}/rail0", "its nicSelector selects none of 1 cards"),
    ),
    (
        "sriov.policy.selects",
        ("policy", "nodeSelector"),
        {"gpu": "b200"},
        (FAIL, "policy/rail0", "its nodeSelector means no Node"),
    ),
    (
        "sriov.policy.selects",
        ("state", "spec", "interfaces", 0, "vfGroups"),
        [{"resourceName": one, "vfRange": "0-0", "policyName": one} for one in ("rail0", "x")],
        (FAIL, NODE, f"function 0 of {CARD} has two policies: rail0 and x"),
    ),
    (
        "sriov.policy.selects",
        ("state", "metadata", "name"),
        "gpu002",
        (UNKNOWN, f"{NODE}/rail0", "the operator tells no state of this Node"),
    ),
    (
        "sriov.numa.advertised",
        ("policy", "excludeTopology"),
        True,
        (WARN, "policy/rail0", "excludeTopology hides the NUMA node from the kubelet"),
    ),
    (
        "sriov.eswitch",
        ("card", "eSwitchMode"),
        "switchdev",
        (FAIL, f"{NODE}/{CARD}", "switchdev, legacy asked for"),
    ),
    (
        "sriov.eswitch",
        ("card", "eSwitchMode"),
        None,
        (UNKNOWN, f"{NODE}/{CARD}", "the card's mode is not told"),
    ),
    (
        "sriov.resource.advertised",
        ("node", "capacity", "nvidia.com/rail0"),
        "0",
        (FAIL, f"{NODE}/rail0", "0 offered, 1 functions are there"),
    ),
    (
        "sriov.resource.advertised",
        ("node", "capacity", "nvidia.com/rail0"),
        "2",
        (WARN, f"{NODE}/rail0", "2 offered, 1 functions are there: the device plugin is stale"),
    ),
    (
        "sriov.resource.health",
        ("node", "allocatable", "nvidia.com/rail0"),
        "0",
        (FAIL, NODE, "nvidia.com/rail0: 0 of 1"),
    ),
    (
        "sriov.vf.rdma",
        ("inside", "devices"),
        [],
        (FAIL, f"{NODE}/{CARD}", f"no RDMA device at {VF}"),
    ),
    (
        "sriov.vf.link",
        ("function", "link_state"),
        "disable",
        (FAIL, FUNCTION, "link state disable"),
    ),
    (
        "sriov.vf.link",
        ("inside", "devices", 0, "ports", 0, "values", "state"),
        "1: DOWN",
        (FAIL, f"{POD}/mlx5_1", "1: DOWN"),
    ),
    (
        "sriov.vf.trust",
        ("function", "trust"),
        True,
        (FAIL, FUNCTION, "trust on, spoof check on; declared: trust off"),
    ),
    (
        "sriov.vf.trust",
        ("function", "spoofchk"),
        None,
        (UNKNOWN, FUNCTION, "trust off, spoof check not told"),
    ),
    (
        "k8s.pod.request_match",
        ("devices",),
        {"nvidia.com/rail0": 2},
        (FAIL, POD, "nvidia.com/rail0: 2 asked for, 1 networks need one"),
    ),
    (
        "k8s.pod.request_match",
        ("networks",),
        "hpc/rail7",
        (FAIL, POD, "there is no attachment hpc/rail7"),
    ),
    (
        "k8s.pod.request_match",
        ("networks",),
        "[{",
        (UNKNOWN, POD, "the list of networks cannot be read"),
    ),
    (
        "k8s.pod.network_status",
        ("networks",),
        "hpc/rail0,hpc/rail1@net2",
        (FAIL, POD, "not attached: hpc/rail1"),
    ),
    (
        "k8s.pod.network_status",
        ("status", "device-info"),
        None,
        (WARN, POD, "no device is told of for hpc/rail0"),
    ),
    (
        "k8s.pod.device_env",
        ("env",),
        "PCIDEVICE_NVIDIA_COM_RAIL0=0000:9c:00.2\n",
        (FAIL, POD, f"PCIDEVICE_* name 0000:9c:00.2, network-status {VF}"),
    ),
    (
        "k8s.pod.device_env",
        ("inside", "devices"),
        [],
        (FAIL, POD, f"{VF} has no RDMA device in the Pod"),
    ),
    (
        "k8s.pod.rdma_visible",
        ("inside", "devices"),
        [device("mlx5_1", VF), device("mlx5_2", "0000:9c:00.2")],
        (FAIL, POD, "it sees mlx5_2 too, which it was not granted"),
    ),
    ("k8s.pod.rdma_visible", ("inside", "devices"), [], (FAIL, POD, f"no RDMA device for {VF}")),
    ("k8s.pod.gid_mtu", ("mtu",), 1500, (FAIL, POD, "MTU of net1 1500 bytes, 4154 are needed")),
    (
        "k8s.pod.gid_mtu",
        ("inside", "devices", 0, "ports", 0, "gids"),
        [{"index": 0, "gid": "fe80::1", "type": "RoCE v2"}],
        (FAIL, POD, "no routable RoCE v2 entry at mlx5_1"),
    ),
    ("k8s.pod.memlock", ("locked",), "65536", (FAIL, POD, "locked memory is 65536 bytes")),
    (
        "k8s.pod.stack",
        ("libraries",),
        "2 libs found in cache `/etc/ld.so.cache'\n",
        (FAIL, POD, "neither libfabric.so.1 nor libibverbs.so.1 is found"),
    ),
    (
        "k8s.pod.stack",
        ("status", "device-info"),
        None,
        (SKIP, POD, "no device was granted"),
    ),
    (
        "loc.pod.gpu_nic",
        ("topo",),
        TOPO.replace("PIX", "SYS"),
        (FAIL, POD, "GPU0: mlx5_1 is nearest, at SYS"),
    ),
    (
        "loc.pod.gpu_nic",
        ("topo",),
        "\tGPU0\nGPU0\t X \n",
        (UNKNOWN, POD, "no adapter or no GPU is seen in it, 1 GPUs"),
    ),
    ("loc.pod.gpu_nic", ("devices", "nvidia.com/gpu"), 0, (SKIP, POD, "it asked for no GPU")),
    (
        "runtime.gpu_container",
        ("devices", "nvidia.com/gpu"),
        2,
        (FAIL, POD, "1 GPUs, 2 asked for"),
    ),
    ("runtime.gpu_container", ("devices", "nvidia.com/gpu"), 0, (SKIP, POD, "it asked for no GPU")),
    (
        "runtime.gpu_container",
        ("topo",),
        "\tGPU0\tGPU1\nGPU0\t X \tNV18\nGPU1\tNV18\t X \n",
        (WARN, POD, "2 GPUs, 1 asked for"),
    ),
    ("k8s.pod.shm", ("shm",), 65536, (FAIL, POD, "64 MiB at /dev/shm")),
    (
        "k8s.control_vs_hardware",
        ("node", "capacity", "nvidia.com/gpu"),
        "7",
        (FAIL, NODE, "nvidia.com/gpu: 7 counted, 1 on the PCI bus"),
    ),
    (
        "k8s.dra.claims",
        ("offered", "devices", 0, "attributes", "x.io/numaNode"),
        {"int": 1},
        (FAIL, f"{NODE}/{CARD}", "numaNode 1 offered, 0 there"),
    ),
    (
        "k8s.dra.claims",
        ("host", "devices"),
        [],
        (
            FAIL,
            f"{NODE}/{CARD}",
            "rdma True offered, False there; rdmaDevice mlx5_0 offered, none there",
        ),
    ),
    (
        "k8s.operator.state",
        ("operator",),
        {"state": "notReady", "appliedStates": [{"name": "state-OFED", "state": "notReady"}]},
        (FAIL, "operator/nic", "notReady; state-OFED: notReady"),
    ),
    ("k8s.operator.state", ("operator",), {}, (UNKNOWN, "operator/nic", "no state")),
]


@pytest.mark.parametrize(
    ("name", "path", "value", "answer"), BROKEN, ids=lambda one: one if isinstance(one, str) else ""
)
def test_one_fault_is_named(name, path, value, answer, check):
    found = check(name, files(changed(site(), path, copy.deepcopy(value))), DECLARED)
    assert answer in found
    assert [one for one in found if one[1] == answer[1]] == [answer]


def test_limit_of_a_pod_that_its_node_has_too_is_the_nodes(tmp_path):
    low = LIMITS.format("65536").encode()
    changed_files = files(changed(site(), ("locked",), "65536"))
    for host in ("gpu001", "gpu002"):
        changed_files |= {f"{host}/proc_limits.{one}.txt": low for one in ("shell", "slurmd")}
    names = ["host.limits.memlock", "k8s.pod.memlock"]
    found = every(tmp_path, changed_files, only=names)
    assert [(one.check, one.verdict, one.subject) for one in found if one.check in names] == [
        (names[0], FAIL, "limits/memlock"),
        (names[1], Verdict.BLOCKED, POD),
    ]


INSIDE = {
    "k8s.pod.device_env": "w-0/pcidevice_env.txt",
    "k8s.pod.gid_mtu": "w-0/sysfs_rdma.txt",
    "k8s.pod.memlock": "w-0/proc_limits.shell.txt",
    "k8s.pod.rdma_visible": "w-0/sysfs_rdma.txt",
    "k8s.pod.shm": "w-0/df.txt",
    "k8s.pod.stack": "w-0/ldconfig.txt",
    "loc.pod.gpu_nic": "w-0/nvidia_topo.txt",
    "runtime.gpu_container": "w-0/nvidia_topo.txt",
}


@pytest.mark.parametrize(("name", "path"), sorted(INSIDE.items()))
def test_pod_of_which_nothing_was_collected_is_unknown(name, path, check):
    without = {key: one for key, one in files(site()).items() if key != path}
    ((verdict, subject, found),) = check(name, without)
    assert (verdict, subject) == (UNKNOWN, POD)
    assert found.endswith("from inside it")


def test_function_in_a_pod_that_was_not_collected_is_unknown(check):
    without = {key: one for key, one in files(site()).items() if not key.startswith("w-0/")}
    assert check("sriov.vf.rdma", without) == [
        (UNKNOWN, f"{NODE}/{CARD}", f"{VF} is in a Pod that was not collected")
    ]


def test_undeclared_trust_is_unknown(check):
    assert check("sriov.vf.trust", files(site()))[0] == (
        UNKNOWN,
        FUNCTION,
        "trust off, spoof check on; neither is declared",
    )


@pytest.mark.parametrize(
    ("guids", "answer"),
    [
        (("a0:88:c2:03:00:00:10:01",) * 2, (PASS, "node GUID a0:88:c2:03:00:00:10:01")),
        (
            ("00:00:00:00:00:00:00:00", "a0:88:c2:03:00:00:10:01"),
            (FAIL, "the node GUID is all zero"),
        ),
        (("", "a0:88:c2:03:00:00:10:01"), (UNKNOWN, "the node GUID is not told")),
    ],
)
def test_functions_of_infiniband_cards_need_guids(guids, answer, check):
    parts = site()
    parts["link_type"] = "infiniband"
    parts["function"] |= dict(zip(("node guid", "port guid"), guids, strict=True))
    found = check("sriov.vf.ib_guid", files(parts))
    assert (answer[0], FUNCTION, answer[1]) in found


def test_other_devices_in_a_pod_are_isolation_only_where_the_mode_is_known(check):
    for mode, verdict in (("shared", WARN), ("exclusive", FAIL)):
        parts = site()
        parts["mode"] = mode
        parts["inside"]["devices"].append(device("mlx5_2", "0000:9c:00.2"))
        ((said, _, _),) = check("k8s.pod.rdma_visible", files(parts))
        assert said is verdict
    without = files(parts)
    without["gpu001/rdma_system.txt"] = []
    assert check("k8s.pod.rdma_visible", without)[0][0] is UNKNOWN
