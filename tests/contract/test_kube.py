"""One suite over every Kubernetes client: in memory always, the real API server with `cluster`."""

from __future__ import annotations

import uuid

import pytest

from sunk.clients.kube.memory import MemoryKube
from sunk.errors import Conflict, NotFound, Rejected
from sunk.model.kube import CONFIG_MAP, LEASE, NAMESPACE, NODE, POD


@pytest.fixture(params=["memory", pytest.param("real", marks=pytest.mark.cluster)])
def kube(request):
    if request.param == "memory":
        return MemoryKube()
    return request.getfixturevalue("kube_cluster").kube


@pytest.fixture
def namespace(kube):
    name = f"contract-{uuid.uuid4().hex[:8]}"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    kube.delete(NAMESPACE, name)


def a_map(namespace: str, name: str = "m", labels: dict[str, str] | None = None, **data: str):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
        "data": data,
    }


def test_applied_object_is_read_back(kube, namespace):
    kube.apply(a_map(namespace, a="1"))
    assert kube.get(CONFIG_MAP, "m", namespace)["data"] == {"a": "1"}


def test_apply_twice_changes_nothing(kube, namespace):
    first = kube.apply(a_map(namespace, a="1"))
    second = kube.apply(a_map(namespace, a="1"))
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]
    assert first["metadata"]["uid"] == second["metadata"]["uid"]


def test_field_left_out_of_a_later_apply_is_removed(kube, namespace):
    kube.apply(a_map(namespace, a="1", b="2"))
    kube.apply(a_map(namespace, a="1"))
    assert kube.get(CONFIG_MAP, "m", namespace)["data"] == {"a": "1"}


def test_field_of_somebody_else_survives_our_apply(kube, namespace):
    kube.apply(a_map(namespace, a="1"))
    kube.merge(CONFIG_MAP, "m", {"metadata": {"annotations": {"theirs": "x"}}}, namespace)
    kube.apply(a_map(namespace, a="2"))
    found = kube.get(CONFIG_MAP, "m", namespace)
    assert found["metadata"]["annotations"] == {"theirs": "x"}
    assert found["data"] == {"a": "2"}


def test_absent_object_is_not_found(kube, namespace):
    with pytest.raises(NotFound, match=f"read ConfigMap {namespace}/none"):
        kube.get(CONFIG_MAP, "none", namespace)
    with pytest.raises(NotFound):
        kube.delete(CONFIG_MAP, "none", namespace)


def test_creating_what_exists_is_a_conflict(kube, namespace):
    kube.create(a_map(namespace))
    with pytest.raises(Conflict):
        kube.create(a_map(namespace))


def test_object_in_a_namespace_that_does_not_exist_is_not_found(kube):
    with pytest.raises(NotFound):
        kube.create(a_map("no-such-namespace"))


def test_list_is_sorted_and_selected_by_label(kube, namespace):
    for name in ("b", "a", "c"):
        kube.apply(a_map(namespace, name, {"team": "x" if name != "c" else "y"}))
    found = kube.list(CONFIG_MAP, namespace, "team=x")
    assert [one["metadata"]["name"] for one in found] == ["a", "b"]
    assert found[0]["kind"] == "ConfigMap"


def test_merge_with_null_removes_a_key(kube, namespace):
    kube.apply(a_map(namespace, a="1", b="2"))
    kube.merge(CONFIG_MAP, "m", {"data": {"b": None}}, namespace)
    assert kube.get(CONFIG_MAP, "m", namespace)["data"] == {"a": "1"}


def test_merge_that_names_an_old_version_is_a_conflict_and_changes_nothing(kube, namespace):
    old = kube.apply(a_map(namespace, a="1"))["metadata"]["resourceVersion"]
    named = {"metadata": {"resourceVersion": old}}
    new = kube.merge(CONFIG_MAP, "m", {**named, "data": {"a": "2"}}, namespace)
    assert new["metadata"]["resourceVersion"] != old
    with pytest.raises(Conflict):
        kube.merge(CONFIG_MAP, "m", {**named, "data": {"a": "3"}}, namespace)
    assert kube.get(CONFIG_MAP, "m", namespace)["data"] == {"a": "2"}


def test_merge_that_names_another_uid_is_rejected_and_changes_nothing(kube, namespace):
    uid = kube.apply(a_map(namespace, a="1"))["metadata"]["uid"]
    kube.merge(CONFIG_MAP, "m", {"metadata": {"uid": uid}, "data": {"a": "2"}}, namespace)
    with pytest.raises(Rejected):
        other = {"metadata": {"uid": "c0ffee00-0000-4000-8000-000000000000"}, "data": {"a": "3"}}
        kube.merge(CONFIG_MAP, "m", other, namespace)
    assert kube.get(CONFIG_MAP, "m", namespace)["data"] == {"a": "2"}


def test_apply_that_names_an_old_version_is_a_conflict(kube, namespace):
    old = kube.apply(a_map(namespace, a="1"))["metadata"]["resourceVersion"]
    kube.apply(a_map(namespace, a="2"))
    thing = a_map(namespace, a="3")
    thing["metadata"]["resourceVersion"] = old
    with pytest.raises(Conflict):
        kube.apply(thing)
    assert kube.get(CONFIG_MAP, "m", namespace)["data"] == {"a": "2"}


def test_lease_is_made_and_renewed_with_a_version_and_given_back(kube, namespace):
    spec = {"holderIdentity": "a", "leaseDurationSeconds": 15, "leaseTransitions": 0}
    spec["renewTime"] = "2026-01-01T00:00:00.000000Z"
    meta = {"name": "l", "namespace": namespace}
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta}
    first = kube.create({**lease, "spec": spec})["metadata"]["resourceVersion"]
    gone = {"holderIdentity": None, "leaseDurationSeconds": 1}
    patch = {"metadata": {"resourceVersion": first}, "spec": gone}
    kube.merge(LEASE, "l", patch, namespace)
    found = kube.get(LEASE, "l", namespace)["spec"]
    assert "holderIdentity" not in found
    assert (found["leaseDurationSeconds"], found["renewTime"]) == (1, spec["renewTime"])
    with pytest.raises(Conflict):
        kube.merge(LEASE, "l", patch, namespace)


def test_watch_tells_changes_after_a_version_in_order(kube, namespace):
    start = kube.apply(a_map(namespace, a="1"))["metadata"]["resourceVersion"]
    kube.apply(a_map(namespace, a="2"))
    kube.delete(CONFIG_MAP, "m", namespace)
    events = kube.watch(CONFIG_MAP, namespace, since=start, within_seconds=2)
    mine = [e for e in events if e.object["metadata"].get("name") == "m"]
    assert [(e.type, e.object["data"]) for e in mine] == [
        ("MODIFIED", {"a": "2"}),
        ("DELETED", {"a": "2"}),
    ]


def test_watch_from_the_present_tells_only_what_comes(kube, namespace):
    kube.apply(a_map(namespace, name="before"))
    since = kube.version_of(CONFIG_MAP, namespace)
    kube.apply(a_map(namespace, name="after"))
    events = kube.watch(CONFIG_MAP, namespace, since=since, within_seconds=1)
    told = {e.object["metadata"]["name"] for e in events if e.type == "ADDED"}
    # Kubernetes puts a map of its own into every namespace, some time after it is made.
    assert told - {"kube-root-ca.crt"} == {"after"}


def a_pod(namespace: str, name: str = "p"):
    container = {"name": "c", "image": "sunk.dev/pause:local", "imagePullPolicy": "Never"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        # A node that does not exist: nobody else writes this Pod's status.
        "spec": {"containers": [container], "nodeSelector": {"nowhere": "x"}},
    }


def test_answer_that_may_be_cached_has_what_the_version_that_is_asked_for_has(kube, namespace):
    for name in ("p", "q", "r"):
        made = kube.create(a_pod(namespace, name))
        version = made["metadata"]["resourceVersion"]
        assert name in {one.name for one in kube.pods(namespace, at_least=version)}
    assert kube.nodes(at_least=kube.version_of(NODE)) == kube.nodes()


def test_version_that_the_cache_will_not_have_soon_costs_a_wait_and_no_answer(kube, namespace):
    kube.create(a_pod(namespace))
    (pod,) = kube.pods(namespace, at_least=str(10**15))
    assert pod.name == "p"


def status(namespace: str, *types: str, message: str = ""):
    stamp = "2026-01-01T00:00:00Z"
    conditions = [
        {
            "type": one,
            "status": "True",
            "reason": "R",
            "message": message,
            "lastTransitionTime": stamp,
        }
        for one in types
    ]
    meta = {"name": "p", "namespace": namespace}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "status": {"conditions": conditions},
    }


def ours(kube, namespace):
    (pod,) = kube.pods(namespace)
    return {name: one.message for name, one in pod.conditions.items() if name.startswith("Sunk")}


def test_applied_conditions_are_read_back_replaced_and_removed(kube, namespace):
    kube.create(a_pod(namespace))
    kube.apply_status(status(namespace, "SunkA", "SunkB", message="one"))
    assert ours(kube, namespace) == {"SunkA": "one", "SunkB": "one"}
    kube.apply_status(status(namespace, "SunkB", message="two"))
    assert ours(kube, namespace) == {"SunkB": "two"}


def test_status_of_an_absent_object_is_not_found(kube, namespace):
    with pytest.raises(NotFound):
        kube.apply_status(status(namespace, "SunkA"))


def test_object_with_another_uid_is_not_deleted(kube, namespace):
    made = kube.create(a_pod(namespace))
    with pytest.raises(Conflict):
        kube.delete(POD, "p", namespace, uid="00000000-0000-0000-0000-000000000000")
    assert kube.get(POD, "p", namespace)["metadata"]["uid"] == made["metadata"]["uid"]
    kube.delete(POD, "p", namespace, uid=made["metadata"]["uid"], grace_seconds=0)


def test_version_and_readiness_are_told(kube):
    assert kube.version().startswith("v1.")
    assert kube.ready() is True


def test_node_without_a_ready_condition_is_neither_ready_nor_not(kube):
    name = f"contract-{uuid.uuid4().hex[:8]}"
    kube.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    found = {node.name: node for node in kube.nodes()}
    kube.delete(NODE, name)
    assert found[name].ready is None
