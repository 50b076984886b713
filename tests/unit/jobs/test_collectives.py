from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk_jobs import collectives
from sunk_jobs.placement.rank_map import NodeRanks, RankMap

MAP = RankMap((NodeRanks("w2", 0, 2), NodeRanks("w1", 2, 1)))


@pytest.mark.parametrize(
    ("environment", "tasks"),
    [
        ({}, 0),
        ({"SLURM_NTASKS": "4"}, 4),
        ({"SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "1"}, 1),
        ({"SLURM_NTASKS": "many"}, 0),
    ],
)
def test_tasks_are_those_of_the_step_before_those_of_the_job(environment, tasks):
    assert collectives.tasks_of(environment) == tasks


def test_tasks_that_are_each_alone_are_a_mismatch_that_says_what_is_offered():
    said = collectives.mismatch(4, 1, "Open MPI v5.0.7", "MPI plugin types are... pmix none")
    assert said is not None
    assert said.startswith("PMI mismatch: Slurm started 4 tasks and each is alone in MPI.")
    assert "Open MPI v5.0.7; srun offers MPI plugin types are... pmix none." in said


@pytest.mark.parametrize(("tasks", "ranks"), [(0, 1), (1, 1), (4, 4), (4, 2)])
def test_ranks_that_found_each_other_are_none(tasks, ranks):
    assert collectives.mismatch(tasks, ranks, "x", "y") is None


def test_ranks_get_the_places_of_the_map_and_keep_their_order_on_a_node():
    assert collectives.places(MAP, ["w1", "w2", "w2"]) == [2, 0, 1]


@given(st.lists(st.integers(1, 3), min_size=1, max_size=5), st.randoms())
def test_places_are_a_permutation_that_puts_every_rank_on_its_node(counts, random):
    nodes, first = [], 0
    for at, count in enumerate(counts):
        nodes.append(NodeRanks(f"n{at}", first, count))
        first += count
    planned = RankMap(tuple(nodes))
    hosts = planned.hosts()
    random.shuffle(hosts)
    places = collectives.places(planned, hosts)
    assert sorted(places) == list(range(len(hosts)))
    ordered = [host for _, host in sorted(zip(places, hosts, strict=True))]
    assert ordered == planned.hosts()


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        (["w2", "w2", "w9"], "node w9 is not in the map"),
        (["w2", "w1", "w1"], "the map gives it"),
        (["w2", "w2"], "node w1 has 0 ranks, the map gives it 1"),
    ],
)
def test_a_map_of_another_job_is_refused(hosts, said):
    with pytest.raises(collectives.Unfit, match=said):
        collectives.places(MAP, hosts)
