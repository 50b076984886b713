from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sunk.local.volumes import (
    STORAGE_CLASS_NAME,
    Discard,
    Provide,
    plan_volumes,
    volume_name,
    volume_object,
)


def a_claim(uid: str, storage_class: str | None = STORAGE_CLASS_NAME):
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": f"claim-{uid}", "namespace": "ns", "uid": uid},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": storage_class,
        },
    }


def a_volume(name: str, phase: str, storage_class: str = STORAGE_CLASS_NAME):
    return {
        "metadata": {"name": name},
        "spec": {"storageClassName": storage_class},
        "status": {"phase": phase},
    }


uids = st.sets(st.from_regex(r"[0-9a-f]{4}", fullmatch=True), max_size=6)
phases = st.sampled_from(["Available", "Bound", "Released", "Failed"])


@given(claimed=uids, existing=st.dictionaries(st.sampled_from("abcdef"), phases), foreign=uids)
def test_plan_converges_and_touches_nothing_of_other_classes(claimed, existing, foreign):
    claims = [a_claim(uid) for uid in claimed] + [a_claim(f"x{u}", "other") for u in foreign]
    volumes = [a_volume(name, phase) for name, phase in existing.items()]
    volumes += [a_volume(f"foreign-{u}", "Released", "other") for u in foreign]
    world = {v["metadata"]["name"]: v for v in volumes}
    for action in plan_volumes(claims, volumes):
        match action:
            case Provide(volume=name, claim=claim):
                assert claim["spec"]["storageClassName"] == STORAGE_CLASS_NAME
                world[name] = {**volume_object(claim, None), "status": {"phase": "Bound"}}
            case Discard(volume=name):
                assert world[name]["status"]["phase"] == "Released"
                assert world[name]["spec"]["storageClassName"] == STORAGE_CLASS_NAME
                del world[name]
    assert {volume_name(a_claim(uid)) for uid in claimed} <= set(world)
    assert plan_volumes(claims, list(world.values())) == ()


def test_volume_of_a_claim_that_still_exists_is_kept_even_when_released():
    claim = a_claim("1")
    assert plan_volumes([claim], [a_volume(volume_name(claim), "Released")]) == ()


def test_volume_is_of_type_local_because_fsgroup_is_honoured_only_there(tmp_path):
    spec = volume_object(a_claim("1"), tmp_path)["spec"]
    assert spec["local"] == {"path": str(tmp_path)}
    assert spec["claimRef"]["uid"] == "1"
    assert spec["accessModes"] == ["ReadWriteMany"]
