"""The proof chain: a whole one passes, and each hop that is broken is the one that is named."""

from __future__ import annotations

import copy
import json

import pytest

from sunk.assess.verdict import Verdict
from sunk_fabric import folder as folders
from sunk_fabric import service
from sunk_fabric.chain import Hop, sight_of
from sunk_fabric.expected import Expected
from sunk_fabric.hops import chains
from tests.support.fabric_texts import FOLDER
from tests.support.golden import check_golden

VF = "0000:9c:00.1"
LOG = (
    "w-0:40:41 [0] NCCL INFO NET/IB : Using [0]mlx5_4:1/RoCE [RO]; OOB eth0:10.0.0.1<0>\n"
    "w-0:40:41 [0] NCCL INFO Using network IB\n"
)


RATES = (FOLDER / "perftest" / "write-bw.txt").read_text().replace("mlx5_0", "mlx5_4")


def fixture(name: str):
    return json.loads((FOLDER / name).read_text())


def state():
    group = {"resourceName": "rail0", "vfRange": "0-1", "policyName": "rail0"}
    card = {"pciAddress": "0000:9c:00.0", "numVfs": 2}
    functions = [
        {"vfID": number, "pciAddress": f"0000:9c:00.{number + 1}", "driver": "mlx5_core"}
        for number in (0, 1)
    ]
    there = {**card, "name": "ens1np0", "totalvfs": 16, "linkType": "ETH", "Vfs": functions}
    return {
        "kind": "SriovNetworkNodeState",
        "metadata": {"name": "gpu001"},
        "spec": {"interfaces": [{**card, "vfGroups": [group]}]},
        "status": {"syncStatus": "Succeeded", "interfaces": [there]},
    }


def device(name: str, address: str):
    gid = {"index": 3, "gid": "0000::ffff:0a14:0007", "type": "RoCE v2", "netdev": "net1"}
    values = {"state": "4: ACTIVE", "link_layer": "Ethernet"}
    port = {"number": 1, "values": values, "gids": [gid], "pkeys": [], "counters": {}}
    return {
        "name": name,
        "values": {},
        "ports": [{**port, "hw_counters": {}}],
        "pci": [{"address": address, "values": {}}],
        "is_vf": True,
    }


def snapshot(*devices):
    return {"has_rdma": True, "devices": list(devices), "unreadable": {}}


def whole():
    """One node with one rail of two functions, of which the worker's Pod has one."""
    return {
        "sriov_policies.json": fixture("sriov_policies/list.json"),
        "sriov_state.json": state(),
        "nodes.json": fixture("nodes/one.json"),
        "network_attachments.json": fixture("network_attachments/two.json"),
        "pod_networks.json": fixture("pod_networks/worker.json"),
        # Exclusive: the function that the Pod has is not seen on the host.
        "gpu001/sysfs_rdma.json": snapshot(device("mlx5_5", "0000:9c:00.2")),
        "w-0/sysfs_rdma.json": snapshot(device("mlx5_4", VF)),
        "nccl_log.run1.txt": LOG,
        "w-0/perftest.txt": RATES,
    }


def every(tmp_path, files, *rails):
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    facts, _ = folders.read(tmp_path, expected=Expected(rails=rails))
    return {one.rail: one for one in chains(sight_of(facts))}


def chain(tmp_path, files):
    (found,) = every(tmp_path, files, "rail0").values()
    return found


def lines(found) -> str:
    return "".join(f"{one.verdict:<8}{one.hop}: {one.found}\n" for one in found.links)


def test_whole_chain_passes_at_every_hop(tmp_path):
    found = chain(tmp_path, whole())
    check_golden("fabric/chain/whole.txt", lines(found))
    assert (found.node, found.rail, found.verdict) == ("gpu001", "rail0", Verdict.PASS)


def no_policy(files):
    files["sriov_policies.json"]["items"][0]["spec"]["nodeSelector"] = {"example.org/gpu": "b200"}


def not_synced(files):
    files["sriov_state.json"]["status"] |= {"syncStatus": "Failed", "lastSyncError": "no VFs"}


def a_function_too_few(files):
    files["sriov_state.json"]["status"]["interfaces"][0]["Vfs"].pop()


def no_rdma_device(files):
    files["gpu001/sysfs_rdma.json"]["devices"] = []


def unhealthy(files):
    files["nodes.json"]["items"][0]["status"]["allocatable"]["nvidia.com/rail0"] = "1"


def other_resource(files):
    notes = files["network_attachments.json"]["items"][0]["metadata"]["annotations"]
    notes["k8s.v1.cni.cncf.io/resourceName"] = "nvidia.com/rail9"


def broken_config(files):
    files["network_attachments.json"]["items"][0]["spec"]["config"] = "{"


def not_attached(files):
    pod = files["pod_networks.json"][0]
    pod["status"] = json.dumps(json.loads(pod["status"])[:1])


def not_attached_in_the_long_form(files):
    not_attached(files)
    pod = files["pod_networks.json"][0]
    asked = [one.strip().rpartition("/") for one in pod["networks"].split(",")]
    pod["networks"] = json.dumps(
        [{"name": name, "namespace": space or pod["namespace"]} for space, _, name in asked]
    )


def another_card(files):
    pod = files["pod_networks.json"][0]
    pod["status"] = pod["status"].replace(VF, "0000:3b:00.1")


def not_in_the_pod(files):
    files["w-0/sysfs_rdma.json"]["devices"] = []


def port_down(files):
    files["w-0/sysfs_rdma.json"]["devices"][0]["ports"][0]["values"]["state"] = "1: DOWN"


def no_gid_v2(files):
    files["w-0/sysfs_rdma.json"]["devices"][0]["ports"][0]["gids"][0]["type"] = "IB/RoCE v1"


def nccl_elsewhere(files):
    files["nccl_log.run1.txt"] = LOG.replace("mlx5_4", "mlx5_0")


BROKEN = {
    no_policy: Hop.POLICY,
    not_synced: Hop.STATE,
    a_function_too_few: Hop.STATE,
    no_rdma_device: Hop.FUNCTIONS,
    unhealthy: Hop.ALLOCATABLE,
    other_resource: Hop.ATTACHMENT,
    broken_config: Hop.ATTACHMENT,
    not_attached: Hop.POD,
    not_attached_in_the_long_form: Hop.POD,
    another_card: Hop.POD,
    not_in_the_pod: Hop.DEVICE,
    port_down: Hop.DEVICE,
    no_gid_v2: Hop.DEVICE,
    nccl_elsewhere: Hop.NCCL,
}


@pytest.mark.parametrize("breaks", BROKEN, ids=lambda one: one.__name__)
def test_first_broken_hop_is_named_and_no_rate_passes_over_it(tmp_path, breaks):
    files = copy.deepcopy(whole())
    breaks(files)
    found = chain(tmp_path, files)
    assert found.broken is not None
    assert found.broken.hop is BROKEN[breaks], lines(found)
    assert found.verdict is Verdict.FAIL
    assert found.links[-1].verdict is not Verdict.PASS


def test_pod_that_was_asked_in_its_own_right_is_known_by_its_name_and_namespace(tmp_path):
    files = whole()
    space = files["pod_networks.json"][0]["namespace"]
    for name in ("sysfs_rdma.json", "perftest.txt"):
        files[f"w-0.{space}/{name}"] = files.pop(f"w-0/{name}")
    assert chain(tmp_path, files).verdict is Verdict.PASS


def test_rail_that_was_not_bought_is_the_contracts_fault(tmp_path):
    found = every(tmp_path, whole(), "rail1")
    assert found["rail0"].broken.hop is Hop.CONTRACT
    assert (found["rail1"].broken.hop, found["rail1"].broken.found) == (
        Hop.POLICY,
        "no policy makes this resource",
    )


@pytest.mark.parametrize("name", whole())
def test_text_that_is_missing_or_damaged_never_makes_a_pass(tmp_path, name):
    files = whole()
    files[name] = "{"
    assert chain(tmp_path, files).verdict is not Verdict.PASS
    del files[name]
    (tmp_path / name).unlink()
    assert chain(tmp_path, files).verdict is not Verdict.PASS


def test_check_says_the_first_broken_hop_of_every_rail(tmp_path):
    files = whole()
    port_down(files)
    every(tmp_path, files)
    (found,) = [
        one
        for one in service.check(tmp_path, Expected(), None, ["k8s.chain"])
        if one.check == "k8s.chain"
    ]
    assert (found.verdict, found.subject) == (Verdict.FAIL, "node/gpu001/rail0")
    assert found.found == "device in the Pod: mlx5_4 in w-0 port 1 is DOWN"


def test_check_without_objects_of_the_operator_is_unknown(tmp_path):
    (tmp_path / "nodes.json").write_text(json.dumps(fixture("nodes/one.json")))
    found = {one.verdict for one in service.check(tmp_path, Expected(), None, ["k8s.chain"])}
    assert found == {Verdict.UNKNOWN}


def attachments(tmp_path, change=None, expected=None):
    files = {name: whole()[name] for name in ("network_attachments.json", "nodes.json")}
    if change is not None:
        change(files)
    every(tmp_path, files)
    found = service.check(tmp_path, expected or Expected(), None, ["k8s.nad"])
    return {
        (one.check.removeprefix("k8s.nad."), one.subject): (one.verdict, one.found)
        for one in found
        if one.check.startswith("k8s.nad.")
    }


RAIL, STORAGE = "attachment/hpc/rail0", "attachment/hpc/storage"


def test_attachments_are_read_and_their_resource_is_offered(tmp_path):
    assert attachments(tmp_path, expected=Expected(rdma_netns="exclusive")) == {
        ("valid", RAIL): (Verdict.PASS, "sriov, rdma"),
        ("valid", STORAGE): (Verdict.PASS, "macvlan"),
        ("resource", RAIL): (Verdict.PASS, "nvidia.com/rail0 is offered"),
        ("resource", STORAGE): (Verdict.SKIP, "it names no resource"),
        ("rdma_chain", RAIL): (Verdict.PASS, "sriov, rdma"),
        ("rdma_chain", STORAGE): (Verdict.SKIP, "no SR-IOV"),
    }


def test_attachment_that_cannot_work_fails(tmp_path):
    def without_rdma(files):
        spec = files["network_attachments.json"]["items"][0]["spec"]
        spec["config"] = json.dumps({"type": "sriov", "name": "rail0"})
        other_resource(files)
        files["network_attachments.json"]["items"][1]["spec"]["config"] = '{"plugins": []}'

    found = attachments(tmp_path, without_rdma, Expected(rdma_netns="exclusive"))
    assert found["rdma_chain", RAIL] == (Verdict.FAIL, "sriov, and no rdma")
    assert found["resource", RAIL] == (Verdict.FAIL, "no Node offers nvidia.com/rail9")
    assert found["valid", STORAGE] == (Verdict.FAIL, "no CNI configuration")
