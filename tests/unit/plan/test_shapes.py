"""Registered beside described."""

from __future__ import annotations

import pytest

from sunk.model.cluster import NodeShape
from sunk.model.slurm import NodeName, NodeState, SlurmNode
from sunk.plan.shapes import differences, gpu_count

SHAPE = NodeShape(cpus=4, real_memory_mib=1000, gpus=2, features=("w",))


def node(**changes) -> SlurmNode:
    fields = {"cpus": 4, "real_memory_mib": 1000, "gres": "gpu:2", **changes}
    return SlurmNode(name=NodeName("w-0"), state=NodeState.IDLE, **fields)


def test_worker_as_described_differs_in_nothing():
    assert differences(node(), SHAPE) == ()


def test_each_field_that_differs_is_named_with_both_values():
    assert differences(node(cpus=3, real_memory_mib=900, gres="gpu:1"), SHAPE) == (
        "CPUs is 3 in Slurm, 4 described",
        "RealMemory is 900 in Slurm, 1000 described",
        "Gres gpu is 1 in Slurm, 2 described",
    )


@pytest.mark.parametrize(
    ("gres", "count"),
    [
        ("", 0),
        ("gpu:1", 1),
        ("gpu:h100:8", 8),
        ("gpu:h100:8(S:0-1)", 8),
        ("gpu:a:2,gpu:b:3", 5),
        ("nic:4", 0),
        ("nic:4,gpu:2(S:0)", 2),
    ],
)
def test_gpus_are_counted_in_every_spelling_of_slurm(gres, count):
    assert gpu_count(gres) == count
