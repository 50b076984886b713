"""Second networks and functions of worker Pods, and the chain that proves them, hop by hop.

The networks, their addresses and the annotations are real; the functions, their sysfs and the
objects of the SR-IOV operator are the local cluster's stand-ins, NCCL's log and the rate texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sunk.cli import app
from sunk.local.cluster import Parameters
from sunk.local.layout import Node
from sunk.local.rails import NAMESPACE, OPERATOR_NAMESPACE, SYSFS, Rail
from sunk.model.kube import NETWORK_ATTACHMENT, NODE, POD, SRIOV_POLICY, SRIOV_STATE
from tests.support.cluster import RunningSite, bring_up
from tests.support.eventually import eventually
from tests.support.fabric_texts import FOLDER

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

RAILS = (Rail(0), Rail(1))
STATUS = "k8s.v1.cni.cncf.io/network-status"
WORKERS = "sunk.dev/node-set=w"
LIMITS = {one.resource: "1" for one in RAILS}
DESCRIPTION = {
    "cluster": {
        "apiVersion": "sunk.dev/v1alpha1",
        "kind": "SlurmCluster",
        "metadata": {"name": "rails", "namespace": "slurm"},
        "spec": {
            "users": [{"name": "alice", "uid": 2001}],
            "login": {"serviceType": "NodePort", "nodePort": 30022},
        },
    },
    "workers": {
        "apiVersion": "sunk.dev/v1alpha1",
        "kind": "NodeSet",
        "metadata": {"name": "w", "namespace": "slurm"},
        "spec": {
            **{"replicas": 2, "cpu": "1", "memory": "1Gi"},
            **{"cpuRequest": "50m", "memoryRequest": "64Mi"},
            "pod": {
                "annotations": {
                    "k8s.v1.cni.cncf.io/networks": "default/rail-0, default/rail-1@fast"
                },
                "resources": {"requests": LIMITS, "limits": LIMITS},
            },
        },
    },
}


@pytest.fixture(scope="module")
def railed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    """A cluster of two Kubernetes nodes with two rails each, a worker on both rails on each."""
    file = tmp_path_factory.mktemp("rails") / "cluster.yaml"
    file.write_text("---\n".join(json.dumps(one) + "\n" for one in DESCRIPTION.values()))
    running = bring_up("rails", Parameters(node_count=2, rails=len(RAILS)), file)
    yield running
    running.local.down()


def attached(site: RunningSite) -> dict[str, dict[str, dict]]:
    """Pod -> interface -> what its network status says of it."""
    found = {}
    for one in site.kube.pods(site.namespace, WORKERS):
        entries = json.loads(one.annotations[STATUS])
        found[one.name] = {entry["interface"]: entry for entry in entries}
    return found


def address_of(entry: dict) -> str:
    return entry["device-info"]["pci"]["pci-address"]


def test_workers_get_the_networks_and_functions_that_their_node_set_asks_for(railed):
    found = attached(railed)
    assert {name: tuple(sorted(one)) for name, one in found.items()} == dict.fromkeys(
        ("w-0", "w-1"), ("eth0", "fast", "net1")
    )
    for name, entries in found.items():
        inside = railed.kube.execute(name, railed.namespace, ("ip", "-json", "-4", "addr")).stdout
        shown = {one["ifname"]: one["addr_info"][0]["local"] for one in json.loads(inside)}
        assert {key: [shown[key]] for key in entries} == {
            key: one["ips"] for key, one in entries.items()
        }
        environment = railed.kube.execute(name, railed.namespace, ("env",)).stdout.splitlines()
        for rail, interface in zip(RAILS, ("net1", "fast"), strict=True):
            given = address_of(entries[interface])
            assert given in {rail.address(one) for one in rail.functions}
            variable = "PCIDEVICE_" + rail.resource.upper().translate(str.maketrans("./-", "___"))
            assert f"{variable}={given}" in environment


def test_a_worker_reaches_another_one_over_the_second_network(railed):
    other = attached(railed)["w-1"]["net1"]["ips"][0]
    words = ("bash", "-c", 'exec 3<>"/dev/tcp/$1/6818" && ip route get "$1"', "bash", other)
    answer = railed.kube.execute("w-0", railed.namespace, words)
    assert "dev net1" in answer.stdout


def test_no_address_is_given_twice(railed):
    every = [
        address
        for pod in attached(railed).values()
        for one in pod.values()
        for address in one["ips"]
    ]
    assert len(every) == len(set(every)) == 6


def test_a_new_worker_gets_what_the_one_before_it_gave_back(railed):
    before = railed.kube.get(POD, "w-0", railed.namespace)["metadata"]["uid"]
    railed.kube.delete(POD, "w-0", railed.namespace)

    def again() -> bool:
        pods = {one.name: one for one in railed.kube.pods(railed.namespace, WORKERS)}
        return "w-0" in pods and pods["w-0"].uid != before and pods["w-0"].ready

    eventually(again, 60)
    assert set(attached(railed)["w-0"]) == {"eth0", "net1", "fast"}
    folder = railed.local.layout.home / "addresses" / "rail-0"
    eventually(lambda: len(list(folder.glob("10.77.0.*"))) == 2, 30)


@pytest.fixture
def texts(railed, tmp_path_factory) -> tuple[str, ...]:
    """A log of NCCL that uses all functions, and a rate measured over each."""
    folder = tmp_path_factory.mktemp("texts")
    words = []
    log = ""
    rate = (FOLDER / "perftest" / "write-bw.txt").read_text()
    for pod, entries in attached(railed).items():
        names = [entries[one]["device-info"]["pci"]["rdma-device"] for one in ("net1", "fast")]
        cards = " ".join(f"[{index}]{name}:1/RoCE" for index, name in enumerate(names))
        head = f"{pod}:40:41 [0] NCCL INFO"
        log += (
            f"{head} NET/IB : Using {cards} [RO]; OOB eth0:10.0.0.1<0>\n{head} Using network IB\n"
        )
        for name in names:
            file = folder / f"{pod}-{name}.txt"
            file.write_text(rate.replace("mlx5_0", name))
            words += ["--text", f"perftest@{pod}={file}"]
    (folder / "job.log").write_text(log)
    return (*words, "--text", f"nccl_log={folder / 'job.log'}")


@pytest.fixture
def checked(railed, texts, tmp_path, capsys) -> Callable[..., dict[str, tuple[str, str]]]:
    """Collect from this cluster, check, and return rail of node -> verdict and words."""

    def check(*site: str) -> dict[str, tuple[str, str]]:
        folder = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        pod = railed.kube.list(POD, railed.namespace, WORKERS)[0]
        asked = ["fabric", "collect", str(folder), "--over", "kubernetes", "--sysfs-root", SYSFS]
        asked += ["--kubeconfig", str(railed.local.layout.kubeconfig), *texts]
        asked += ["--image", pod["spec"]["containers"][0]["image"]]
        asked += ["--pods", WORKERS, "--pods-namespace", railed.namespace]
        assert app.run(asked) == 0
        capsys.readouterr()
        app.run(["fabric", "check", str(folder), "--only", "k8s.chain", "--output", "json", *site])
        answers = json.loads(capsys.readouterr().out)["findings"]
        return {
            one["subject"].removeprefix("node/"): (one["verdict"], one["found"])
            for one in answers
            if one["check"] == "k8s.chain"
        }

    return check


def test_whole_chain_passes_on_every_rail_of_every_node(checked):
    assert {place: verdict for place, (verdict, _) in checked().items()} == dict.fromkeys(
        ("node1/rail-0", "node1/rail-1", "node2/rail-0", "node2/rail-1"), "PASS"
    )


def undoing(patch: dict, before: dict) -> dict:
    """The merge patch that takes another one back."""
    return {
        key: undoing(value, before.get(key) or {}) if isinstance(value, dict) else before.get(key)
        for key, value in patch.items()
    }


@contextmanager
def patched(site, kind, name, namespace, patch) -> Iterator[None]:
    before = site.kube.get(kind, name, namespace)
    site.kube.merge(kind, name, patch, namespace)
    try:
        yield
    finally:
        site.kube.merge(kind, name, undoing(patch, before), namespace)


def policy(site):
    selector = {"spec": {"nodeSelector": {"kubernetes.io/os": None, "example.org/gpu": "b200"}}}
    return patched(site, SRIOV_POLICY, "rail-0", OPERATOR_NAMESPACE, selector)


def state(site):
    status = {"status": {"syncStatus": "Failed", "lastSyncError": "no functions"}}
    return patched(site, SRIOV_STATE, "node1", OPERATOR_NAMESPACE, status)


def attachment(site):
    notes = {"k8s.v1.cni.cncf.io/resourceName": "sunk.dev/other"}
    patch = {"metadata": {"annotations": notes}}
    return patched(site, NETWORK_ATTACHMENT, "rail-0", NAMESPACE, patch)


def sysfs(site) -> Path:
    home = site.local.layout.node_home(Node(number=1))
    return home / "kubelet" / Path(SYSFS).relative_to("/var/lib/kubelet")


def on_node1(site) -> dict[str, dict]:
    (name,) = (one.name for one in site.kube.pods(site.namespace, WORKERS) if one.node == "node1")
    return attached(site)[name]


@contextmanager
def function(site):
    """The function that nobody has loses its RDMA device."""
    rail = RAILS[0]
    given = address_of(on_node1(site)["net1"])
    (free,) = (one for one in rail.functions if rail.address(one) != given)
    folder = sysfs(site) / "class/infiniband" / rail.device(free)
    away = folder.with_name("away")
    folder.rename(sysfs(site) / away.name)
    try:
        yield
    finally:
        (sysfs(site) / away.name).rename(folder)


@contextmanager
def allocatable(site):
    """The device plugin finds a function unhealthy."""
    mark = sysfs(site) / "devices/pci0000:00" / f"{RAILS[0].address(1)}.unhealthy"

    def offered() -> str:
        (node,) = (one for one in site.kube.list(NODE) if one["metadata"]["name"] == "node1")
        return str(node["status"]["allocatable"][RAILS[0].resource])

    mark.touch()
    eventually(lambda: offered() == "1", 30)
    try:
        yield
    finally:
        mark.unlink()
        eventually(lambda: offered() == "2", 30)


@contextmanager
def status(site):
    """The Pod's network status loses the network."""
    (name,) = (one.name for one in site.kube.pods(site.namespace, WORKERS) if one.node == "node1")
    entries = [one for one in attached(site)[name].values() if one["interface"] != "net1"]
    patch = {"metadata": {"annotations": {STATUS: json.dumps(entries)}}}
    with patched(site, POD, name, site.namespace, patch):
        yield


@contextmanager
def device(site):
    """The port of the function that the Pod has goes down."""
    name = on_node1(site)["net1"]["device-info"]["pci"]["rdma-device"]
    file = sysfs(site) / "class/infiniband" / name / "ports/1/state"
    file.write_text("1: DOWN\n")
    try:
        yield
    finally:
        file.write_text("4: ACTIVE\n")


HOPS = {
    "policy": (policy, "rail-0 selects other nodes"),
    "node state": (state, "Failed, no functions"),
    "functions": (function, "no RDMA device at 0000:3b:00"),
    "allocatable": (allocatable, "1 of 2 are unhealthy"),
    "attachment": (attachment, "no NetworkAttachmentDefinition asks for this resource"),
    "Pod": (status, "its network status has it not"),
    "device in the Pod": (device, "is DOWN"),
}


@pytest.mark.parametrize("hop", HOPS)
def test_each_hop_that_is_broken_is_the_one_that_is_named(railed, checked, hop):
    broken, words = HOPS[hop]
    with broken(railed):
        verdict, found = checked()["node1/rail-0"]
    assert verdict == "FAIL"
    assert found.startswith(f"{hop}: ")
    assert words in found


def test_a_rail_that_was_not_bought_is_the_first_broken_hop(checked, tmp_path):
    site = tmp_path / "site.yaml"
    site.write_text("rails: [rail-1, rail-7]\n")
    found = checked("--expect", str(site))
    assert found["node1/rail-0"] == ("FAIL", "contract: declared are rail-1, rail-7")
    assert found["node1/rail-7"] == ("FAIL", "policy: no policy makes this resource")
