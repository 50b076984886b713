"""Checks of in-network reduction (SHARP)."""

from __future__ import annotations

from sunk.assess.check import Check, Proof
from sunk.assess.verdict import Domain
from sunk_fabric.catalogue.row import NCCL_DOCS, rows_of

_row = rows_of("sharp", Domain.FABRIC)

CHECKS: tuple[Check, ...] = (
    _row(
        "prereq",
        "The hardware can",
        proves="cards, switches and NCCL can reduce in the network",
        reads="sysfs_rdma, ibnetdiscover, NCCL log, sharp_hello",
        rule="an adapter before ConnectX-6, a switch before Quantum, or NCCL before 2.7.3 is FAIL "
        "where SHARP is declared, else SKIP; a job that reduced in the network is proof",
        remedy="other adapters, switches or NCCL; or do not declare SHARP",
        source="guide of NCCL's plugin for SHARP",
    ),
    _row(
        "am.running",
        "One aggregation manager",
        proves="trees are made and kept",
        reads="systemctl is-active sharp_am, sharp_hello",
        rule="two are FAIL; none on the hosts that were collected, and no job that got resources, "
        "is UNKNOWN where SHARP is declared: it may run elsewhere",
        remedy="start it; sharp_enabled of the subnet manager",
        source="NVIDIA SHARP documentation",
    ),
    _row(
        "an.count",
        "Every switch aggregates",
        proves="each switch has its aggregation node, and a link to it",
        reads="ibnetdiscover",
        rule="a switch without is FAIL; none at all and not declared is SKIP",
        remedy="switch firmware; subnet manager",
        proof=Proof.SIMULATED,
        depends_on=("ib.guid.unique",),
    ),
    _row(
        "trees",
        "Trees exist",
        proves="in every plane, one tree has the aggregation nodes of all leaves with hosts",
        reads="ibdiagnet --sharp and ibnetdiscover",
        rule="none, or a leaf in no such tree, is FAIL",
        remedy="dynamic_tree_algorithm of the aggregation manager; then its log",
        depends_on=("sharp.an.count",),
    ),
    _row(
        "hello",
        "A host can reduce",
        proves="a job can be set up and a barrier runs",
        reads="sharp_hello",
        rule="anything but passed is FAIL",
        remedy="the aggregation manager's log",
        explained_by=("sharp.an.count", "sharp.trees"),
    ),
    _row(
        "per_rail",
        "On every rail",
        proves="each adapter can reduce",
        reads="sharp_hello per adapter, ibnetdiscover",
        rule="one that cannot is FAIL; one that nobody tried is UNKNOWN",
        remedy="as sharp.hello",
        explained_by=("sharp.hello",),
    ),
    _row(
        "reservation",
        "Tenants have their share",
        proves="the tenant's nodes are covered",
        reads="UFM",
        rule="missing is FAIL in reservation mode",
        remedy="reservation",
        depends_on=("sharp.prereq",),
    ),
    _row(
        "nccl.used",
        "Collectives use it",
        proves="what was measured ran in the network",
        reads="NCCL log",
        rule="asked for and not used is FAIL; not asked for is SKIP",
        remedy="NCCL_COLLNET_ENABLE; threshold of nodes",
        source=NCCL_DOCS,
        owner=Domain.RUNTIME,
    ),
    _row(
        "nccl.gain",
        "It helps",
        proves="reductions are faster with than without",
        reads="one program's runs, sharp-on and sharp-off: nccl_tests, or collectives of "
        "sunk_jobs.torch_collectives, each with nccl_log of the same name; or osu of osu_allreduce "
        "with SHARP_COLL_LOG_LEVEL=3. sunk fabric test --sharp makes them",
        rule="median of size over time at the same sizes, with over without, means of repeated "
        "runs: below 1 is WARN. Sizes count that the logs show in the network in all runs with, "
        "and outside in all without; no log, no such size, or other ranks is UNKNOWN",
        remedy="tree, algorithm",
        source="proposal; SHARP's path by NCCL's source",
        owner=Domain.RUNTIME,
    ),
    _row(
        "dtype",
        "Data types are supported",
        proves="the workload's types reduce in the network",
        reads="NCCL log",
        rule="a declared type that no plugin gives to the network, or of which the plugin says "
        "that the network cannot, is WARN; a newer type without a word of it is UNKNOWN; a run "
        "without a channel into the network is SKIP",
        remedy="plugin's version; another type",
        source="source of NCCL's plugin for SHARP",
        owner=Domain.RUNTIME,
    ),
    _row(
        "mpi",
        "MPI uses it",
        proves="MPI reductions run in the network",
        reads="what SHARP's library prints in an MPI program with SHARP_COLL_LOG_LEVEL=3, such as "
        "osu_allreduce with HCOLL_ENABLE_SHARP=3",
        rule="an error, no tree, or no group of two hosts and more is FAIL",
        remedy="HCOLL_ENABLE_SHARP, HCOLL_SHARP_NP; then as sharp.hello",
        source="NVIDIA SHARP documentation",
        explained_by=("sharp.hello",),
        owner=Domain.RUNTIME,
    ),
    _row(
        "failover",
        "It outlives its manager",
        proves="reductions go on after the manager's failover",
        reads="drill",
        rule="longer than declared is FAIL",
        remedy="high availability",
    ),
)
