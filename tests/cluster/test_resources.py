"""The custom resources on the real API server: what is refused, by which words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from sunk.errors import Rejected
from sunk.model.kube import NAMESPACE, NODE_SET, SLURM_CLUSTER
from tests.support.cluster import RunningSite
from tests.support.render import GOLDEN

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

PLACE = "resources"


@pytest.fixture(scope="module")
def kube(site: RunningSite) -> Iterator:
    """The cluster's API server; in a namespace without a bridge nobody acts on what is made."""
    site.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PLACE}})
    yield site.kube
    site.kube.delete(NAMESPACE, PLACE)


def resource(kind: str, spec: dict, name: str = "x") -> dict:
    return {
        "apiVersion": "sunk.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": PLACE},
        "spec": spec,
    }


def test_defaults_are_filled_in_by_the_api_server(kube):
    made = kube.apply(resource("NodeSet", {"memory": "2Gi"}, "defaulted"))
    assert made["spec"] == {
        "cpu": "1",
        "features": [],
        "gpuResource": "nvidia.com/gpu",
        "gpus": 0,
        "memory": "2Gi",
        "memoryOverhead": "128Mi",
        "placement": "replicas",
        "rdma": False,
        "rdmaCount": 1,
        "rdmaResource": "rdma/hca",
        "replicas": 1,
    }
    assert kube.get(NODE_SET, "defaulted", PLACE)["metadata"]["generation"] == 1


def test_smallest_cluster_is_accepted(kube):
    kube.apply(resource("SlurmCluster", {}, "smallest"))
    assert kube.get(SLURM_CLUSTER, "smallest", PLACE)["spec"]["images"]["pullPolicy"]


BAD = [
    ("NodeSet", {"replicas": -1}, "spec.replicas"),
    ("NodeSet", {"cpu": "500m"}, "Slurm counts whole CPUs"),
    ("NodeSet", {"memory": "abc"}, "spec.memory"),
    ("NodeSet", {"memory": "100Mi"}, "leaves less than 1 MiB for jobs"),
    ("NodeSet", {"cpuRequest": "2"}, "at most the limit, cpu"),
    ("NodeSet", {"memoryRequest": "2Gi"}, "at most the limit, memory"),
    ("NodeSet", {"gpus": 65}, "spec.gpus"),
    ("NodeSet", {"features": ["two words"]}, "spec.features"),
    ("NodeSet", {"colour": "red"}, "colour"),
    ("SlurmCluster", {"slurmConf": {"SlurmdTimeout": "20\nNodeName=evil"}}, "SlurmdTimeout"),
    ("SlurmCluster", {"login": {"nodePort": 30022}}, "nodePort needs serviceType NodePort"),
    ("SlurmCluster", {"users": [{"name": "root", "uid": 0}]}, "uid"),
    (
        "SlurmCluster",
        {"partitions": [{"name": "a", "default": True}, {"name": "b", "default": True}]},
        "only one partition can be the default",
    ),
    ("SlurmCluster", {"partitions": [{"name": "default"}]}, "a partition called default"),
    ("SlurmCluster", {"images": {"slurmDigest": "sha256:00"}}, "spec.images.slurmDigest"),
    ("SlurmCluster", {"images": {"registry": "a/"}}, "spec.images.registry"),
    ("SlurmCluster", {"podSecurity": "restricted"}, "spec.podSecurity"),
    ("SlurmCluster", {"login": {"pod": {"hostNetwork": True}}}, "hostNetwork"),
    ("NodeSet", {"shmSize": "2Gi"}, "at most memory, which it counts as"),
    ("NodeSet", {"rdmaCount": 0}, "spec.rdmaCount"),
    (
        "NodeSet",
        {"rdma": True, "gpus": 1, "rdmaResource": "nvidia.com/gpu"},
        "not that of the GPUs",
    ),
]
MOUNT = {"name": "v", "mountPath": "/v"}
FOLDER = {"name": "v", "emptyDir": {}}
BAD_POD = [
    ({"resources": {"limits": {"cpu": "1"}}}, "are fields of the NodeSet itself"),
    ({"resources": {"requests": {"nvidia.com/gpu": "1"}}}, "are fields of the NodeSet itself"),
    ({"resources": {"limits": {"ephemeral-storage": "lots"}}}, "ephemeral-storage"),
    ({"volumes": [{"name": "v"}]}, r"spec.pod.volumes\[0\]"),
    ({"volumes": [{**FOLDER, "csi": {"driver": "d"}}]}, r"spec.pod.volumes\[0\]"),
    ({"volumes": [FOLDER, FOLDER]}, "duplicate entries for key"),
    ({"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "big"}}]}, "sizeLimit"),
    ({"volumeMounts": [MOUNT, MOUNT]}, "duplicate entries for key"),
    ({"volumeMounts": [{**MOUNT, "mountPath": "v"}]}, "mountPath"),
    ({"volumeMounts": [{**MOUNT, "mountPath": "/v/../etc/slurm"}]}, "mountPath"),
    ({"env": [{"name": "1A", "value": "x"}]}, r"spec.pod.env\[0\].name"),
    ({"env": [{"name": "A", "value": "x\ny"}]}, r"spec.pod.env\[0\].value"),
    ({"env": [{"name": "A"}, {"name": "A"}]}, "duplicate entries for key"),
    (
        {
            "env": [
                {
                    "name": "A",
                    "value": "x",
                    "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}},
                }
            ]
        },
        "value or valueFrom, not both",
    ),
    ({"env": [{"name": "A", "valueFrom": {}}]}, "valueFrom"),
    ({"annotations": {"a": "x\ny"}}, "annotations"),
    ({"labels": {"a": "two words"}}, "labels"),
    ({"tolerations": [{"value": "x"}]}, "without a key the operator is Exists"),
    (
        {"tolerations": [{"key": "a", "operator": "Exists", "value": "x"}]},
        "a value needs operator Equal",
    ),
    ({"tolerations": [{"key": "a", "tolerationSeconds": 3}]}, "needs effect NoExecute"),
    (
        {"topologySpreadConstraints": [{"topologyKey": "a", "minDomains": 2}]},
        "minDomains needs whenUnsatisfiable DoNotSchedule",
    ),
    ({"terminationGracePeriodSeconds": 60}, "at least the 75 s"),
    ({"securityContext": {"capabilities": {"add": ["ipc_lock"]}}}, "capabilities.add"),
    ({"sidecars": [{"name": "s"}]}, r"spec.pod.sidecars\[0\].image"),
]


@pytest.mark.parametrize(("kind", "spec", "words"), BAD, ids=[words for _, _, words in BAD])
def test_refused_with(kube, kind, spec, words):
    with pytest.raises(Rejected, match=words):
        kube.apply(resource(kind, spec))


@pytest.mark.parametrize(("pod", "words"), BAD_POD, ids=[str(pod)[:60] for pod, _ in BAD_POD])
def test_pod_refused_with(kube, pod, words):
    with pytest.raises(Rejected, match=words):
        kube.apply(resource("NodeSet", {"pod": pod}))


def test_description_with_everything_set_is_accepted_as_it_is(kube):
    """The schema drops nothing of what goes on to the Pods untyped."""
    for document in yaml.safe_load_all((GOLDEN / "overlay.yaml").read_text()):
        name = document["metadata"]["name"]
        made = kube.apply(resource(document["kind"], document["spec"], name))
        assert contains(made["spec"], document["spec"])


def contains(whole, part) -> bool:
    if isinstance(part, dict):
        return all(key in whole and contains(whole[key], one) for key, one in part.items())
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(contains, whole, part))
    return whole == part


@pytest.mark.parametrize("name", ["slurmctld", "1st", "n" * 53])
def test_node_set_cannot_be_called(kube, name):
    with pytest.raises(Rejected):
        kube.apply(resource("NodeSet", {}, name))
