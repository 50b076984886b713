"""What a site adds to Pods: it is there, and what holds the cluster together is there as before."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from sunk.errors import InputError
from sunk.model.cluster import Images, NodeSet, SlurmCluster
from sunk.model.overlay import (
    Component,
    EnvVar,
    PodOverlay,
    Resources,
    Sidecar,
    TopologySpread,
)
from sunk.model.storage import Database, ExternalDatabase
from sunk.model.volumes import EmptyDir, Volume, VolumeMount
from sunk.render.checks import problems
from sunk.render.description import dump_description, load_description, read_description
from sunk.render.kube.overlay import overlaid
from sunk.render.ours import OURS, ours_of
from tests.support.pods import COMPONENTS, everything, overlaid_clusters, pods, without_overlays
from tests.support.render import GOLDEN, clusters, for_all
from tests.unit.render.test_render_objects import as_yaml, compare_with_golden, named

CONFIG_HASH = "sunk.dev/config-hash"
LAB = SlurmCluster(name="lab", node_sets=(NodeSet(name="w"), NodeSet(name="x")))


def with_overlays(cluster: SlurmCluster, overlay: PodOverlay | None) -> SlurmCluster:
    return replace(
        cluster,
        **{key: replace(getattr(cluster, key), pod=overlay) for key in COMPONENTS},
        node_sets=tuple(replace(one, pod=overlay) for one in cluster.node_sets),
    )


def templates(cluster: SlurmCluster) -> dict[str, dict[str, Any]]:
    return dict(pods(everything(cluster)))


def main(template: dict[str, Any]) -> dict[str, Any]:
    return template["spec"]["containers"][0]


def test_objects_with_everything_set_are_the_golden_file() -> None:
    cluster = load_description(GOLDEN / "overlay.yaml")

    compare_with_golden("overlay.objects.yaml", as_yaml(everything(cluster)))


def test_golden_file_sets_every_field_of_an_overlay() -> None:
    cluster = load_description(GOLDEN / "overlay.yaml")
    used = [
        getattr(cluster, key).pod for key in COMPONENTS if getattr(cluster, key).pod is not None
    ]
    used += [one.pod for one in cluster.node_sets]

    unset = {
        field.name
        for field in fields(PodOverlay)
        if all(getattr(one, field.name) == getattr(PodOverlay(), field.name) for one in used)
    }

    assert unset == set()


@for_all(clusters(), examples=15)
def test_overlay_of_nothing_changes_no_byte(cluster: SlurmCluster) -> None:
    empty = with_overlays(cluster, PodOverlay())

    assert json.dumps(everything(empty)) == json.dumps(everything(cluster))


@for_all(overlaid_clusters(), examples=30)
def test_generated_overlays_have_no_problems_and_survive_the_file(cluster: SlurmCluster) -> None:
    assert list(problems(cluster)) == []
    assert read_description(dump_description(cluster), source="x.yaml") == cluster


@for_all(overlaid_clusters(), examples=30)
def test_what_is_ours_stays_whatever_is_added(cluster: SlurmCluster) -> None:
    bare = templates(without_overlays(cluster))

    for name, template in templates(cluster).items():
        own = bare[name]
        assert own["metadata"]["labels"].items() <= template["metadata"]["labels"].items()
        assert template["spec"]["dnsConfig"] == own["spec"]["dnsConfig"]
        assert template["spec"]["enableServiceLinks"] is False
        assert set(own["spec"]["securityContext"]) <= set(template["spec"]["securityContext"])
        volumes = {one["name"]: one for one in template["spec"]["volumes"]}
        assert len(volumes) == len(template["spec"]["volumes"])
        assert all(volumes[one["name"]] == one for one in own["spec"]["volumes"])
        assert len(template["spec"]["containers"]) == len(own["spec"]["containers"])
        for ours, now in zip(
            own["spec"]["containers"], template["spec"]["containers"], strict=True
        ):
            kept = ("command", "image", "name", "ports", "readinessProbe", "startupProbe")
            for key in (*kept, "lifecycle"):
                assert now.get(key) == ours.get(key)
            assert now["volumeMounts"][: len(ours["volumeMounts"])] == ours["volumeMounts"]
            env = [one for one in ours["env"] if one["name"] != "DRAIN_SECONDS"]
            assert [one for one in now["env"] if one in env] == env
            names = [one["name"] for one in now["env"]]
            assert len(names) == len(set(names))
            assert now["securityContext"]["capabilities"]["drop"] == ["ALL"]
            added = set(ours["securityContext"]["capabilities"].get("add", ()))
            assert added <= set(now["securityContext"]["capabilities"].get("add", ()))
            mounted = {one["name"] for one in now["volumeMounts"]}
            assert mounted <= set(volumes)
        for sidecar in template["spec"].get("initContainers", ()):
            assert sidecar["restartPolicy"] == "Always"
            assert {one["name"] for one in sidecar.get("volumeMounts", ())} <= set(volumes)


@for_all(overlaid_clusters(), examples=15)
def test_order_of_keys_in_a_description_changes_no_byte(cluster: SlurmCluster) -> None:
    def turned(value: Any) -> Any:
        return (
            dict(reversed([(key, turned(one)) for key, one in value.items()]))
            if isinstance(value, dict)
            else value
        )

    def turn(overlay: PodOverlay | None) -> PodOverlay | None:
        return overlay and replace(
            overlay,
            affinity=turned(overlay.affinity),
            annotations=turned(overlay.annotations),
            labels=turned(overlay.labels),
            node_selector=turned(overlay.node_selector),
            resources=overlay.resources
            and Resources(
                requests=turned(overlay.resources.requests),
                limits=turned(overlay.resources.limits),
            ),
        )

    other = replace(
        cluster,
        **{
            key: replace(getattr(cluster, key), pod=turn(getattr(cluster, key).pod))
            for key in COMPONENTS
        },
        node_sets=tuple(replace(one, pod=turn(one.pod)) for one in cluster.node_sets),
    )

    first = json.dumps(everything(cluster))
    assert json.dumps(everything(other)) == first


def test_table_of_what_is_ours_is_what_the_pods_hold() -> None:
    held = {name: ours_of(template) for name, template in templates(LAB).items()}

    assert held.pop("x") == held["w"]
    held["slurmd"] = held.pop("w")
    site = ExternalDatabase(host="db", password_secret="db")
    theirs = templates(replace(LAB, database=Database(external=site)))
    held["slurmdbd"] = ours_of(theirs["slurmdbd"])
    assert dict(OURS) == held


def hashes(cluster: SlurmCluster) -> dict[str, str]:
    return {
        name: template["metadata"]["annotations"][CONFIG_HASH]
        for name, template in templates(cluster).items()
    }


@pytest.mark.parametrize("key", [*COMPONENTS, "node set"])
def test_changed_overlay_replaces_the_pods_of_its_component_alone(key: str) -> None:
    def add(text: str) -> SlurmCluster:
        overlay = PodOverlay(env=(EnvVar(name="SITE", value=text),))
        if key == "node set":
            return replace(
                LAB, node_sets=(replace(LAB.node_sets[0], pod=overlay), LAB.node_sets[1])
            )
        return replace(LAB, **{key: replace(getattr(LAB, key), pod=overlay)})

    none, first, second = hashes(LAB), hashes(add("1")), hashes(add("2"))

    (name,) = {one for one in none if none[one] != first[one]}
    assert name == COMPONENTS.get(key, "w")
    assert {one for one in none if first[one] != second[one]} == {name}


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        (PodOverlay(env=(EnvVar(name="NODE_CONF", value="x"),)), "env.0.name"),
        (PodOverlay(labels={"sunk.dev/node-set": "x"}), "labels.sunk.dev/node-set"),
        (PodOverlay(annotations={CONFIG_HASH: "x"}), "annotations.sunk.dev/config-hash"),
        (PodOverlay(volumes=(Volume(name="home", empty_dir=EmptyDir()),)), "volumes.0.name"),
        (PodOverlay(sidecars=(Sidecar(name="slurmd", image="a"),)), "sidecars.0.name"),
        (
            PodOverlay(volume_mounts=(VolumeMount(name="x", mount_path="/etc/slurm"),)),
            "volumeMounts.0.mountPath",
        ),
        (PodOverlay(termination_grace_period_seconds=5), "terminationGracePeriodSeconds"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_joining_refuses_what_would_take_the_place_of_ours(overlay: PodOverlay, said: str) -> None:
    template = templates(LAB)["w"]
    before = json.dumps(template)

    with pytest.raises(InputError) as caught:
        overlaid(template, overlay)

    assert f"add {said} to a Pod of sunk" in caught.value.message
    assert json.dumps(template) == before


def test_variables_of_a_site_keep_their_order_after_ours() -> None:
    overlay = PodOverlay(env=(EnvVar(name="Z", value="1"), EnvVar(name="A", value="$(Z)")))

    env = main(templates(with_overlays(LAB, overlay))["w"])["env"]

    assert env[-2:] == [{"name": "Z", "value": "1"}, {"name": "A", "value": "$(Z)"}]


def test_spread_chooses_the_pods_of_its_own_component() -> None:
    overlay = PodOverlay(topology_spread_constraints=(TopologySpread(topology_key="rack"),))
    rendered = templates(with_overlays(LAB, overlay))

    worker = {"app.kubernetes.io/name": "slurmd", "sunk.dev/node-set": "w"}
    own = {"w": worker, "slurmctld": {"app.kubernetes.io/name": "slurmctld"}}
    for name, labels in own.items():
        chosen = {"app.kubernetes.io/instance": "lab", **labels}
        (one,) = rendered[name]["spec"]["topologySpreadConstraints"]
        assert one == {
            "labelSelector": {"matchLabels": chosen},
            "maxSkew": 1,
            "topologyKey": "rack",
            "whenUnsatisfiable": "ScheduleAnyway",
        }


def test_limit_below_our_own_request_lowers_the_request() -> None:
    overlay = PodOverlay(resources=Resources(limits={"memory": "16Mi"}))
    cluster = replace(LAB, controller=Component(pod=overlay))

    assert main(templates(cluster)["slurmctld"])["resources"] == {
        "limits": {"memory": "16Mi"},
        "requests": {"cpu": "50m", "memory": "16Mi"},
    }


def test_jobs_may_go_on_for_as_long_as_the_pod_has_to_stop() -> None:
    node_set = replace(LAB.node_sets[0], pod=PodOverlay(termination_grace_period_seconds=3645))

    template = templates(replace(LAB, node_sets=(node_set,)))["w"]

    drain = {one["name"]: one.get("value") for one in main(template)["env"]}["DRAIN_SECONDS"]
    assert (template["spec"]["terminationGracePeriodSeconds"], drain) == (3645, "3600")


def test_rdma_is_a_capability_and_devices_in_limits_and_requests() -> None:
    plain, rdma = (
        main(templates(replace(LAB, node_sets=(one,)))["w"])
        for one in (NodeSet(name="w"), NodeSet(name="w", rdma=True, rdma_count=2))
    )

    capabilities = [set(one["securityContext"]["capabilities"]["add"]) for one in (plain, rdma)]
    assert capabilities[1] - capabilities[0] == {"IPC_LOCK"}
    assert rdma["resources"] == {
        "limits": {"cpu": "1", "memory": "1Gi", "rdma/hca": "2"},
        "requests": {"cpu": "1", "memory": "1Gi", "rdma/hca": "2"},
    }


def test_shared_memory_is_in_memory_with_a_limit_if_one_is_said() -> None:
    cluster = replace(LAB, node_sets=(NodeSet(name="a"), NodeSet(name="b", shm_size="64Mi")))

    shm = {
        name: [one["emptyDir"] for one in template["spec"]["volumes"] if one["name"] == "shm"]
        for name, template in templates(cluster).items()
        if name in ("a", "b")
    }

    assert shm == {
        "a": [{"medium": "Memory"}],
        "b": [{"medium": "Memory", "sizeLimit": "64Mi"}],
    }


@pytest.mark.parametrize("level", ["baseline", "privileged"])
def test_namespace_enforces_the_level_and_warns_beyond_baseline(level: str) -> None:
    text = f"""\
apiVersion: sunk.dev/v1alpha1
kind: SlurmCluster
metadata: {{name: lab}}
spec: {{podSecurity: {level}}}
"""
    objects = everything(read_description(text, source="x"))

    labels = named(objects, "Namespace", "slurm")["metadata"]["labels"]
    assert {key.split("/")[1]: labels[key] for key in labels if "pod-security" in key} == {
        "audit": "baseline",
        "enforce": level,
        "warn": "baseline",
    }


SHA = f"sha256:{'0' * 64}"
NAMES = {
    "as they are": (Images(), "sunk.dev/slurm:local"),
    "full name": (Images(slurm="h:5000/a/b:1"), "h:5000/a/b:1"),
    "full name with both": (Images(slurm=f"a/b:1@{SHA}"), f"a/b:1@{SHA}"),
    "registry": (Images(registry="h:5000/m"), "h:5000/m/slurm:local"),
    "registry for a full name": (Images(slurm="h:5000/a/b:1", registry="m"), "m/b:1"),
    "registry for a bare name": (Images(slurm="slurm", registry="m"), "m/slurm"),
    "registry and digest in the name": (Images(slurm=f"a/b@{SHA}", registry="m"), f"m/b@{SHA}"),
    "tag": (Images(tag="2"), "sunk.dev/slurm:2"),
    "tag for a bare name": (Images(slurm="slurm", tag="2"), "slurm:2"),
    "tag behind a port": (Images(slurm="h:5000/slurm", tag="2"), "h:5000/slurm:2"),
    "digest wins": (Images(tag="2", slurm_digest=SHA), f"sunk.dev/slurm@{SHA}"),
    "digest of the name wins": (Images(slurm=f"a/b@{SHA}", tag="2"), f"a/b@{SHA}"),
}


@pytest.mark.parametrize(("images", "name"), NAMES.values(), ids=NAMES.keys())
def test_image_of_every_daemon_is(images: Images, name: str) -> None:
    rendered = templates(replace(LAB, images=images))

    used = {
        container["image"]
        for template in rendered.values()
        for container in template["spec"]["containers"]
        if container["name"] != "sshd"
    }
    assert used == {name}


def test_login_image_has_its_own_digest() -> None:
    images = Images(registry="m", slurm_digest=SHA, login_digest=SHA.replace("0", "1"))

    image = main(templates(replace(LAB, images=images))["login"])["image"]

    assert image == f"m/login@{SHA.replace('0', '1')}"
