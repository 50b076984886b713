from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.errors import InputError
from sunk.model.profile import (
    ClusterProfile,
    ContainerRuntime,
    FabricFacts,
    FabricKind,
    Mount,
    MountPurpose,
    NodeKind,
    Price,
    ProfilePartition,
    SlurmSettings,
    TopologyPlugin,
)
from sunk.render.profile import (
    dump_profile,
    dump_profile_json,
    load_profile,
    read_profile,
)
from tests.support.golden import check_golden

EVERYTHING = ClusterProfile(
    cluster="alpha",
    slurm=SlurmSettings(
        version="24.11.5",
        topology=TopologyPlugin.BLOCK,
        mpi_default="pmix",
        max_array_size=1001,
        requeue=True,
        kill_wait_seconds=30,
        max_switch_wait_seconds=300,
        enforce=("associations", "limits", "qos"),
    ),
    partitions=(
        ProfilePartition(
            name="gpu",
            default=True,
            max_time_minutes=1440,
            default_time_minutes=60,
            max_nodes=16,
            exclusive=True,
            accounts=("research",),
            denied_qos=("low",),
            partition_qos="gpu",
            grace_seconds=120,
            nodes=(
                NodeKind(
                    count=16,
                    cpus=96,
                    memory_mib=2000000,
                    threads_per_core=2,
                    gpus=8,
                    gpu_type="h200",
                    features=("ib", "nvlink"),
                ),
            ),
        ),
        ProfilePartition(name="cpu", nodes=(NodeKind(count=4, cpus=64, memory_mib=256000),)),
    ),
    fabric=FabricFacts(
        kind=FabricKind.INFINIBAND,
        adapters=("mlx5_0", "mlx5_1"),
        network_gb_per_s=50.0,
        nvlink_gb_per_s=450.0,
        nvlink_domain_gpus=8,
        leaf_nodes=16,
        sharp=False,
        topology_file="/etc/sunk/topology.yaml",
    ),
    containers=(ContainerRuntime.PYXIS,),
    modules=("cuda/12.4",),
    mounts=(Mount(path="/home", purpose=MountPurpose.HOME),),
    prices=(Price(partition="gpu", per_node_hour=98.5, currency="EUR"),),
    unknown={"fabric.adapters": "a job on a node: ls /sys/class/infiniband"},
)


def test_file_with_everything_is_the_golden_one():
    check_golden("profile/everything.yaml", dump_profile("alpha", EVERYTHING))


@pytest.mark.parametrize("dump", [dump_profile, dump_profile_json])
def test_what_is_written_is_read_as_the_same_profile(dump):
    assert read_profile(dump("alpha", EVERYTHING), source="t") == ("alpha", EVERYTHING)


limits = st.none() | st.integers(0, 10**6)
partitions = st.builds(
    ProfilePartition,
    name=st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True),
    state=st.sampled_from(["UP", "DOWN", "DRAIN", "INACTIVE"]),
    max_time_minutes=limits,
    max_nodes=limits,
    exclusive=st.booleans(),
    nodes=st.lists(
        st.builds(
            NodeKind,
            count=st.integers(1, 10**5),
            cpus=st.integers(1, 512),
            memory_mib=st.integers(1, 10**7),
            gpus=st.integers(0, 16),
            gpu_type=st.none() | st.text("abc0 :#'\"é", max_size=5),
        ),
        max_size=2,
    ).map(tuple),
)


@given(
    st.lists(partitions, max_size=3, unique_by=lambda one: one.name),
    st.dictionaries(st.text("abc.:#", min_size=1, max_size=6), st.text("abc :#'\"é", max_size=9)),
)
def test_any_profile_survives_its_file(found, unknown):
    profile = ClusterProfile(cluster="c", partitions=tuple(found), unknown=unknown)
    assert read_profile(dump_profile("n", profile), source="t") == ("n", profile)


def test_part_of_what_is_unknown_is_unknown_too():
    profile = ClusterProfile(cluster="c", unknown={"fabric": "x", "slurm.version": "y"})
    assert not profile.knows("fabric")
    assert not profile.knows("fabric.kind")
    assert not profile.knows("slurm.version")
    assert profile.knows("slurm")
    assert profile.knows("prices")


GPU, CPU = EVERYTHING.partitions


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        (replace(EVERYTHING, cluster="a b"), "spec.cluster: 'a b'"),
        (replace(EVERYTHING, partitions=(GPU, GPU)), "spec.partitions[1].name: 'gpu'"),
        (
            replace(EVERYTHING, partitions=(GPU, replace(CPU, default=True))),
            "spec.partitions: 'several' is not allowed; allowed: one partition with default: true",
        ),
        (
            replace(EVERYTHING, partitions=(replace(GPU, state="AWAY"),)),
            "spec.partitions[0].state: 'AWAY' is not allowed; allowed: UP, DOWN, DRAIN, INACTIVE",
        ),
        (
            replace(EVERYTHING, partitions=(replace(GPU, max_nodes=-1),)),
            "spec.partitions[0].maxNodes: -1",
        ),
        (
            replace(EVERYTHING, partitions=(replace(GPU, nodes=(replace(CPU.nodes[0], cpus=0),)),)),
            "spec.partitions[0].nodes[0].cpus: 0",
        ),
        (replace(EVERYTHING, modules=("cuda; rm -rf /",)), "spec.modules[0]: 'cuda; rm -rf /'"),
        (
            replace(EVERYTHING, mounts=(Mount(path="$HOME", purpose=MountPurpose.HOME),)),
            "spec.mounts[0].path: '$HOME'",
        ),
        (
            replace(EVERYTHING, prices=(Price(partition="x", per_node_hour=1, currency="EUR"),)),
            "spec.prices[0].partition: 'x' is not allowed; allowed: cpu, gpu",
        ),
        (
            replace(EVERYTHING, prices=(Price(partition="gpu", per_node_hour=1, currency="€"),)),
            "spec.prices[0].currency: '€'",
        ),
        (
            replace(EVERYTHING, fabric=FabricFacts(network_gb_per_s=0.0)),
            "spec.fabric.networkGbPerS: 0.0 is not allowed; allowed: above 0",
        ),
    ],
)
def test_fault_names_key_value_and_what_is_allowed(profile, said):
    with pytest.raises(InputError) as raised:
        read_profile(dump_profile("n", profile), source="t")
    assert said in raised.value.message


def test_word_that_is_none_of_a_list_is_refused(tmp_path):
    file = tmp_path / "profile.yaml"
    file.write_text(dump_profile("n", EVERYTHING).replace("kind: infiniband", "kind: carrier"))
    with pytest.raises(InputError, match=r"spec\.fabric\.kind: 'carrier' is not allowed"):
        load_profile(file)
