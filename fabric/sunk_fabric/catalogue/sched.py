"""Checks of the scheduler."""

from __future__ import annotations

from sunk.assess.check import Check
from sunk.assess.verdict import Domain
from sunk_fabric.catalogue.row import rows_of

_row = rows_of("sched", Domain.SCHEDULER)

CHECKS: tuple[Check, ...] = (
    _row(
        "gres",
        "Slurm counts what is there",
        proves="Gres, hardware and Kubernetes agree",
        reads="scontrol show node, slurmd -C, Node",
        rule="a difference is FAIL",
        remedy="gres.conf",
    ),
    _row(
        "state",
        "Nodes are usable",
        proves="no node is down or drained",
        reads="scontrol show node",
        rule="one that is, is FAIL or has a waiver",
        remedy="its reason",
    ),
    _row(
        "topology",
        "Slurm knows the fabric",
        proves="jobs are placed by the real leaves",
        reads="scontrol show topology, ibnetdiscover",
        rule="a node at a wrong leaf is FAIL",
        remedy="topology.yaml",
    ),
    _row(
        "topology_address",
        "Jobs know their place",
        proves="a job's address is its node's",
        reads="SLURM_TOPOLOGY_ADDR",
        rule="a difference is FAIL",
        remedy="topology.yaml",
    ),
    _row(
        "gang",
        "Large jobs start",
        proves="a job of the promised size starts",
        reads="probe",
        rule="pending with free nodes is FAIL",
        remedy="its reason",
    ),
    _row(
        "drain_loop",
        "Checks drain and resume",
        proves="a failing node leaves and a mended one returns",
        reads="drill",
        rule="wrong direction is FAIL",
        remedy="the health check's script",
    ),
)
