"""What a reading that proves nothing is said to lack."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sunk_fabric.checks.answers import trouble
from sunk_fabric.facts import Reading
from sunk_fabric.parse import nic_cluster_policies


def reading(text: bytes, exit_code: int | None) -> Reading:
    return Reading(
        format="nic_cluster_policies",
        path="fabric/nic_cluster_policies",
        host="",
        name="",
        at="",
        exit_code=exit_code,
        evidence="e",
        parsed=nic_cluster_policies.parse(text),
    )


def test_kind_that_kubernetes_does_not_have_is_no_damaged_text():
    """The text is what kube-apiserver 1.36 answers for a resource without a definition."""
    absent = reading(b"404 page not found\n", 404)
    assert trouble(absent) == (
        "fabric/nic_cluster_policies: Kubernetes has no such kind of object: nobody installed it"
    )
    assert "not the JSON" in trouble(replace(absent, exit_code=200))


@pytest.mark.parametrize(
    ("code", "words"),
    [(127, "there is no such command"), (1, "not the JSON"), (None, "not the JSON")],
)
def test_other_ends_say_what_they_are(code, words):
    assert words in trouble(reading(b"404 page not found\n", code))
