"""Checks of the scheduler."""

from __future__ import annotations

from sunk.assess.check import Check, Proof
from sunk.assess.verdict import Domain
from sunk_fabric.catalogue.row import rows_of

_row = rows_of("sched", Domain.SCHEDULER)

CHECKS: tuple[Check, ...] = (
    _row(
        "gres",
        "Slurm counts what is there",
        proves="Gres, hardware and Kubernetes agree",
        reads="scontrol show nodes, Node allocatable, lspci",
        rule="different numbers of GPUs are FAIL; Slurm alone is UNKNOWN",
        remedy="gres.conf; the bridge's NodeSet",
        source="Slurm documentation",
    ),
    _row(
        "state",
        "Nodes are usable",
        proves="no node is down or drained",
        reads="scontrol show nodes",
        rule="a node that takes no jobs, or does not respond, is FAIL with its reason",
        remedy="its reason; then sunk node resume",
        source="Slurm documentation",
        proof=Proof.RECORDED,
    ),
    _row(
        "topology",
        "Slurm knows the fabric",
        proves="jobs are placed by the real leaves",
        reads="scontrol show topology, ibnetdiscover",
        rule="a node that is not at the leaves where most of its Slurm switch are is FAIL; one "
        "that the scan does not have is UNKNOWN",
        remedy="topology.yaml; sunk fabric topology --export makes it",
        source="Slurm documentation",
        depends_on=("ib.guid.unique",),
        explained_by=("ib.topology.rails",),
    ),
    _row(
        "topology_address",
        "Jobs know their place",
        proves="a job's address is its node's",
        reads="srun python3 -m sunk_jobs.probe say, scontrol show topology",
        rule="an address that does not end with the node's leaf and name is FAIL",
        remedy="topology.yaml",
        proof=Proof.RECORDED,
    ),
    _row(
        "gang",
        "Large jobs start",
        proves="a job of the promised size starts",
        reads="srun python3 -m sunk_jobs.probe say",
        rule="a job that ran on as many nodes as job_nodes declares is PASS; on fewer UNKNOWN",
        remedy="its reason",
        proof=Proof.RECORDED,
    ),
    _row(
        "drain_loop",
        "Checks drain and resume",
        proves="a failing node leaves and a mended one returns",
        reads="sacctmgr show event, of a week",
        rule="a node drained 3 times in an hour for one reason is FAIL, in a day WARN; no node that"
        " was drained and came back is UNKNOWN",
        remedy="the health check's script: what it finds must be mended before it resumes a node",
        source="Slurm documentation, sacctmgr; the numbers are a proposal",
        proof=Proof.RECORDED,
    ),
)
