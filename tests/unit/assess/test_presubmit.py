from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.assess.presubmit import check_request, chosen_partition
from sunk.assess.verdict import Verdict
from sunk.model.limits import AssociationLimits, ClusterSnapshot, JobRequest, Limits, Qos
from sunk.model.profile import (
    ClusterProfile,
    NodeKind,
    ProfilePartition,
    SlurmSettings,
    TopologyPlugin,
)

BIG = NodeKind(count=8, cpus=96, memory_mib=1000, gpus=8, gpu_type="h200", features=("ib",))
SMALL = NodeKind(count=2, cpus=4, memory_mib=100)
GPU = ProfilePartition(
    name="gpu", default=True, max_time_minutes=60, max_nodes=8, min_nodes=1, nodes=(BIG, SMALL)
)
CPU = ProfilePartition(name="cpu", nodes=(replace(SMALL, count=50),))
ENFORCED = ("associations", "limits", "qos")
RIGHTS = (
    AssociationLimits(account="root", qos=("normal",)),
    AssociationLimits(account="research", parent="root", qos=("normal",)),
    AssociationLimits(account="research", user="alice", qos=("normal",)),
)
CLUSTER = ClusterSnapshot(
    profile=ClusterProfile(
        cluster="c",
        slurm=SlurmSettings(topology=TopologyPlugin.BLOCK, max_array_size=1001, enforce=ENFORCED),
        partitions=(GPU, CPU),
    ),
    qos=(Qos(name="normal"), Qos(name="high")),
    associations=RIGHTS,
    blocks=(4, 4),
    default_accounts={"alice": "research"},
)
JOB = JobRequest(user="alice", time_minutes=30)


def with_partition(change: dict) -> ClusterSnapshot:
    partitions = (replace(GPU, **change), CPU)
    return replace(CLUSTER, profile=replace(CLUSTER.profile, partitions=partitions))


def with_qos(limits: Limits, *flags: str) -> ClusterSnapshot:
    return replace(CLUSTER, qos=(Qos(name="normal", limits=limits, flags=frozenset(flags)),))


def with_rights(**limits: Limits) -> ClusterSnapshot:
    """Limits of the accounts and of alice in research."""
    changed = tuple(
        replace(one, limits=limits.get(one.user or one.account, Limits())) for one in RIGHTS
    )
    return replace(CLUSTER, associations=changed)


def answers(request: JobRequest, snapshot: ClusterSnapshot = CLUSTER) -> dict:
    return {one.check: (one.verdict, one.found) for one in check_request(request, snapshot)}


def test_job_that_fits_passes_every_check_that_applies():
    found = answers(replace(JOB, nodes=4, gpus_per_node=8, segment_nodes=2, array_last=7))
    assert {verdict for verdict, _ in found.values()} == {Verdict.PASS}
    assert set(answers(JOB)) == set(found)


@pytest.mark.parametrize(
    ("change", "check", "found"),
    [
        ({"partition": "x"}, "partition", "there is no partition x"),
        ({"nodes": 9}, "partition.nodes", "9 nodes, and a job in gpu gets 8"),
        ({"time_minutes": 61}, "partition.time", "61 minutes, and gpu allows 60"),
        ({"tasks_per_node": 97}, "nodes", "no node of gpu has 97 CPUs for a job: the most is 96"),
        (
            {"memory_per_node_mib": 2000},
            "nodes",
            "no node of gpu has 2000 MiB for a job: the most is 1000",
        ),
        ({"gpus_per_node": 9}, "nodes", "no node of gpu has 9 GPUs: there are 8 x h200"),
        (
            {"gpus_per_node": 1, "gpu_type": "a100"},
            "nodes",
            "no node of gpu has 1 GPUs of type a100: there are 8 x h200",
        ),
        (
            {"features": frozenset({"ib", "roce"})},
            "nodes",
            "no node of gpu has features ib, roce: there are ib",
        ),
        ({"account": "other"}, "association", "alice may not charge account other"),
        ({"qos": "none"}, "qos", "there is no QOS none"),
        ({"qos": "high"}, "qos", "alice may not use QOS high"),
        (
            {"array_last": 1001},
            "array",
            "index 1001, and the largest is 1000 (MaxArraySize)",
        ),
        ({"nodes": 3, "segment_nodes": 2}, "segment", "3 nodes are no multiple of a segment of 2"),
        (
            {"nodes": 5, "segment_nodes": 5},
            "segment",
            "1 segments of 5 nodes, and all blocks have room for 0",
        ),
    ],
)
def test_what_can_never_start_is_named(change, check, found):
    said = answers(replace(JOB, **change))
    assert said[f"presubmit.{check}"] == (Verdict.FAIL, found)


def test_limits_of_a_qos_that_is_not_there_are_not_kept():
    said = answers(replace(JOB, qos="none"))["presubmit.limits"]
    assert said == (Verdict.BLOCKED, "there is no QOS none")


def test_segments_need_room_in_blocks_and_not_in_their_sum():
    assert answers(replace(JOB, nodes=6, segment_nodes=3))["presubmit.segment"] == (
        Verdict.PASS,
        "2 segments of 3 nodes fit into the blocks",
    )
    assert answers(replace(JOB, nodes=8, segment_nodes=8))["presubmit.segment"][0] is Verdict.FAIL


@pytest.mark.parametrize(
    ("change", "check", "verdict", "found"),
    [
        (
            {"state": "DOWN"},
            "partition",
            Verdict.WARN,
            "partition gpu is DOWN: the job waits until somebody sets it UP",
        ),
        ({"state": "DRAIN"}, "partition", Verdict.FAIL, "partition gpu is DRAIN and takes no jobs"),
        (
            {"min_nodes": 2},
            "partition.nodes",
            Verdict.FAIL,
            "1 nodes, and a job in gpu has at least 2",
        ),
        (
            {"accounts": ("other",)},
            "partition.access",
            Verdict.FAIL,
            "account research may not use gpu, which is for other",
        ),
        (
            {"denied_qos": ("normal",)},
            "partition.access",
            Verdict.FAIL,
            "QOS normal may not use gpu",
        ),
        (
            {"nodes": (SMALL,), "max_nodes": None, "max_cpus_per_node": 2},
            "nodes",
            Verdict.PASS,
            "2 nodes of gpu would do, 1 are asked for",
        ),
        (
            {"max_cpus_per_node": 2},
            "nodes",
            Verdict.PASS,
            "10 nodes of gpu would do, 1 are asked for",
        ),
    ],
)
def test_partition_decides(change, check, verdict, found):
    assert answers(JOB, with_partition(change))[f"presubmit.{check}"] == (verdict, found)


def test_most_that_a_job_gets_of_a_node_counts_and_not_what_the_node_has():
    capped = with_partition({"max_cpus_per_node": 2, "max_memory_per_node_mib": 50})
    assert answers(replace(JOB, tasks_per_node=3), capped)["presubmit.nodes"] == (
        Verdict.FAIL,
        "no node of gpu has 3 CPUs for a job: the most is 2",
    )
    assert answers(replace(JOB, memory_per_node_mib=60), capped)["presubmit.nodes"] == (
        Verdict.FAIL,
        "no node of gpu has 60 MiB for a job: the most is 50",
    )


def test_enough_nodes_for_each_need_but_not_for_all_of_them_is_said():
    mixed = (replace(BIG, cpus=2), replace(SMALL, cpus=96))
    job = replace(JOB, nodes=2, gpus_per_node=8, tasks_per_node=96)
    assert answers(job, with_partition({"nodes": mixed}))["presubmit.nodes"] == (
        Verdict.FAIL,
        "0 of 10 nodes of gpu have 96 CPUs for a job, 8 GPUs, 2 are asked for",
    )


@pytest.mark.parametrize(
    ("snapshot", "change", "found"),
    [
        (
            with_qos(Limits(max_minutes=20)),
            {},
            "QOS normal: 30 minutes, and the longest job has 20",
        ),
        (
            with_qos(Limits(max_tres={"gres/gpu": 8})),
            {"nodes": 2, "gpus_per_node": 8},
            "QOS normal: 16 gres/gpu, and a job gets 8",
        ),
        (
            with_qos(Limits(min_tres={"gres/gpu": 1})),
            {},
            "QOS normal: 0 gres/gpu, and a job has at least 1",
        ),
        (
            with_qos(Limits(max_submit=5)),
            {"array_last": 9, "array_tasks": 10},
            "QOS normal: 10 array tasks, and a user queues 5",
        ),
        (
            with_rights(alice=Limits(max_tres={"node": 1})),
            {"nodes": 2},
            "user alice in research: 2 node, and a job gets 1",
        ),
        (
            with_rights(root=Limits(group_tres={"cpu": 4})),
            {"tasks_per_node": 5},
            "account root: 5 cpu, and all jobs together have 4",
        ),
    ],
)
def test_limit_that_one_job_exceeds_is_named_with_whose_it_is(snapshot, change, found):
    said = answers(replace(JOB, **change), snapshot)
    assert said["presubmit.limits"] == (Verdict.FAIL, found)


def test_limit_of_the_qos_wins_over_that_of_the_association():
    snapshot = replace(
        with_rights(alice=Limits(max_minutes=10, group_tres={"cpu": 1})),
        qos=(Qos(name="normal", limits=Limits(max_minutes=40, group_tres={"cpu": 8})),),
    )
    job = replace(JOB, tasks_per_node=4)
    assert answers(job, snapshot)["presubmit.limits"][0] is Verdict.PASS


def test_qos_of_the_partition_decides_before_the_jobs_unless_that_is_flagged():
    both = (
        Qos(name="normal", limits=Limits(max_minutes=60)),
        Qos(name="gate", limits=Limits(max_minutes=10)),
    )
    snapshot = replace(with_partition({"partition_qos": "gate"}), qos=both)
    assert answers(JOB, snapshot)["presubmit.limits"] == (
        Verdict.FAIL,
        "QOS gate: 30 minutes, and the longest job has 10",
    )
    over = (replace(both[0], flags=frozenset({"OverPartQOS"})), both[1])
    assert answers(JOB, replace(snapshot, qos=over))["presubmit.limits"][0] is Verdict.PASS


def test_flags_of_the_qos_lift_limits_of_the_partition():
    job = replace(JOB, time_minutes=90)
    assert answers(job)["presubmit.partition.time"][0] is Verdict.FAIL
    lifted = with_qos(Limits(), "PartitionTimeLimit")
    assert answers(job, lifted)["presubmit.partition.time"][0] is Verdict.PASS


def test_association_of_the_partition_comes_before_that_of_all():
    own = AssociationLimits(
        account="research", user="alice", partition="gpu", qos=("high",), default_qos="high"
    )
    snapshot = replace(CLUSTER, associations=(*RIGHTS, own))
    assert answers(JOB, snapshot)["presubmit.qos"] == (Verdict.PASS, "alice may use QOS high")
    elsewhere = answers(replace(JOB, partition="cpu"), snapshot)
    assert elsewhere["presubmit.qos"] == (Verdict.PASS, "alice may use QOS normal")


def test_what_is_not_enforced_is_skipped():
    settings = replace(CLUSTER.profile.slurm, enforce=())
    free = replace(CLUSTER, profile=replace(CLUSTER.profile, slurm=settings))
    skipped = {check for check, one in answers(JOB, free).items() if one[0] is Verdict.SKIP}
    assert {"presubmit.association", "presubmit.qos", "presubmit.limits"} <= skipped


def test_partition_where_the_job_would_do_is_named():
    found = check_request(replace(JOB, nodes=40), CLUSTER)[-1]
    assert (found.check, found.verdict) == ("presubmit.elsewhere", Verdict.WARN)
    assert (found.found, found.remedy) == ("it would fit in partition cpu", "--partition=cpu")


def test_job_for_no_partition_can_never_start():
    assert answers(replace(JOB, nodes=400))["presubmit.elsewhere"] == (
        Verdict.FAIL,
        "it can never start, in any partition: 400 nodes, and a job in gpu gets 8",
    )


def test_checks_that_need_an_association_are_blocked_without_one():
    found = answers(replace(JOB, account="other"))
    why = (Verdict.BLOCKED, "alice has no such association")
    assert found["presubmit.qos"] == found["presubmit.limits"] == why
    restricted = with_partition({"qos": ("high",)})
    assert answers(replace(JOB, account="other"), restricted)["presubmit.partition.access"] == why


def test_checks_that_need_a_partition_are_blocked_without_one():
    found = answers(replace(JOB, partition="x"))
    assert found["presubmit.nodes"] == (
        Verdict.BLOCKED,
        "which partition is meant is not known",
    )


requests = st.builds(
    JobRequest,
    user=st.sampled_from(["alice", "bob"]),
    partition=st.sampled_from([None, "gpu", "cpu", "x"]),
    account=st.sampled_from([None, "research", "other"]),
    qos=st.sampled_from([None, "normal", "high"]),
    nodes=st.integers(1, 60),
    tasks_per_node=st.integers(1, 100),
    memory_per_node_mib=st.none() | st.integers(0, 2000),
    gpus_per_node=st.integers(0, 9),
    time_minutes=st.none() | st.integers(1, 100),
    features=st.sampled_from([frozenset(), frozenset({"ib"})]),
    segment_nodes=st.none() | st.integers(1, 9),
    array_last=st.none() | st.integers(0, 1100),
)


def nodes_of(partition: ProfilePartition) -> list[NodeKind]:
    return [kind for kind in partition.nodes for _ in range(kind.count)]


@given(requests)
def test_nodes_are_enough_when_counting_them_one_by_one_says_so(request):
    partition = chosen_partition(request, CLUSTER)
    verdict = answers(request)["presubmit.nodes"][0]
    if partition is None:
        assert verdict is Verdict.BLOCKED
        return
    good = [
        one
        for one in nodes_of(partition)
        if one.cpus >= request.cpus_per_node
        and one.memory_mib >= (request.memory_per_node_mib or 0)
        and one.gpus >= request.gpus_per_node
        and request.features <= set(one.features)
    ]
    assert (verdict is Verdict.PASS) == (len(good) >= request.nodes)


@given(requests, st.integers(1, 60))
def test_fewer_nodes_never_turn_a_pass_into_a_fail(request, fewer):
    small = replace(request, nodes=min(fewer, request.nodes), segment_nodes=None)
    large = replace(request, segment_nodes=None)
    before, after = answers(large), answers(small)
    worse = {
        check
        for check, (verdict, _) in before.items()
        if verdict is Verdict.PASS and after[check][0] is Verdict.FAIL
    }
    assert worse == set()


@given(requests)
def test_partition_that_is_named_has_no_check_that_fails(request):
    found = check_request(request, CLUSTER)[-1]
    if found.check != "presubmit.elsewhere" or found.verdict is Verdict.FAIL:
        return
    there = replace(request, partition=found.remedy.removeprefix("--partition="))
    assert Verdict.FAIL not in {one.verdict for one in check_request(there, CLUSTER)}


@given(requests)
def test_nothing_that_is_not_known_passes(request):
    blank = ClusterSnapshot(
        profile=replace(
            CLUSTER.profile,
            slurm=SlurmSettings(enforce=ENFORCED),
            unknown={"partitions.nodes": "scontrol show node"},
        )
    )
    found = answers(request, blank)
    for check in ("nodes", "association", "qos", "limits"):
        assert found[f"presubmit.{check}"][0] in {Verdict.UNKNOWN, Verdict.BLOCKED}
    for check in ("array", "segment"):
        assert found[f"presubmit.{check}"][0] is not Verdict.PASS
