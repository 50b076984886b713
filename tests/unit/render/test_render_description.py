from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import strategies as st

from sunk.errors import InputError
from sunk.model.cluster import NodeSet, Partition, SlurmCluster, User
from sunk.render.checks import problems
from sunk.render.description import (
    dump_description,
    load_description,
    read_description,
    with_user_key,
)
from tests.support.render import ALL_RESERVED, REPOSITORY, SSH_KEY, clusters, for_all

HEAD = """\
apiVersion: sunk.dev/v1alpha1
kind: SlurmCluster
metadata: {name: lab, namespace: slurm}
"""
WORKERS = """\
---
apiVersion: sunk.dev/v1alpha1
kind: NodeSet
metadata: {name: w}
spec: {replicas: 2}
"""


@for_all(clusters())
def test_reading_what_was_written_gives_the_same_cluster(cluster: SlurmCluster) -> None:
    assert read_description(dump_description(cluster), source="x.yaml") == cluster


@for_all(clusters())
def test_generated_clusters_have_no_problems(cluster: SlurmCluster) -> None:
    assert list(problems(cluster)) == []


def test_the_shipped_description_is_the_demo_cluster() -> None:
    cluster = load_description(REPOSITORY / "deploy" / "local" / "cluster.yaml")

    assert (cluster.name, cluster.namespace) == ("demo", "slurm")
    assert [(user.name, user.uid, user.account) for user in cluster.users] == [
        ("alice", 2001, "default"),
        ("bob", 2002, "default"),
    ]
    assert [(one.name, one.replicas, one.cpu, one.memory) for one in cluster.node_sets] == [
        ("w", 4, "1", "1Gi")
    ]
    assert cluster.partitions == (Partition(name="main", default=True),)


def test_node_set_belongs_to_the_cluster_of_its_file() -> None:
    cluster = read_description(HEAD + WORKERS, source="x.yaml")

    assert cluster == SlurmCluster(
        name="lab", namespace="slurm", node_sets=(NodeSet(name="w", replicas=2),)
    )


def spec(text: str) -> str:
    return f"{HEAD}spec: {text}\n{WORKERS}"


def node_set(text: str) -> str:
    return HEAD + WORKERS.replace("name: w", "name: g").replace("{replicas: 2}", text)


ONE = "x.yaml, document 1 (SlurmCluster lab), spec."
TWO = "x.yaml, document 2 (NodeSet g), spec."
WRONG = {
    "unknown key": (spec("{usres: []}"), ONE + "usres", "no such key"),
    "unknown key of a user": (
        spec("{users: [{name: a, uid: 2000, id: 1}]}"),
        ONE + "users[0].id",
        "no such key",
    ),
    "snake case": (node_set("{memory_overhead: 1Gi}"), TWO + "memory_overhead", "no such key"),
    "missing uid": (spec("{users: [{name: a}]}"), ONE + "users[0].uid", "Field required"),
    "number for text": (node_set("{cpu: 1}"), TWO + "cpu: 1 is", 'write it in quotes: "1"'),
    "text for number": (node_set("{replicas: two}"), TWO + "replicas: 'two'", "valid integer"),
    "text for truth": (
        spec("{users: [{name: a, uid: 2000, admin: yes}]}"),
        ONE + "users[0].admin: 'yes'",
        "valid boolean",
    ),
    "null": (node_set("{cpu: }"), TWO + "cpu: nothing", "valid string"),
    "list for mapping": (
        spec("[]"),
        "x.yaml, document 1 (SlurmCluster lab), spec",
        "a mapping of keys",
    ),
    "state": (
        spec("{partitions: [{name: p, state: up}]}"),
        ONE + "partitions[0].state: 'up'",
        "'UP', 'DOWN', 'DRAIN'",
    ),
    "user name": (
        spec("{users: [{name: Alice, uid: 2000}]}"),
        ONE + "users[0].name: 'Alice'",
        "lower-case",
    ),
    "system user": (
        spec("{users: [{name: root, uid: 2000}]}"),
        ONE + "users[0].name: 'root'",
        "none of the image's",
    ),
    "same user twice": (
        spec("{users: [{name: a, uid: 2000}, {name: a, uid: 2001}]}"),
        ONE + "users[1].name: 'a'",
        "each one once",
    ),
    "same uid twice": (
        spec("{users: [{name: a, uid: 2000}, {name: b, uid: 2000}]}"),
        ONE + "users[1].uid: 2000",
        "each one once",
    ),
    "uid of a person too low": (
        spec("{users: [{name: a, uid: 999}]}"),
        ONE + "users[0].uid: 999",
        "1000 to 60000",
    ),
    "uid of slurm": (
        spec("{users: [{name: a, uid: 64030}]}"),
        ONE + "users[0].uid: 64030",
        "64030 to 64032 are the daemons'",
    ),
    "gid of root": (
        spec("{users: [{name: a, uid: 2000, gid: 0}]}"),
        ONE + "users[0].gid: 0",
        "1000 to",
    ),
    "account": (
        spec("{users: [{name: a, uid: 2000, account: 'a b'}]}"),
        ONE + "users[0].account: 'a b'",
        "lower-case",
    ),
    "shell": (
        spec("{users: [{name: a, uid: 2000, shell: 'bash:x'}]}"),
        ONE + "users[0].shell",
        "an absolute path",
    ),
    "key with options": (
        spec(
            "{users: [{name: a, uid: 2000, "
            "sshKeys: ['command=\"x\" ssh-ed25519 AAAAAAAAAAAAAAAAAAAA']}]}"
        ),
        ONE + "users[0].sshKeys[0]",
        "one public key without options",
    ),
    "private key": (
        spec("{users: [{name: a, uid: 2000, sshKeys: ['-----BEGIN']}]}"),
        ONE + "users[0].sshKeys[0]",
        "one public key",
    ),
    "newline": (
        spec('{users: [{name: a, uid: 2000, sshKeys: ["a\\nb"]}]}'),
        "x.yaml, document 1, spec.users[0].sshKeys[0]",
        "one line without control",
    ),
    "control character in a key": (
        spec('{slurmConf: {"a\\0b": c}}'),
        "x.yaml, document 1, spec.slurmConf",
        "keys without control",
    ),
    "half a surrogate pair": (spec('{images: {slurm: "\\ud800"}}'), "x.yaml", "control"),
    "partition over a set that does not exist": (
        spec("{partitions: [{name: p, nodeSets: [w, x]}]}"),
        ONE + "partitions[0].nodeSets[1]: 'x'",
        "a NodeSet of this cluster: w",
    ),
    "same partition twice": (
        spec("{partitions: [{name: p}, {name: p}]}"),
        ONE + "partitions[1].name: 'p'",
        "each one once",
    ),
    "two default partitions": (
        spec("{partitions: [{name: p, default: true}, {name: q, default: true}]}"),
        ONE + "partitions[1].default: True",
        "one default partition",
    ),
    "partition that Slurm takes for defaults": (
        spec("{partitions: [{name: default}]}"),
        ONE + "partitions[0].name",
        "not default",
    ),
    "time": (
        spec("{partitions: [{name: p, maxTime: 1 day}]}"),
        ONE + "partitions[0].maxTime: '1 day'",
        "UNLIMITED",
    ),
    "unknown partition parameter": (
        spec("{partitions: [{name: p, parameters: {Foo: x}}]}"),
        ONE + "partitions[0].parameters.Foo: 'x'",
        "PARTITION CONFIGURATION",
    ),
    "partition parameter with a field": (
        spec("{partitions: [{name: p, parameters: {nodes: ALL}}]}"),
        ONE + "partitions[0].parameters.nodes",
        "own field",
    ),
    "partition parameter that brings another": (
        spec("{partitions: [{name: p, parameters: {AllowQos: 'x Nodes=ALL'}}]}"),
        ONE + "partitions[0].parameters.AllowQos",
        "no space or =",
    ),
    "partition parameter twice": (
        spec("{partitions: [{name: p, parameters: {QOS: a, Qos: b}}]}"),
        ONE + "partitions[0].parameters.Qos",
        "each key once",
    ),
    "slurm.conf key that does not exist": (
        spec("{slurmConf: {SlurmdTimout: '5'}}"),
        ONE + "slurmConf.SlurmdTimout: '5'",
        "a key of slurm.conf(5)",
    ),
    "slurm.conf value with a comment": (
        spec("{slurmConf: {Epilog: 'a#b'}}"),
        ONE + "slurmConf.Epilog: 'a#b'",
        "without quotes, #",
    ),
    "slurm.conf key twice": (
        spec("{slurmConf: {Epilog: a, EPILOG: b}}"),
        ONE + "slurmConf.Epilog",
        "each key once",
    ),
    "claim size": (
        spec("{storage: {home: {size: lots}}}"),
        ONE + "storage.home.size: 'lots'",
        "a quantity",
    ),
    "empty claim": (
        spec("{storage: {home: {size: '0'}}}"),
        ONE + "storage.home.size: '0'",
        "above 0",
    ),
    "storage class": (
        spec("{storage: {home: {size: 1Gi, storageClass: a/b}}}"),
        ONE + "storage.home.storageClass",
        "StorageClass",
    ),
    "image": (spec("{images: {slurm: 'a b'}}"), ONE + "images.slurm: 'a b'", "an image name"),
    "pull policy": (
        spec("{images: {pullPolicy: never}}"),
        ONE + "images.pullPolicy: 'never'",
        "Always, IfNotPresent, Never",
    ),
    "service type": (
        spec("{login: {serviceType: Ingress}}"),
        ONE + "login.serviceType: 'Ingress'",
        "ClusterIP, NodePort, LoadBalancer",
    ),
    "node port without its type": (
        spec("{login: {nodePort: 30000}}"),
        ONE + "login.nodePort: 30000",
        "with serviceType NodePort",
    ),
    "node port outside": (
        spec("{login: {serviceType: NodePort, nodePort: 22}}"),
        ONE + "login.nodePort: 22",
        "30000 to 32767",
    ),
    "node sets inside the cluster": (
        spec("{nodeSets: []}"),
        ONE + "nodeSets",
        "documents of kind NodeSet",
    ),
    "name in the spec": (spec("{name: x}"), ONE + "name: 'x'", "metadata.name"),
    "quantity": (node_set("{cpu: '1 core'}"), TWO + "cpu: '1 core'", "a quantity"),
    "request above the limit": (
        node_set("{cpu: '1', cpuRequest: '2'}"),
        TWO + "cpuRequest: '2'",
        "at most the limit, 1",
    ),
    "no whole CPU": (node_set("{cpu: 900m}"), TWO + "cpu: '900m'", "whole CPUs"),
    "no memory left": (node_set("{memory: 64Mi}"), TWO + "memory: '64Mi'", "raise memory"),
    "replicas": (node_set("{replicas: -1}"), TWO + "replicas: -1", "0 to 10000"),
    "more workers than Slurm takes": (
        spec("{slurmConf: {maxNodeCount: '1'}}"),
        "x.yaml, document 2 (NodeSet w), spec.replicas: 2",
        "1 workers in all; raise slurmConf.MaxNodeCount",
    ),
    "gpus": (node_set("{gpus: -1}"), TWO + "gpus: -1", "0 to 64"),
    "gpu resource": (node_set("{gpuResource: gpu}"), TWO + "gpuResource: 'gpu'", "nvidia.com/gpu"),
    "feature": (node_set("{features: ['a,b']}"), TWO + "features[0]: 'a,b'", "letters, digits"),
    "feature of another set": (
        node_set("{features: [w]}") + WORKERS,
        TWO + "features[0]: 'w'",
        "not another node set's name",
    ),
    "other namespace": (
        HEAD + WORKERS.replace("{name: w}", "{name: w, namespace: y}"),
        "x.yaml, document 2 (NodeSet), metadata.namespace: 'y'".replace(
            " (NodeSet)", " (NodeSet w)"
        ),
        "the cluster's namespace, slurm",
    ),
    "node set called like a daemon": (
        HEAD + WORKERS.replace("name: w", "name: slurmctld"),
        "document 2 (NodeSet slurmctld), metadata.name",
        "not one of login",
    ),
    "node set name": (
        HEAD + WORKERS.replace("name: w", "name: 1a"),
        "document 2 (NodeSet 1a), metadata.name: '1a'",
        "a letter first",
    ),
    "same node set twice": (
        HEAD + WORKERS + WORKERS,
        "document 3 (NodeSet w), metadata.name: 'w'",
        "each one once",
    ),
    "cluster name": (
        HEAD.replace("lab", "Lab"),
        "document 1 (SlurmCluster Lab), metadata.name: 'Lab'",
        "a DNS label",
    ),
    "namespace": (
        HEAD.replace("namespace: slurm", "namespace: a_b"),
        "metadata.namespace: 'a_b'",
        "a DNS label",
    ),
    "name that is a number": (HEAD.replace("lab", "7"), "metadata.name: 7", "write it in quotes"),
    "no name": (HEAD.replace("name: lab, ", ""), "metadata.name: nothing", "it is missing"),
    "label in the metadata": (
        HEAD.replace("name: lab", "name: lab, labels: {}"),
        "metadata.labels",
        "name, namespace",
    ),
    "api version": (
        HEAD.replace("v1alpha1", "v1"),
        "document 1, apiVersion: 'sunk.dev/v1'",
        "sunk.dev/v1alpha1",
    ),
    "kind": (
        HEAD.replace("SlurmCluster", "Pod"),
        "document 1, kind: 'Pod'",
        "SlurmCluster or NodeSet",
    ),
    "status": (
        HEAD + "status: {}\n",
        "document 1 (SlurmCluster lab), status",
        "apiVersion, kind, metadata, spec",
    ),
    "text": ("hello", "document 1, the whole: 'hello'", "apiVersion, kind"),
}


@pytest.mark.parametrize(("text", "place", "allowed"), WRONG.values(), ids=WRONG.keys())
def test_error_names_file_document_key_value_and_what_is_allowed(
    text: str, place: str, allowed: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_description(text, source="x.yaml")

    assert "x.yaml" in caught.value.message
    assert place in caught.value.message
    said = caught.value.message.split("; allowed: ", 1)[1]
    assert allowed in said
    assert "\n" not in caught.value.message


BROKEN = {
    "not YAML": ("a: [", "line 1"),
    "same key twice": (HEAD + "kind: NodeSet\n", "line 4, column 1: key 'kind' stands here twice"),
    "key that is a number": (HEAD + "1: x\n", "line 4, column 1: keys are text"),
    "anchor": (HEAD + "spec: &a {}\n", "line 4, column 7: anchors and aliases"),
    "alias": ("a: *b", "anchors and aliases"),
    "no document": ("", "0 documents of kind SlurmCluster, not one"),
    "two clusters": (HEAD + "---\n" + HEAD, "2 documents of kind SlurmCluster, not one"),
    "deep": ("[" * 5000, "nested too deeply"),
    "tag": ("!!python/object:os.system {}", "could not determine a constructor"),
    "special character": ("a: \x07", "special characters are not allowed"),
}


@pytest.mark.parametrize(("text", "cause"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_file_is_one_input_error(text: str, cause: str) -> None:
    with pytest.raises(InputError) as caught:
        read_description(text, source="x.yaml")

    assert caught.value.message.startswith("read x.yaml")
    assert cause in caught.value.message


@pytest.mark.parametrize("key", ALL_RESERVED)
def test_reserved_slurm_conf_key_is_refused(key: str) -> None:
    with pytest.raises(InputError, match="not this key: sunk sets it"):
        read_description(spec(f"{{slurmConf: {{{key.lower()}: x}}}}"), source="x.yaml")


@for_all(st.text(max_size=300))
def test_any_text_is_a_cluster_or_an_input_error(text: str) -> None:
    for whole in (text, HEAD + text, HEAD + "spec:\n  slurmConf: {Epilog: '" + text + "'}\n"):
        try:
            read_description(whole, source="x.yaml")
        except InputError as exc:
            assert len(exc.message) < 1000


def test_what_looks_like_text_is_text() -> None:
    text = spec(
        "{partitions: [{name: p, maxTime: 1:30:00, parameters: {AllowQos: no, QOS: 2026-01-01}}]}"
    )

    partition = read_description(text, source="x.yaml").partitions[0]

    assert partition.max_time == "1:30:00"
    assert partition.parameters == {"AllowQos": "no", "QOS": "2026-01-01"}


def test_long_values_are_clipped_in_messages() -> None:
    with pytest.raises(InputError) as caught:
        read_description(spec("{slurmConf: {Epilog: '" + "#" * 5000 + "'}}"), source="x.yaml")

    assert len(caught.value.message) < 400


def test_file_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load_description(tmp_path / "none.yaml")


def test_file_that_is_not_utf8_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: \xff")

    with pytest.raises(InputError, match="not UTF-8 at byte 3"):
        load_description(path)


def test_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a" * 1_000_001)

    with pytest.raises(InputError, match="more than 1000000"):
        load_description(path)


def test_key_is_added_once_to_its_user_alone() -> None:
    cluster = SlurmCluster(name="lab", users=(User(name="a", uid=2000), User(name="b", uid=2001)))

    twice = with_user_key(with_user_key(cluster, "b", SSH_KEY), "b", SSH_KEY)

    assert [user.ssh_keys for user in twice.users] == [(), (SSH_KEY,)]


def test_key_for_an_unknown_user_lists_the_users() -> None:
    cluster = SlurmCluster(name="lab", users=(User(name="a", uid=2000),))

    with pytest.raises(InputError) as caught:
        with_user_key(cluster, "x", SSH_KEY)

    assert caught.value.hint == "users: a"
