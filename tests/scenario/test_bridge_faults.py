"""The bridge on bad days, on clients in memory: killed anywhere, lied to, left without answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sunk.errors import UnexpectedReply, Unreachable
from sunk.model.kube import NODE_SET, POD
from sunk.model.slurm import JobState, Listing, NodeName
from sunk.plan.actions import Drain
from tests.support.examples import sample
from tests.support.killed_bridge import Killed, Trap
from tests.support.memory_site import NAMESPACE, Site

POINTS = sample((1, 2, 3, 5, 9, 14, 20), range(1, 60))
"""At which write the bridge is killed."""


def scale_in(site: Site) -> None:
    site.scale(1)


def scale_out(site: Site) -> None:
    site.scale(6)


def update(site: Site) -> None:
    site.edit("a", memory="2Gi")


def cordon(site: Site) -> None:
    site.cordon("m1")


def lose_a_pod(site: Site) -> None:
    site.kube.delete(POD, "a-2", NAMESPACE)


def delete_the_set(site: Site) -> None:
    site.kube.delete(NODE_SET, "a", NAMESPACE)


ORDERS = (scale_in, scale_out, update, cordon, lose_a_pod, delete_the_set)


def end_of(site: Site) -> dict[str, object]:
    """Let the bridge finish, and say what there is then."""
    for _ in range(14):
        site.rounds(3)
        site.settle()
    return {
        "pods": site.names(),
        "records": sorted(str(one.name) for one in site.slurm.nodes()),
        "drained": site.drained(),
        "memory": sorted(
            one["spec"]["containers"][0]["resources"]["limits"]["memory"] for one in site.pods()
        ),
    }


def undisturbed(order: Callable[[Site], None]) -> dict[str, object]:
    site = Site()
    order(site)
    return end_of(site)


@pytest.mark.parametrize("order", ORDERS, ids=lambda one: one.__name__)
def test_bridge_killed_at_any_write_is_followed_by_one_that_ends_alike(order):
    wanted = undisturbed(order)
    job_node = "a-0" if order is not lose_a_pod else "a-1"
    tried = 0
    for at in POINTS:
        for after in (False, True):
            site = Site()
            job = site.occupy(job_node)
            order(site)
            trap = Trap(site.kube, site.slurm, at, after=after)
            try:
                for _ in range(10):
                    trap.armed = True
                    site.rounds(1)
                    trap.armed = False
                    site.settle()
            except Killed:
                tried += 1
            finally:
                trap.release()
            site.bridge = site.new_bridge()
            assert site.slurm.job(job).state is JobState.RUNNING
            site.finish(job)
            assert end_of(site) == wanted, f"killed {'after' if after else 'before'} write {at}"
            assert site.slurm.job(job).restart_count == 0
        if trap.left > 0:
            break  # it was done before
    assert tried >= 4


def gone(site: Site) -> None:
    site.world.reachable = False


def errors(site: Site) -> None:
    def refuse(_since: int) -> None:
        raise UnexpectedReply("list nodes: answered 200 with errors", system="slurmrestd")

    site.slurm.nodes_since = refuse


def empty(site: Site) -> None:
    site.slurm.nodes_since = lambda _since: Listing(items=(), as_of=site.world.now)


def short(site: Site) -> None:
    real = site.slurm.nodes_since

    def some(_since: int) -> Listing:
        found = real(0)
        assert found is not None
        return replace(found, items=found.items[:1])

    site.slurm.nodes_since = some


def no_jobs(site: Site) -> None:
    def refuse() -> None:
        raise Unreachable("list jobs: no answer", system="slurmrestd")

    site.slurm.jobs = refuse


@pytest.mark.parametrize("lie", [gone, errors, empty, short, no_jobs], ids=lambda one: one.__name__)
def test_no_busy_worker_goes_while_slurm_is_gone_or_lies_and_the_reason_is_said(lie):
    site = Site(workers=8)
    jobs = [site.occupy(f"a-{number}") for number in range(8)]
    site.rounds(2)
    lie(site)
    site.scale(2)
    made = site.rounds(4)
    assert len(site.names()) == 8
    assert any(one.why.startswith("Slurm: ") for one in made[-1].waiting)
    site.rounds(80)  # a lie that is repeated is believed, and yet nobody goes for it
    assert len(site.names()) == 8
    for job in jobs:
        assert site.world.jobs[job].state is JobState.RUNNING
        assert site.world.jobs[job].restart_count == 0


def test_slurmctld_that_was_just_restarted_is_believed_when_it_says_the_same_twice():
    site = Site(workers=4)
    site.rounds(2)
    status = {"containerStatuses": [{"name": "slurmctld", "restartCount": 1}]}
    site.kube.set_status(POD, "slurmctld-0", status, NAMESPACE)
    site.cordon("m0")
    (held,) = site.rounds(1)
    assert [one.why for one in held.waiting] == ["Slurm: the server was restarted"]
    assert held.outcomes == ()
    drained = [one.action for made in site.rounds(6) for one in made.outcomes]
    assert {type(one) for one in drained} == {Drain}


def test_pods_list_that_is_empty_all_of_a_sudden_takes_no_worker_down():
    site = Site(workers=8)
    job = site.occupy("a-3")
    real, site.kube.pods = site.kube.pods, lambda *_, **__: ()
    site.rounds(4)
    site.kube.pods = real
    site.rounds(2)
    assert site.slurm.job(job).state is JobState.RUNNING
    assert len(site.names()) == 8


def test_thousand_pods_deleted_at_once_come_back_and_are_taken_down_in_portions():
    site = Site(workers=1000, machines=10)
    for name in site.names():
        site.kube.delete(POD, name, NAMESPACE)
    site.rounds(8)  # believed when a second reading agrees
    assert len(site.names()) == 1000
    down = [one for one in site.slurm.nodes() if one.state == "DOWN"]
    assert len(down) == 250
    assert any("breaker" in one.why for one in site.rounds()[0].waiting)
    site.now += 60
    site.rounds()
    assert sum(one.state == "DOWN" for one in site.slurm.nodes()) == 500


def test_scale_out_to_a_thousand_and_in_again_under_jobs_loses_none():
    site = Site(workers=10, machines=10)
    site.scale(1000)
    site.rounds(2)
    assert len(site.names()) == 1000
    site.settle()
    site.rounds(1)
    jobs = [site.occupy(f"a-{number}") for number in range(0, 1000, 100)]
    site.scale(5)
    site.rounds(6)
    assert site.names() == sorted(f"a-{number}" for number in range(0, 1000, 100))
    assert all(site.slurm.job(job).state is JobState.RUNNING for job in jobs)
    assert len(site.slurm.nodes()) == 10
    assert site.slurm.node(NodeName("a-0")).state == "ALLOCATED"
