from __future__ import annotations

import json
from typing import Any

import pytest

from sunk.clients.kube.memory import MemoryKube
from sunk.clients.kube.protocol import RawAnswer
from sunk.errors import InputError, NotReached, Rejected, Unreachable
from sunk.model.kube import DAEMON_SET, NODE, POD
from sunk.model.reach import Reason
from sunk_fabric.collect import kube_texts
from sunk_fabric.collect.daemon_set import daemon_set, left_over
from sunk_fabric.collect.kube_texts import KubeTexts
from sunk_fabric.collect.over_kube import OverKube, PodChoice
from sunk_fabric.parse import pod_networks
from tests.support.golden import check_golden


class Site(MemoryKube):
    """A cluster in memory whose DaemonSets get their Pods at once, on the Nodes that are ready."""

    def __init__(self, *nodes: str) -> None:
        super().__init__()
        self.shells: list[tuple[str, tuple[str, ...], str | None]] = []
        self.refuses_delete = False
        self.broken: set[str] = set()
        for name in nodes:
            self.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})

    def create(self, thing):
        made = super().create(thing)
        if thing["kind"] == "DaemonSet":
            template = thing["spec"]["template"]
            required = template["spec"]["affinity"]["nodeAffinity"]
            terms = required["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
            for term in terms:
                (node,) = term["matchFields"][0]["values"]
                labels = template["metadata"]["labels"]
                self.pod(f"made-{node}", node, labels, ready=node not in self.broken)
        return made

    def pod(self, name: str, node: str, labels: dict[str, str], *, ready: bool = True) -> None:
        super().create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": "default", "labels": labels},
                "spec": {"nodeName": node},
            }
        )
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
        status: dict[str, Any] = {"phase": "Running", "conditions": conditions}
        if not ready:
            status["containerStatuses"] = [{"name": "c", "ready": False, "state": waiting}]
        self.set_status(POD, name, status, "default")

    def shell(self, pod, namespace, argv, *, container=None, within_seconds=30.0):
        if pod in self.broken:
            raise Rejected(f"run {argv[0]} in Pod {namespace}/{pod}: forbidden", system="x")
        self.shells.append((pod, tuple(argv), container))

    def delete(self, kind, name, namespace=None, *, grace_seconds=None, uid=None):
        if self.refuses_delete:
            raise Unreachable("delete DaemonSet", system="kube-apiserver")
        super().delete(kind, name, namespace, grace_seconds=grace_seconds, uid=uid)


def way(kube: Site, **choice: Any) -> OverKube:
    wanted = PodChoice(namespace="default", wait_seconds=0, **choice)
    return OverKube(kube, wanted, 5, token="t0")


def test_pods_that_are_there_are_used_and_nothing_is_made():
    kube = Site("n1", "n2")
    kube.pod("w-0", "n1", {"app": "worker"})
    kube.pod("w-1", "n2", {"app": "worker"})
    one = way(kube, selector="app=worker", container="slurmd", image="busybox")
    assert one.hosts() == ("n1", "n2")
    one.prepare(("n1", "n2"))
    one.open("n2")
    one.close()
    assert kube.shells == [("w-1", ("/bin/sh",), "slurmd")]
    assert one.over("n1") == "exec in Pod default/w-0"
    assert kube.list(DAEMON_SET, "default") == ()


def test_nodes_without_a_pod_get_one_of_a_daemon_set_that_is_deleted():
    kube = Site("n1", "n2")
    kube.pod("w-0", "n1", {"app": "worker"})
    one = way(kube, selector="app=worker", image="busybox")
    one.prepare(("n1", "n2"))
    assert [each["metadata"]["name"] for each in kube.list(DAEMON_SET, "default")] == [
        "sunk-collect-t0"
    ]
    one.open("n2")
    assert kube.shells == [("made-n2", ("chroot", "/host", "/bin/sh"), None)]
    assert one.over("n2") == "DaemonSet default/sunk-collect-t0"
    one.close()
    assert kube.list(DAEMON_SET, "default") == ()
    one.close()


def test_a_pod_that_does_not_start_is_said_with_its_trouble():
    kube = Site("n1")
    kube.broken.add("n1")
    one = way(kube, image="nosuch")
    one.prepare(("n1",))
    with pytest.raises(NotReached, match="no such image") as caught:
        one.open("n1")
    assert caught.value.reason == Reason.NO_POD
    one.close()


def test_a_node_without_a_pod_and_without_an_image_is_said():
    one = way(Site("n1"), selector="app=worker")
    one.prepare(("n1",))
    with pytest.raises(NotReached, match="no running Pod there has these labels") as caught:
        one.open("n1")
    assert (caught.value.reason, caught.value.hint) == (
        Reason.NO_POD,
        "a DaemonSet would serve: --image IMAGE",
    )


def test_a_refused_exec_is_said():
    kube = Site("n1")
    kube.pod("w-0", "n1", {"app": "worker"})
    kube.broken.add("w-0")
    one = way(kube, selector="app=worker")
    with pytest.raises(NotReached, match="forbidden") as caught:
        one.open("n1")
    assert caught.value.reason == Reason.EXEC


def test_a_create_without_an_answer_is_undone_too():
    kube = Site("n1")

    def lost(thing):
        MemoryKube.create(kube, thing)
        raise Unreachable("create DaemonSet: timed out", system="kube-apiserver")

    kube.create = lost
    one = way(kube, image="busybox")
    with pytest.raises(Unreachable):
        one.prepare(("n1",))
    one.close()
    assert kube.list(DAEMON_SET, "default") == ()


def test_what_a_killed_collection_left_is_deleted_and_a_running_one_stays():
    kube = Site("n1")
    for token, until in (("old", "2020-01-01T00:00:00Z"), ("new", "2999-01-01T00:00:00Z")):
        MemoryKube.create(
            kube, daemon_set(token, namespace="default", image="x", nodes=["n1"], until=until)
        )
    one = way(kube, image="busybox")
    one.prepare(("n1",))
    one.close()
    assert [each["metadata"]["name"] for each in kube.list(DAEMON_SET, "default")] == [
        "sunk-collect-new"
    ]


def test_neither_pods_nor_an_image_is_refused():
    with pytest.raises(InputError, match="neither Pods nor an image"):
        way(Site("n1"))


@pytest.mark.parametrize(
    ("called", "named"), [("n1", True), ("N1.example", True), ("w-0", True), ("w-1", False)]
)
def test_a_pod_may_call_itself_as_the_node_or_as_itself(called, named):
    kube = Site("n1")
    kube.pod("w-0", "n1", {"app": "worker"})
    assert way(kube, selector="app=worker").is_named("n1", called) is named


def test_the_daemon_set_is_the_one_that_was_reviewed():
    made = daemon_set(
        "t0", namespace="site", image="busybox", nodes=["n2", "n1"], until="2026-01-01T06:00:00Z"
    )
    check_golden("fabric/daemon-set.json", json.dumps(made, indent=1, sort_keys=True) + "\n")
    assert left_over([{"metadata": {"name": "a"}}], "2999") == ()


# --- objects


class Api(MemoryKube):
    """An API server with canned answers."""

    def __init__(self, answers: dict[str, RawAnswer | Exception]) -> None:
        super().__init__()
        self._answers = answers

    def request(self, method, path, *, query=(), headers=None, body=None, within_seconds=30.0):
        assert method == "GET"
        found = self._answers.get(path, RawAnswer(status=404, body=b'{"code":404}', headers={}))
        if isinstance(found, Exception):
            raise found
        return found


def ok(document: Any) -> RawAnswer:
    return RawAnswer(status=200, body=json.dumps(document).encode(), headers={})


def asked(**answers):
    paths = dict(kube_texts.REQUESTS) | {"pods": kube_texts.PODS}
    kube = Api({paths[name]: answer for name, answer in answers.items()})
    return {one.question.name: one for one in KubeTexts(kube, 5, 1000).ask()}


def test_objects_are_kept_as_they_were_answered():
    found = asked(nodes=ok({"items": []}))
    assert (found["nodes"].output, found["nodes"].exit_code) == (b'{"items": []}', 0)
    assert found["nodes"].question.command == ("GET", "/api/v1/nodes")


def test_an_operator_that_is_not_there_is_an_answer():
    found = asked()
    assert (found["sriov_state"].exit_code, found["sriov_state"].incomplete) == (404, "")


def test_an_api_server_that_does_not_answer_leaves_texts_that_are_not_whole():
    found = asked(nodes=Unreachable("GET /api/v1/nodes: timed out", system="x"))
    assert (found["nodes"].exit_code, found["nodes"].output) == (None, b"")
    assert found["nodes"].incomplete == "GET /api/v1/nodes: timed out"


def test_a_large_answer_is_cut_and_said_to_be_cut():
    found = asked(nodes=ok({"items": ["x" * 2000]}))
    assert len(found["nodes"].output) == 1000
    assert found["nodes"].incomplete == "cut at 1000 bytes"


def test_of_pods_their_networks_and_node_alone_are_kept():
    status = '[{"name":"default/rail0","interface":"net1"}]'
    pods = [
        {
            "metadata": {
                "name": "w-0",
                "namespace": "slurm",
                "annotations": {kube_texts.NETWORK_STATUS: status},
            },
            "spec": {
                "nodeName": "gpu001",
                "containers": [
                    {
                        "env": [{"name": "PASSWORD", "value": "hunter2" * 1000}],
                        "resources": {"limits": {"cpu": "4", "nvidia.com/rail0": "2"}},
                    },
                    {"resources": {"limits": {"nvidia.com/rail0": 1}}},
                ],
            },
        },
        {"metadata": {"name": "plain", "namespace": "slurm"}},
    ]
    found = asked(pods=ok({"items": pods}))
    kept = found["network_status.slurm/w-0"]
    assert kept.output.decode() == f"{status}\n"
    assert kept.question.command == (
        *("GET", "/api/v1/namespaces/slurm/pods/w-0", "annotation"),
        kube_texts.NETWORK_STATUS,
    )
    assert "network_status.slurm/plain" not in found
    (pod,) = pod_networks.parse(found["pod_networks"].output).value
    assert (pod.pod.name, pod.pod.node, pod.pod.status) == ("w-0", "gpu001", status)
    assert pod.attached[0].name == "default/rail0"
    assert pod.pod.devices == {"nvidia.com/rail0": 3}
    assert all(b"hunter2" not in one.output for one in found.values())


def test_a_list_of_pods_that_is_none_is_not_whole():
    assert asked(pods=ok([1]))["network_status"].incomplete.startswith("no list of Pods")


def test_nodes_are_listed_by_the_kind_of_the_client():
    assert Site("n1").get(NODE, "n1")["metadata"]["name"] == "n1"


def test_pods_in_their_own_right_are_hosts_beside_the_nodes_and_no_daemon_set_is_made_for_them():
    kube = Site("n1")
    kube.pod("w-0", "n1", {"app": "worker"})
    kube.pod("w-1", "n1", {"app": "worker"})
    kube.pod("w-2", "n1", {"app": "worker"}, ready=False)
    one = way(kube, image="busybox", inside="app=worker", inside_namespace="default")
    assert one.hosts() == ("n1", "w-0.default", "w-1.default")
    assert [one.is_pod(host) for host in one.hosts()] == [False, True, True]
    one.prepare(one.hosts())
    for host in one.hosts():
        one.open(host)
    assert [pod for pod, *_ in kube.shells] == ["made-n1", "w-0", "w-1"]
    assert one.over("w-1.default") == "exec in Pod default/w-1"
    assert one.is_named("w-1.default", "w-1")
    one.close()


def test_pods_alone_can_be_asked():
    kube = Site("n1")
    kube.pod("w-0", "n1", {"app": "worker"})
    assert way(kube, inside="app=worker", inside_namespace="default").hosts() == ("w-0.default",)


def test_a_daemon_set_that_may_make_no_pod_is_said_in_the_words_of_kubernetes():
    kube = Site("n1")
    kube.pod = lambda *_words, **_options: None
    one = way(kube, image="busybox")
    told = 'pods "sunk-collect-t0-x" is forbidden: violates PodSecurity "baseline:latest"'
    for kind, name, message in (
        ("DaemonSet", "another", "not this one"),
        ("DaemonSet", "sunk-collect-t0", told),
    ):
        kube.create(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": f"e-{name}", "namespace": "default"},
                "involvedObject": {"kind": kind, "name": name},
                "type": "Warning",
                "message": message,
            }
        )
    one.prepare(("n1",))
    with pytest.raises(NotReached, match="violates PodSecurity"):
        one.open("n1")
