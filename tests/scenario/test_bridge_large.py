"""Ten thousand workers on clients in memory: scaled out, lied about, cordoned, scaled in."""

from __future__ import annotations

import pytest

from sunk.model.slurm import JobState, Listing
from tests.support.memory_site import Site

pytestmark = pytest.mark.timeout(900)

WORKERS, MACHINES = 10_000, 200
SHARE = WORKERS // 4
"""What the breaker lets go in a minute."""


def test_ten_thousand_workers_grow_outlast_a_lie_and_a_storm_and_shrink_without_losing_a_job():
    site = Site(workers=1, machines=MACHINES)
    site.edit_cluster(slurmConf={"MaxNodeCount": str(2 * WORKERS)})
    site.scale(WORKERS)
    site.rounds(2)
    site.settle()
    site.rounds(3)
    assert len(site.names()) == len(site.slurm.nodes()) == WORKERS

    jobs = [site.occupy(f"a-{number}") for number in range(0, WORKERS, WORKERS // 10)]
    told = site.slurm.nodes_since
    site.slurm.nodes_since = lambda _since: Listing(items=(), as_of=site.world.now)
    site.scale(WORKERS // 2)
    made = site.rounds(3)
    assert any(one.why.startswith("Slurm: ") for one in made[-1].waiting)
    assert len(site.names()) == WORKERS
    site.scale(WORKERS)
    site.slurm.nodes_since = told
    site.rounds(8)

    for number in range(MACHINES):
        site.cordon(f"m{number}")
    site.rounds(2)
    assert len(site.drained()) == SHARE  # the breaker takes a whole machine hall for an accident
    for number in range(MACHINES):
        site.cordon(f"m{number}", on=False)
    site.rounds(2, seconds=61)
    site.rounds(1)
    assert site.drained() == set()

    site.scale(WORKERS - SHARE)
    site.rounds(4, seconds=61)
    assert len(site.names()) == WORKERS - SHARE
    assert {site.slurm.job(job).state for job in jobs} == {JobState.RUNNING}
    assert {site.slurm.job(job).restart_count for job in jobs} == {0}
