"""Drills of an acceptance."""

from __future__ import annotations

from sunk.assess.check import Check
from sunk.assess.verdict import Domain
from sunk_fabric.catalogue.row import rows_of

_row = rows_of("accept", Domain.APPLICATION)

CHECKS: tuple[Check, ...] = (
    _row(
        "failure.link",
        "A pulled link",
        proves="a job outlives a dead uplink",
        reads="drill",
        rule="a dead job, or a longer gap than declared, is FAIL",
        remedy="timeouts; link healing",
    ),
    _row(
        "failure.node",
        "A lost node",
        proves="a job is requeued in time",
        reads="drill",
        rule="later than declared is FAIL",
        remedy="scheduler",
    ),
    _row(
        "failure.manager",
        "A lost manager",
        proves="subnet and aggregation managers fail over in time",
        reads="drill",
        rule="later than declared is FAIL",
        remedy="high availability",
    ),
    _row(
        "upgrade",
        "An upgrade",
        proves="nothing is worse after it",
        reads="two bundles",
        rule="a new FAIL, or 5 % less, is FAIL",
        remedy="go back",
    ),
    _row(
        "cost",
        "What it cost",
        proves="node-hours and money are stated",
        reads="ledger",
        rule="above budget is FAIL",
        remedy="plan",
    ),
    _row(
        "operator",
        "People are ready",
        proves="runbooks are rehearsed, waivers have an owner and an end",
        reads="checklist",
        rule="missing is WARN",
        remedy="rehearse",
    ),
)
