"""Thousands of workers on clients in memory: scaled out, lied about, cordoned, scaled in.

Ten thousand at night; the usual run takes a minute less with two.
"""

from __future__ import annotations

import pytest

from sunk.model.slurm import JobState, Listing
from tests.support.examples import sample
from tests.support.memory_site import Site

pytestmark = pytest.mark.timeout(900)

MACHINES = 200


@pytest.mark.parametrize("workers", sample((2_000,), (2_000, 10_000)))
def test_thousands_of_workers_grow_outlast_a_lie_and_a_storm_and_shrink_without_losing_a_job(
    workers,
):
    share = workers // 4  # what the breaker lets go in a minute
    site = Site(workers=1, machines=MACHINES)
    site.edit_cluster(slurmConf={"MaxNodeCount": str(2 * workers)})
    site.scale(workers)
    site.rounds(2)
    site.settle()
    site.rounds(3)
    assert len(site.names()) == len(site.slurm.nodes()) == workers

    jobs = [site.occupy(f"a-{number}") for number in range(0, workers, workers // 10)]
    told = site.slurm.nodes_since
    site.slurm.nodes_since = lambda _since: Listing(items=(), as_of=site.world.now)
    site.scale(workers // 2)
    made = site.rounds(3)
    assert any(one.why.startswith("Slurm: ") for one in made[-1].waiting)
    assert len(site.names()) == workers
    site.scale(workers)
    site.slurm.nodes_since = told
    site.rounds(8)

    for number in range(MACHINES):
        site.cordon(f"m{number}")
    site.rounds(2)
    assert len(site.drained()) == share  # the breaker takes a whole machine hall for an accident
    for number in range(MACHINES):
        site.cordon(f"m{number}", on=False)
    site.rounds(2, seconds=61)
    site.rounds(1)
    assert site.drained() == set()

    site.scale(workers - share)
    site.rounds(4, seconds=61)
    assert len(site.names()) == workers - share
    assert {site.slurm.job(job).state for job in jobs} == {JobState.RUNNING}
    assert {site.slurm.job(job).restart_count for job in jobs} == {0}
