"""The custom resources: what is shipped is what the model says, and every field is explained."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from sunk.render.crds import render_crds
from sunk.render.plain_yaml import dump_documents
from sunk.resources import data_folder

CRDS = {one["spec"]["names"]["kind"]: one for one in render_crds()}


def shipped(kind: str) -> Path:
    return data_folder("deploy") / "chart/sunk/crds" / f"{CRDS[kind]['metadata']['name']}.yaml"


def schema(kind: str) -> dict:
    (version,) = CRDS[kind]["spec"]["versions"]
    return version["schema"]["openAPIV3Schema"]["properties"]


@pytest.mark.parametrize("kind", CRDS)
def test_shipped_file_is_what_the_model_says(kind):
    text = dump_documents([CRDS[kind]])
    if os.environ.get("SUNK_REWRITE_GOLDEN") == "1":
        shipped(kind).write_text(text)
    assert shipped(kind).read_text() == text


def fields(place: str, node: dict):
    for name, one in node.get("properties", {}).items():
        yield f"{place}.{name}", one
        yield from fields(f"{place}.{name}", one)
        yield from fields(f"{place}.{name}[]", one.get("items", {}))


@pytest.mark.parametrize("kind", CRDS)
def test_every_field_of_a_spec_has_a_type_and_words(kind):
    found = dict(fields("spec", schema(kind)["spec"]))
    assert len(found) > 8
    assert [name for name, one in found.items() if not one.get("description")] == []
    assert [name for name, one in found.items() if "type" not in one] == []


def test_fields_are_called_in_words_as_people_write_them():
    properties = schema("NodeSet")["spec"]["properties"]
    assert properties["gpus"]["description"] == (
        "Devices of gpuResource; Slurm's Gres is `gpu:<gpus>`."
    )


def test_defaults_are_those_of_the_model():
    found = dict(fields("spec", schema("SlurmCluster")["spec"]))
    assert found["spec.storage.home"]["default"] == {"size": "10Gi"}
    assert found["spec.partitions[].state"]["default"] == "UP"
    assert found["spec.partitions[].state"]["enum"] == ["UP", "DOWN", "DRAIN", "INACTIVE"]
    assert "default" not in found["spec.users[].gid"]


def test_node_sets_can_be_scaled_by_kubectl_and_autoscalers():
    (version,) = CRDS["NodeSet"]["spec"]["versions"]
    assert version["subresources"]["scale"] == {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }


def test_shipped_files_are_yaml_that_other_readers_understand():
    for kind, one in CRDS.items():
        assert yaml.safe_load(shipped(kind).read_text()) == one
