from __future__ import annotations

import pytest
from hypothesis import strategies as st

from sunk.errors import InputError
from sunk.model.cluster import NodeSet, NodeShape, slurm_shape
from sunk.model.quantity import parse_quantity
from sunk.render.kube.nodes import node_conf
from tests.support.render import for_all, node_sets

quantities = st.builds(
    lambda number, suffix: f"{number}{suffix}",
    st.integers(0, 5000),
    st.sampled_from(["", "m", "k", "M", "Mi", "G", "Gi"]),
)


@for_all(cpu=quantities, memory=quantities, overhead=quantities)
def test_slurm_is_never_promised_more_than_the_limits(cpu: str, memory: str, overhead: str) -> None:
    node_set = NodeSet(name="w", cpu=cpu, memory=memory, memory_overhead=overhead)
    try:
        shape = slurm_shape(node_set)
    except InputError:
        # Refused only when rounding really leaves nothing.
        left = parse_quantity(memory) - parse_quantity(overhead)
        assert parse_quantity(cpu) < 1 or left < 2 * 2**20
        return

    assert 1 <= shape.cpus <= parse_quantity(cpu)
    promised_bytes = shape.real_memory_mib * 2**20
    assert 0 < promised_bytes <= parse_quantity(memory) - parse_quantity(overhead)


def test_shape_of_an_ordinary_worker() -> None:
    node_set = NodeSet(name="gpu", cpu="7500m", memory="4Gi", gpus=2, features=("h100", "gpu"))

    assert slurm_shape(node_set) == NodeShape(
        cpus=7, real_memory_mib=4096 - 128, gpus=2, features=("gpu", "h100")
    )


@pytest.mark.parametrize(
    ("node_set", "cause"),
    [
        (NodeSet(name="w", cpu="900m"), "cpu 900m leaves no whole CPU"),
        (NodeSet(name="w", memory="128Mi"), "leaves less than 1 MiB"),
    ],
)
def test_worker_with_nothing_left_for_jobs_is_refused(node_set: NodeSet, cause: str) -> None:
    with pytest.raises(InputError, match=cause):
        slurm_shape(node_set)


@for_all(st.data())
def test_what_slurmd_is_told_is_the_shape(data: st.DataObject) -> None:
    node_set = data.draw(node_sets("w"))
    shape = slurm_shape(node_set)

    words = dict(word.split("=", 1) for word in node_conf(node_set).split(" "))

    wanted = {
        "CPUs": str(shape.cpus),
        "RealMemory": str(shape.real_memory_mib),
        "Feature": ",".join(shape.features),
    }
    if node_set.gpus:
        wanted["Gres"] = f"gpu:{node_set.gpus}"
    assert words == wanted
