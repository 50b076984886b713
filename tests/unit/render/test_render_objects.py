"""The objects of a cluster: whole golden files, and what must hold for every cluster."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml

from sunk.model.cluster import NodeSet, Partition, SlurmCluster, User, with_user_key
from sunk.render.description import load_description
from sunk.render.kube.files import render_files
from sunk.render.kube.nodes import worker_pod, worker_revision
from sunk.render.slurm_conf import render_slurm_conf
from tests.support.pods import everything, pods
from tests.support.render import GOLDEN, SSH_KEY, clusters, fixed_keys, for_all

CONFIG_HASH = "sunk.dev/config-hash"
BASELINE_CAPABILITIES = {
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
    *("NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
}
LAB = SlurmCluster(
    name="lab",
    users=(User(name="alice", uid=2001, ssh_keys=(SSH_KEY,)),),
    node_sets=(NodeSet(name="w", replicas=2),),
)


def compare_with_golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("SUNK_REWRITE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path} is missing; make golden writes it"
    assert text == path.read_text(encoding="utf-8")


def as_yaml(objects: tuple[Mapping[str, Any], ...]) -> str:
    # Scripts are compared where they lie; here they would only repeat themselves.
    plain = json.loads(json.dumps(objects))
    for item in plain:
        if item["metadata"]["name"] == "slurm-scripts":
            item["data"] = {key: f"{len(text)} characters" for key, text in item["data"].items()}
    return yaml.safe_dump_all(plain, sort_keys=True, width=100, explicit_start=True)


@pytest.mark.parametrize("size", ["small", "large"])
def test_slurm_conf_is_the_golden_file(size: str) -> None:
    cluster = load_description(GOLDEN / f"{size}.yaml")

    compare_with_golden(f"{size}.slurm.conf", render_slurm_conf(cluster))


@pytest.mark.parametrize("size", ["small", "large"])
def test_objects_are_the_golden_file(size: str) -> None:
    cluster = load_description(GOLDEN / f"{size}.yaml")

    compare_with_golden(f"{size}.objects.yaml", as_yaml(everything(cluster)))


def named(objects: tuple[Mapping[str, Any], ...], kind: str, name: str) -> Any:
    (one,) = [o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name]
    return one


@for_all(clusters(), examples=15)
def test_every_valid_cluster_renders_to_the_same_json_twice(cluster: SlurmCluster) -> None:
    turned = replace(
        cluster,
        node_sets=cluster.node_sets[::-1],
        users=cluster.users[::-1],
        partitions=cluster.partitions[::-1],
        slurm_conf=dict(reversed(cluster.slurm_conf.items())),
    )

    first = json.dumps(everything(cluster))

    assert json.dumps(everything(turned)) == first


@for_all(clusters(), examples=15)
def test_objects_are_ours_unique_and_in_the_cluster_s_namespace(cluster: SlurmCluster) -> None:
    objects = everything(cluster)

    assert objects[0]["kind"] == "Namespace"
    seen = [(one["kind"], one["metadata"]["name"]) for one in objects]
    assert len(seen) == len(set(seen))
    for one in objects:
        labels = one["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "sunk"
        assert labels["app.kubernetes.io/instance"] == cluster.name
        assert labels["app.kubernetes.io/name"]
        if one["kind"] != "Namespace":
            assert one["metadata"]["namespace"] == cluster.namespace


@for_all(clusters(), examples=15)
def test_selectors_choose_their_own_pods_and_no_others(cluster: SlurmCluster) -> None:
    objects = everything(cluster)
    templates = dict(pods(objects))

    def chosen(selector: Mapping[str, str]) -> set[str]:
        return {
            name
            for name, template in templates.items()
            if selector.items() <= template["metadata"]["labels"].items()
        }

    for one in objects:
        name = one["metadata"]["name"]
        if one["kind"] in ("StatefulSet", "Deployment"):
            assert chosen(one["spec"]["selector"]["matchLabels"]) == {name}
        if one["kind"] == "Service":
            assert chosen(one["spec"]["selector"]) == {"login" if name == "login-0" else name}
        if one["kind"] == "StatefulSet":
            assert ("Service", one["spec"]["serviceName"]) in {
                (other["kind"], other["metadata"]["name"]) for other in objects
            }


@for_all(clusters(), examples=15)
def test_pods_keep_to_the_baseline_and_to_least_privilege(cluster: SlurmCluster) -> None:
    for name, template in pods(everything(cluster)):
        spec = template["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        assert all("hostPath" not in volume for volume in spec["volumes"])
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"]["drop"] == ["ALL"]
            added = set(context["capabilities"].get("add", ()))
            assert added <= BASELINE_CAPABILITIES
            # Only what acts for users is root.
            assert bool(added) == (container["name"] in ("sshd", "slurmd"))
            assert bool(added) != context.get("runAsNonRoot", False)
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])
            assert "readinessProbe" in container, f"{name} never says when it is ready"


@for_all(clusters(), examples=15)
def test_every_mount_has_its_volume_and_every_volume_its_object(cluster: SlurmCluster) -> None:
    objects = everything(cluster)
    there = {(one["kind"], one["metadata"]["name"]): one for one in objects}

    for _, template in pods(objects):
        volumes = {one["name"]: one for one in template["spec"]["volumes"]}
        for container in template["spec"]["containers"]:
            assert {one["name"] for one in container["volumeMounts"]} <= set(volumes)
            paths = [one["mountPath"] for one in container["volumeMounts"]]
            assert len(paths) == len(set(paths))
        for volume in volumes.values():
            sources = [volume, *volume.get("projected", {}).get("sources", ())]
            for source in sources:
                if "configMap" in source:
                    assert ("ConfigMap", source["configMap"]["name"]) in there
                if "secret" in source:
                    secret = there["Secret", source["secret"]["name"]]
                    assert {one["key"] for one in source["secret"]["items"]} <= set(secret["data"])
                if "persistentVolumeClaim" in source:
                    claim = source["persistentVolumeClaim"]["claimName"]
                    assert ("PersistentVolumeClaim", claim) in there


def mounted_secret_files(template: Mapping[str, Any], container: str) -> set[str]:
    (found,) = [one for one in template["spec"]["containers"] if one["name"] == container]
    mounts = {one["name"] for one in found["volumeMounts"]}
    return {
        item["key"]
        for volume in template["spec"]["volumes"]
        if volume["name"] in mounts
        for source in volume.get("projected", {}).get("sources", ())
        for item in source.get("secret", {}).get("items", ())
    }


def test_each_container_sees_only_the_secrets_that_it_needs() -> None:
    seen = {
        container["name"]: mounted_secret_files(template, container["name"])
        for _, template in pods(everything(LAB))
        for container in template["spec"]["containers"]
    }

    assert seen == {
        "mariadb": {"client.cnf", "init.sql"},
        "slurmdbd": {"slurmdbd.conf", "slurm.key", "jwt_hs256.key"},
        "slurmctld": {"slurm.key", "jwt_hs256.key"},
        "slurmrestd": set(),
        "sshd": {"ssh_host_ed25519_key"},
        "sackd": {"slurm.key"},
        "slurmd": {"slurm.key"},
    }


def test_users_cannot_write_where_their_slurm_commands_are_configured() -> None:
    template = dict(pods(everything(LAB)))["login"]
    (sshd, sackd) = template["spec"]["containers"]

    def sack(container: Mapping[str, Any]) -> Any:
        return [one for one in container["volumeMounts"] if one["mountPath"] == "/run/slurm"]

    assert sack(sshd) == [{"mountPath": "/run/slurm", "name": "sack", "readOnly": True}]
    assert sack(sackd) == [{"mountPath": "/run/slurm", "name": "sack"}]


def hashes(cluster: SlurmCluster, key_mark: str = "k") -> dict[str, str]:
    return {
        name: template["metadata"]["annotations"][CONFIG_HASH]
        for name, template in pods(everything(cluster, key_mark))
    }


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    assert set(before) == set(after)
    return {name for name in before if before[name] != after[name]}


def test_new_user_or_ssh_key_restarts_nothing() -> None:
    other = with_user_key(LAB, "alice", f"{SSH_KEY} again")
    other = replace(other, users=(*other.users, User(name="bob", uid=2002)))

    assert changed(hashes(LAB), hashes(other)) == set()


def test_changed_slurm_conf_restarts_nothing() -> None:
    other = replace(LAB, partitions=(Partition(name="p"),), slurm_conf={"KillWait": "9"})

    assert changed(hashes(LAB), hashes(other)) == set()


def test_new_keys_restart_all_who_hold_one() -> None:
    everyone_else = {"login", "mariadb", "slurmctld", "slurmdbd", "w"}

    assert changed(hashes(LAB), hashes(LAB, "n")) == everyone_else


def revision(cluster: SlurmCluster) -> str:
    keys = fixed_keys()
    return worker_revision(cluster, cluster.node_sets[0], keys, render_files(cluster, keys))


def test_number_of_workers_and_slurm_conf_replace_no_worker_and_its_shape_does() -> None:
    (node_set,) = LAB.node_sets
    more = replace(LAB, node_sets=(replace(node_set, replicas=3),), slurm_conf={"KillWait": "9"})
    bigger = replace(LAB, node_sets=(replace(node_set, memory="3Gi"),))

    assert everything(LAB)[-1] == everything(more)[-1]
    assert revision(LAB) == revision(more) != revision(bigger)
    assert everything(LAB)[-1]["metadata"]["annotations"]["sunk.dev/revision"] == revision(LAB)


def test_worker_of_a_machine_runs_there_only() -> None:
    keys = fixed_keys()
    files = render_files(LAB, keys)

    pod = worker_pod(LAB, LAB.node_sets[0], keys, files, name="m-1", machine="m.1")

    assert pod["metadata"]["annotations"]["sunk.dev/machine"] == "m.1"
    assert pod["spec"]["affinity"]["nodeAffinity"] == {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["m.1"]}]}
            ]
        }
    }


def test_worker_limits_requests_and_devices() -> None:
    node_set = NodeSet(name="g", cpu="4", memory="8Gi", gpus=2, cpu_request="1")
    objects = everything(replace(LAB, node_sets=(node_set,)))

    (slurmd,) = named(objects, "Pod", "g-0")["spec"]["containers"]

    assert slurmd["resources"] == {
        "limits": {"cpu": "4", "memory": "8Gi", "nvidia.com/gpu": "2"},
        "requests": {"cpu": "1", "memory": "8Gi", "nvidia.com/gpu": "2"},
    }
    values = {one["name"]: one.get("value") for one in slurmd["env"]}
    assert values["NODE_CONF"] == "CPUs=4 RealMemory=8064 Feature=g Gres=gpu:2"
    assert values["NODE_GPUS"] == "2"


def test_worker_has_time_to_drain_before_it_is_killed() -> None:
    template = dict(pods(everything(LAB)))["w"]
    (slurmd,) = template["spec"]["containers"]
    drain = {one["name"]: one.get("value") for one in slurmd["env"]}["DRAIN_SECONDS"]

    # The hook's own calls: 5 s drain, 5 s query, 5 s down, 10 s delete with a 5 s call at its end.
    assert template["spec"]["terminationGracePeriodSeconds"] >= int(drain) + 5 + 5 + 5 + 15


def test_pod_security_refuses_anything_privileged_in_the_namespace() -> None:
    labels = everything(LAB)[0]["metadata"]["labels"]

    assert {key: value for key, value in labels.items() if key.startswith("pod-security")} == {
        "pod-security.kubernetes.io/audit": "baseline",
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/warn": "baseline",
    }
