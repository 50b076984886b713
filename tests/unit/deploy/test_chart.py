"""The chart says what the code says: version, rights, values and their schema; without Helm."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from packaging.version import Version

import sunk
from sunk.render.permissions import PERMISSIONS, Scope, role_template
from sunk.wellknown import BRIDGE_LEASE, CONTROLLER_POD, LOGIN_POD
from tests.support.chart import CHART, at, default_values, leaves, reference, values
from tests.support.golden import FOLDER, check_generated
from tests.support.pages import DOCS

SCHEMA = json.loads((CHART / "values.schema.json").read_text())


@pytest.mark.parametrize(
    ("scope", "file"), [(Scope.NAMESPACE, "role.yaml"), (Scope.CLUSTER, "clusterrole.yaml")]
)
def test_role_of_the_chart_is_the_table(scope, file):
    check_generated(CHART / "templates" / file, role_template(scope))


def test_rights_name_what_they_are_for_and_nothing_is_granted_twice():
    granted = [
        (one.group, resource, verb, one.scope, one.names)
        for one in PERMISSIONS
        for resource in one.resources
        for verb in one.verbs
    ]
    assert len(granted) == len(set(granted))
    assert all(one.reason for one in PERMISSIONS)


def test_rights_hold_no_wildcard_no_way_to_more_rights_and_no_deletion_of_data_or_keys():
    for one in PERMISSIONS:
        assert not {"*", "bind", "escalate", "impersonate", "deletecollection"} & set(one.verbs)
        assert not {"*", "serviceaccounts/token"} & set(one.resources)
        if one.value != "bridge.slurmCommands":
            assert "pods/exec" not in one.resources
        assert one.group not in {"*", "rbac.authorization.k8s.io"}
        if "delete" in one.verbs and one.value != "rbac.deleteData":
            assert not {"secrets", "persistentvolumeclaims", "leases"} & set(one.resources)
    cluster_wide = {one.resources for one in PERMISSIONS if one.scope is Scope.CLUSTER}
    assert cluster_wide == {("nodes",), ("nodes/status",)}
    named = [one.names for one in PERMISSIONS if one.names]
    assert named == [(CONTROLLER_POD,), (LOGIN_POD,), (BRIDGE_LEASE,)]


def test_chart_has_the_version_of_the_package():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["name"] == "sunk"
    assert chart["appVersion"] == sunk.__version__
    assert Version(chart["version"]) == Version(sunk.__version__)


def test_every_value_has_a_comment_above_it():
    commented = {one.path for one in values()}
    bare = {leaf for leaf in leaves(default_values()) if not is_inside(leaf, commented)}
    assert bare == set()


def is_inside(path: str, places: set[str]) -> bool:
    return any(path == one or path.startswith(f"{one}.") for one in places)


def objects(schema: dict[str, Any], path: str = "") -> dict[str, dict[str, Any]]:
    """Return the schemas of mappings whose keys are known, by path."""
    if "properties" not in schema:
        return {}
    found = {path: schema}
    for name, one in schema["properties"].items():
        found |= objects(one, f"{path}.{name}".strip("."))
    return found


def test_schema_knows_every_value_and_no_other():
    for path, schema in objects(SCHEMA).items():
        known = at(default_values(), path) if path else default_values()
        optional = {"claims"} if path == "resources" else set()
        if path == "affinity":
            continue  # Kubernetes' own
        assert set(schema["properties"]) - optional == set(known), path


def test_schema_lets_nothing_unknown_in_but_below_global():
    open_ones = [p for p, one in objects(SCHEMA).items() if one.get("additionalProperties", True)]
    assert open_ones == ["global"]


def test_values_file_of_the_golden_files_sets_every_value_to_something_else():
    given = yaml.safe_load((FOLDER / "chart" / "everything-values.yaml").read_text())
    same = [one.path for one in values() if at(given, one.path) == one.default]
    assert same == []


def test_page_of_the_chart_is_what_the_chart_says():
    check_generated(DOCS / "reference" / "chart.md", reference())
