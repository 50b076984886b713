"""A bridge killed between any two of its writes, on the real cluster: the next one ends alike.

The bridge runs in this process, so that it can be killed exactly there; what it writes to is real.
A usual run tries a few points of the table, `make nightly` all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from sunk.model.kube import NODE, POD
from sunk.model.slurm import JobId, JobState
from tests.support import own_bridge
from tests.support.cluster import RunningSite
from tests.support.eventually import eventually
from tests.support.examples import sample
from tests.support.killed_bridge import Killed, Trap
from tests.support.own_bridge import FOUR, pods, rounds_until, wanted

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
WHOLE = range(1, 25)
"""No order here takes more writes; the table ends where an order was done before."""


@pytest.fixture(scope="module")
def alone(site: RunningSite) -> Iterator[None]:
    with own_bridge.alone(site):
        yield


def scale_in(site: RunningSite) -> Callable[[], bool]:
    wanted(site, 1)
    # The busy worker stays, wherever it is: idle ones go first.
    return lambda: set(pods(site)) == {"w-0"} == {str(one.name) for one in site.slurm.nodes()}


def cordon(site: RunningSite) -> Callable[[], bool]:
    machine = site.pod("w-0").node
    assert machine is not None
    site.kube.merge(NODE, machine, {"spec": {"unschedulable": True}})
    here = {name for name in FOUR if site.pod(name).node == machine}
    return lambda: {str(one.name) for one in site.slurm.nodes() if one.drain} == here


def lose_an_idle_pod(site: RunningSite) -> Callable[[], bool]:
    before = pods(site)
    site.kube.delete(POD, "w-3", site.namespace, grace_seconds=0)
    return lambda: set(now := pods(site)) == FOUR and now["w-3"] != before["w-3"]


ORDERS = {
    scale_in: sample((3,), WHOLE),
    cordon: sample((2,), WHOLE),
    lose_an_idle_pod: sample((1,), WHOLE),
}
TABLE = [
    (order, at, after)
    for order, points in ORDERS.items()
    for at in points
    for after in (False, True)
]


@pytest.mark.parametrize(
    ("order", "at", "after"),
    [
        pytest.param(*row, id=f"{row[0].__name__}-{'after' if row[2] else 'before'}-{row[1]}")
        for row in TABLE
    ],
)
def test_bridge_killed_at_a_write_is_followed_by_one_that_ends_alike(
    site: RunningSite,
    alone: None,
    order: Callable[[RunningSite], Callable[[], bool]],
    at: int,
    after: bool,
) -> None:
    kube, slurm = site.kube, site.slurm
    bridge = own_bridge.own_bridge(site, kube, slurm)
    job = running(site, "w-0")
    ended = order(site)
    trap = Trap(kube, slurm, at, after=after)
    try:
        trap.armed = True
        rounds_until(bridge, ended, f"{order.__name__} is done")
    except Killed:
        pass
    finally:
        trap.release()
    try:
        rounds_until(own_bridge.own_bridge(site, kube, slurm), ended, "the next bridge ends alike")
        assert site.slurm.job(job).state is JobState.RUNNING
        assert site.slurm.job(job).restart_count == 0
    finally:
        back_to_four(site, job)


def running(site: RunningSite, node: str) -> JobId:
    job = site.submit("sleep 600", f"--nodelist={node}")
    eventually(lambda: site.slurm.job(job).state is JobState.RUNNING, 30)
    return job


def back_to_four(site: RunningSite, job: JobId) -> None:
    """Undo every order, so that the next row begins as this one did."""
    site.slurm.cancel(job)
    for machine in site.kube.nodes():
        if machine.cordoned:
            site.kube.merge(NODE, machine.name, {"spec": {"unschedulable": False}})
    wanted(site, 4)
    bridge = own_bridge.own_bridge(site, site.kube, site.slurm)

    def usable() -> bool:
        nodes = {str(one.name): one for one in site.slurm.nodes()}
        return set(nodes) == FOUR == set(pods(site)) and not any(
            one.drain or one.state != "IDLE" for one in nodes.values()
        )

    rounds_until(bridge, usable, "four usable workers")
