"""What a cluster decides about a job, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sunk.errors import InputError
from sunk.model.profile import (
    ClusterProfile,
    ContainerRuntime,
    NodeKind,
    ProfilePartition,
    TopologyPlugin,
)
from sunk.toolkit.job_file import read_job
from sunk.toolkit.shape import Shape, refuse_other_cluster, shape_of
from tests.support.job_cases import profile_of

TREE = profile_of(TopologyPlugin.TREE)
BLOCK = profile_of(TopologyPlugin.BLOCK)
CPU_KIND = NodeKind(count=4, cpus=64, memory_mib=256_000)
GPU_KIND = NodeKind(count=16, cpus=192, memory_mib=2_000_000, threads_per_core=2, gpus=8)
TWO = replace(
    TREE,
    partitions=(
        ProfilePartition(name="cpu", default=True, max_time_minutes=60, nodes=(CPU_KIND,)),
        ProfilePartition(
            name="gpu", accounts=("team",), max_nodes=8, grace_seconds=60, nodes=(GPU_KIND,)
        ),
    ),
)
IMAGE = "containerImage=/i.sqsh"


def shaped(template: str, *words: str, profile: ClusterProfile | None = None) -> Shape:
    return shape_of(read_job(template, words)[1], profile)


def refused(template: str, *words: str, profile: ClusterProfile | None = None) -> str:
    with pytest.raises(InputError) as raised:
        shaped(template, *words, profile=profile)
    return raised.value.message


def test_without_a_profile_nothing_is_assumed():
    assert shaped("fsdp2", "nodes=4", "segment=2") == Shape(
        cpus_per_task=1, memory="0", close_nodes=2
    )


def test_job_on_a_tree_asks_for_as_few_leaves_as_hold_its_nodes():
    assert shaped("fsdp2", "nodes=5", profile=TREE).switches == 3
    assert shaped("fsdp2", "nodes=5", "switches=4", profile=TREE).switches == 4
    assert shaped("fsdp2", profile=TREE).switches is None
    assert shaped("hello", "nodes=5", profile=TREE).switches is None


def test_topology_that_is_listed_as_unknown_is_not_used():
    unknown = replace(TREE, unknown={"slurm": "scontrol show config"})
    assert shaped("fsdp2", "nodes=5", profile=unknown).switches is None


def test_segment_of_a_layout_is_what_has_to_be_in_one_nvlink_domain():
    words = ("nodes=4", "gpusPerNode=4", "tensorParallel=4", "contextParallel=2", "globalBatch=4")
    assert shaped("megatron", *words, profile=BLOCK).segment == 2
    assert shaped("megatron", "nodes=4", "gpusPerNode=8", profile=BLOCK).segment is None


def test_whole_nodes_bring_all_their_cores_one_thread_of_each():
    found = shaped("fsdp2", "gpusPerNode=8", profile=TREE)
    assert (found.cpus_per_task, found.one_thread, found.memory) == (96, True, "0")
    shared = shaped("fsdp2", "gpusPerNode=8", "exclusive=false", profile=TREE)
    assert (shared.cpus_per_task, shared.memory) == (8, None)


def test_gpus_lead_to_the_only_partition_that_has_them_and_its_only_account():
    found = shaped("fsdp2", "gpusPerNode=8", "timeLimit=60", "saveSeconds=30", profile=TWO)
    assert (found.partition, found.account) == ("gpu", "team")
    plain = shaped("hello", profile=TWO)
    assert (plain.partition, plain.account) == (None, None)


def test_container_is_started_by_what_the_cluster_prefers_or_the_job_names():
    assert shaped("mpi", IMAGE, profile=TREE).container is ContainerRuntime.PYXIS
    named = shaped("mpi", IMAGE, "containerRuntime=apptainer")
    assert named.container is ContainerRuntime.APPTAINER


@pytest.mark.parametrize(
    ("template", "words", "profile", "message"),
    [
        (
            "hello",
            ["timeLimit=61"],
            TWO,
            "timeLimit: '61': at most 60 minutes (source: profile of lab: partition cpu; "
            "nearest: 60)",
        ),
        (
            "hello",
            ["partition=nope"],
            TWO,
            "partition: 'nope': there is none of that name (source: profile of lab; "
            "nearest: cpu or gpu)",
        ),
        (
            "hello",
            ["partition=gpu", "nodes=9"],
            TWO,
            "nodes: 9: at most 8 (source: profile of lab: partition gpu; nearest: 8)",
        ),
        (
            "hello",
            ["gpusPerNode=9"],
            TREE,
            "gpusPerNode: 9: at most 8 (source: profile of lab: partition gpu; nearest: 8)",
        ),
        (
            "hello",
            ["tasksPerNode=4", "cpusPerTask=20"],
            TWO,
            "cpusPerTask: 20: 4 tasks have 64 CPUs of a node (source: profile of lab: partition "
            "cpu; nearest: 16)",
        ),
        (
            "fsdp2",
            ["gpusPerNode=8", "timeLimit=60", "saveSeconds=100"],
            TWO,
            "saveSeconds: 100: a step and 1.5 saves within the 60 s that preemption leaves "
            "(source: profile of lab: partition gpu: graceSeconds; nearest: 33)",
        ),
        (
            "mpi",
            ["nodes=2", "switches=1"],
            BLOCK,
            "switches: 1: --switches is for trees (source: profile of lab: topology block; "
            "nearest: segment)",
        ),
        (
            "mpi",
            ["nodes=2", "switchWait=10"],
            TREE,
            "switchWait: '10': at most 300 s (source: profile of lab: maxSwitchWaitSeconds; "
            "nearest: 05:00)",
        ),
        (
            "megatron",
            ["nodes=2", "gpusPerNode=8", "tensorParallel=16", "heads=16"],
            TREE,
            "tensorParallel: 16: TP·CP = 16 has to divide the 8 GPUs of an NVLink domain "
            "(source: profile of lab: nvlinkDomainGpus; nearest: 8)",
        ),
        (
            "mpi",
            [IMAGE],
            None,
            "containerImage: '/i.sqsh': nothing is known to start containers (source: no profile; "
            "nearest: containerRuntime, or --profile)",
        ),
        (
            "mpi",
            [IMAGE, "containerRuntime=apptainer"],
            replace(TREE, containers=(ContainerRuntime.PYXIS,)),
            "containerRuntime: 'apptainer': this cluster does not have it (source: profile of lab: "
            "containers; nearest: pyxis)",
        ),
        (
            "array-sweep",
            ["grid={a: [1, 2, 3, 4]}"],
            replace(TREE, slurm=replace(TREE.slurm, max_array_size=3)),
            "grid: 4: at most 3 elements (source: profile of lab: maxArraySize; nearest: 3)",
        ),
    ],
)
def test_what_the_cluster_does_not_allow_is_refused_with_what_would_do(
    template, words, profile, message
):
    assert message in refused(template, *words, profile=profile)


def test_profile_of_another_cluster_is_refused():
    refuse_other_cluster(TREE, "lab")
    with pytest.raises(InputError, match="submit to cluster other: the profile is of cluster lab"):
        refuse_other_cluster(TREE, "other")
