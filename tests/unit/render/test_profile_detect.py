from __future__ import annotations

import re
from dataclasses import replace

import pytest

from sunk.errors import InputError
from sunk.model.profile import NodeKind, ProfilePartition, SlurmSettings, TopologyPlugin
from sunk.render.profile import dump_profile, read_profile
from sunk.render.profile_detect import SlurmSays, detect
from tests.support.golden import check_golden
from tests.support.recorded_texts import recorded

SAID = SlurmSays(
    configuration=recorded("configuration"),
    partitions=recorded("partitions"),
    topology=recorded("topology"),
    nodes=recorded("nodes"),
)
WORKERS = NodeKind(count=4, cpus=4, memory_mib=2000, features=("worker",))


def test_profile_of_a_real_slurm_is_the_golden_one_and_valid():
    text = dump_profile("lab", detect(SAID))
    check_golden("profile/detected.yaml", text)
    assert read_profile(text, source="t") == ("lab", detect(SAID))


def test_settings_and_partitions_are_what_slurm_says():
    found = detect(SAID)
    assert found.cluster == "lab"
    assert found.slurm == SlurmSettings(
        version="24.11.5",
        topology=TopologyPlugin.TREE,
        mpi_default="none",
        max_array_size=1001,
        requeue=True,
        kill_wait_seconds=30,
        max_switch_wait_seconds=300,
        enforce=("associations", "limits", "qos"),
    )
    assert found.partitions == (
        ProfilePartition(
            name="all",
            max_time_minutes=1440,
            default_time_minutes=30,
            max_nodes=2,
            exclusive=True,
            accounts=("research",),
            qos=("normal",),
            nodes=(WORKERS,),
        ),
        ProfilePartition(name="main", default=True, nodes=(WORKERS,)),
    )


def test_what_needs_a_job_or_the_site_is_unknown_and_says_what_finds_it():
    unknown = detect(SAID).unknown
    assert set(unknown) == {
        "containers",
        "fabric.adapters",
        "fabric.kind",
        "fabric.networkGbPerS",
        "fabric.nvlinkDomainGpus",
        "fabric.nvlinkGbPerS",
        "fabric.sharp",
        "modules",
        "mounts",
        "prices",
    }
    assert all(unknown.values())


def test_nodes_that_nobody_asked_for_are_unknown_not_absent():
    found = detect(replace(SAID, nodes=""))
    assert found.unknown["partitions.nodes"] == "scontrol show node"
    assert not found.knows("partitions.nodes")


NODE = "NodeName={} CPUTot=64 Gres={} RealMemory=1000 ThreadsPerCore=2 Partitions=main\n"


def test_shapes_are_counted_the_most_frequent_first():
    nodes = NODE.format("a", "gpu:h200:8(S:0-1)") + NODE.format("b", "(null)")
    nodes += NODE.format("c", "gpu:h200:8(S:0-1)") + NODE.format("d", "gpu:a:1,gpu:b:2,nic:4")
    (found,) = (one for one in detect(replace(SAID, nodes=nodes)).partitions if one.name == "main")
    shape = NodeKind(count=1, cpus=64, memory_mib=1000, threads_per_core=2)
    assert found.nodes == (
        replace(shape, count=2, gpus=8, gpu_type="h200"),
        shape,
        replace(shape, gpus=3),
    )


def test_blocks_of_one_size_say_how_many_gpus_share_nvlink():
    nodes = "".join(NODE.format(name, "gpu:gb200:4") for name in "abcd")
    blocks = "BlockName=x BlockIndex=0 Nodes=a,b BlockSize=2\nBlockName=y Nodes=c,d BlockSize=2\n"
    found = detect(replace(SAID, nodes=nodes, topology=blocks))
    assert found.slurm.topology is TopologyPlugin.BLOCK
    assert (found.fabric.nvlink_domain_gpus, found.fabric.leaf_nodes) == (8, 2)
    assert found.knows("fabric.nvlinkDomainGpus")


def test_slurm_without_a_topology_is_flat():
    found = detect(replace(SAID, topology=""))
    assert (found.slurm.topology, found.fabric.leaf_nodes) == (TopologyPlugin.FLAT, None)


def test_longest_wait_for_switches_is_what_the_scheduler_says():
    said = re.sub(
        r"(SchedulerParameters\s*= )\S*", r"\1bf_window=1,max_switch_wait=900", SAID.configuration
    )
    assert detect(replace(SAID, configuration=said)).slurm.max_switch_wait_seconds == 900


def test_grace_of_a_partition_is_in_seconds():
    said = SAID.partitions.replace("GraceTime=0", "GraceTime=90")
    found = detect(replace(SAID, partitions=said)).partitions
    assert [one.grace_seconds for one in found] == [90] * len(found)


@pytest.mark.parametrize("part", ["configuration", "partitions", "nodes", "topology"])
def test_text_that_is_something_else_is_refused(part):
    with pytest.raises(InputError, match="read scontrol show"):
        detect(replace(SAID, **{part: "slurm_load_nodes error: no controller"}))
