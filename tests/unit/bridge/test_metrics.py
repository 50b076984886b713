"""The bridge's metrics: what they count, and the page that lists them."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sunk.bridge.apply import Outcome
from sunk.bridge.loop import Round
from sunk.bridge.metrics import Metrics, reason_of
from sunk.model.slurm import JobId, NodeName
from sunk.model.workers import Snapshot, Trust
from sunk.plan.actions import Drain, Resume
from sunk.plan.workers import Source, Waiting, plan_workers
from tests.support.pages import DOCS, tables


def samples(metrics: Metrics) -> dict[str, float]:
    """Return ours: ``name{label=value,…}`` and what it is."""
    return {
        one.name + "".join(f"{{{k}={v}}}" for k, v in sorted(one.labels.items())): one.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for one in family.samples
        if one.name.startswith("sunk_bridge_") and "_bucket" not in one.name
    }


def drain(*, done: bool) -> Outcome:
    return Outcome(action=Drain(node=NodeName("w-0"), reason="r"), done=done)


MADE = Round(
    outcomes=(
        drain(done=True),
        drain(done=True),
        drain(done=False),
        Outcome(action=Resume(node=NodeName("w-1"), reason="r"), done=True),
    ),
    waiting=(
        Waiting(node=NodeName("w-1"), why="held", over_budget=True),
        Waiting(node=NodeName("w-2"), why="has jobs", jobs=(JobId(1),)),
        Waiting(node=NodeName("w-3"), why="Slurm has a node of this name"),
        Waiting(node=NodeName(""), why="in doubt", doubted=Source.SLURM),
    ),
    doubtful=True,
)


def test_round_is_counted_whole():
    metrics = Metrics()
    metrics.leads(leads=True)
    metrics.round_done(MADE, seconds=0.5, at_seconds=1e9)
    assert samples(metrics) == {
        "sunk_bridge_rounds_total": 1,
        "sunk_bridge_round_seconds_count": 1,
        "sunk_bridge_round_seconds_sum": 0.5,
        "sunk_bridge_actions_total{kind=Drain}{outcome=done}": 2,
        "sunk_bridge_actions_total{kind=Drain}{outcome=not_done}": 1,
        "sunk_bridge_actions_total{kind=Resume}{outcome=done}": 1,
        "sunk_bridge_waiting{reason=breaker}": 1,
        "sunk_bridge_waiting{reason=doubt}": 1,
        "sunk_bridge_waiting{reason=jobs}": 1,
        "sunk_bridge_waiting{reason=other}": 1,
        "sunk_bridge_trusted{source=nodes}": 1,
        "sunk_bridge_trusted{source=pods}": 1,
        "sunk_bridge_trusted{source=slurm}": 0,
        "sunk_bridge_leader": 1,
        "sunk_bridge_last_round_timestamp_seconds": 1e9,
    }


def test_bridge_that_stands_by_shows_nothing_of_its_last_term_but_the_counters():
    metrics = Metrics()
    metrics.leads(leads=True)
    metrics.round_done(MADE, seconds=0.5, at_seconds=1e9)
    metrics.leads(leads=False)
    found = samples(metrics)
    assert found["sunk_bridge_leader"] == 0
    assert {found[name] for name in found if "_waiting" in name or "_trusted" in name} == {0}
    assert found["sunk_bridge_rounds_total"] == 1


def test_doubts_of_the_planner_are_told_apart_by_their_source():
    why = Trust(why_not="it was not read yet")
    seen = Snapshot(pods_trust=why, kube_nodes_trust=why, slurm_trust=why)
    told = plan_workers(seen, allowance=1).waiting
    assert [one.doubted for one in told] == ["pods", "nodes", "slurm"]
    assert {reason_of(one) for one in told} == {"doubt"}


def test_process_is_measured_too():
    text = Metrics().text().decode()
    assert "process_resident_memory_bytes" in text
    assert "python_gc_collections_total" in text
    assert "_created" not in text


@pytest.fixture(scope="module")
def families():
    metrics = Metrics()
    metrics.round_done(MADE, seconds=0.5, at_seconds=1e9)
    found = text_string_to_metric_families(metrics.text().decode())
    return [one for one in found if one.name.startswith("sunk_bridge_")]


def test_page_lists_every_metric_with_type_labels_and_meaning(families):
    wanted = [
        {
            "metric": f"`{one.name}{'_total' if one.type == 'counter' else ''}`",
            "type": one.type,
            "labels": ", ".join(
                f"`{label}`" for label in sorted(one.samples[0].labels) if label != "le"
            ),
            "meaning": one.documentation,
        }
        for one in families
    ]
    assert tables(DOCS / "reference" / "metrics.md")["Metrics"] == wanted
