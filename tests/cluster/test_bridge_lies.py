"""A slurmrestd that is gone, or lies: no worker goes for it, and then all goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest

from sunk.bridge.loop import Bridge
from sunk.clients.kube.service_transport import ServiceTransport
from sunk.clients.slurm.rest import RestSlurm
from sunk.clients.slurm.token import TokenSource
from sunk.model.slurm import JobState
from sunk.wellknown import SLURMRESTD_PORT
from tests.support import own_bridge
from tests.support.cluster import RunningSite
from tests.support.eventually import eventually
from tests.support.own_bridge import pods, rounds_until, wanted

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
Lie = Callable[[dict], dict]


def errors(_answer: dict) -> dict:
    """HTTP 200 and nothing but an error, as slurmrestd answers for an absent slurmctld."""
    said = {"description": "Unable to contact slurm controller", "error_number": 1800}
    return {"nodes": [], "jobs": [], "errors": [said], "warnings": [], "last_update": {}}


def empty(answer: dict) -> dict:
    """The true answer without what was asked for."""
    return {**answer, "nodes": [], "jobs": []}


@dataclass
class LyingProxy(httpx.BaseTransport):
    """Stands between the bridge and a real slurmrestd, and answers as it is told to.

    Attributes:
        lie: what becomes of the true answer; None for the truth.
        gone: nobody answers.
    """

    honest: httpx.BaseTransport
    lie: Lie | None = None
    gone: bool = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.gone:
            raise httpx.ConnectError("connection refused", request=request)
        answer = self.honest.handle_request(request)
        if self.lie is None or request.method != "GET":
            return answer
        return httpx.Response(200, json=self.lie(json.loads(answer.read())), request=request)


@pytest.fixture
def alone(site: RunningSite) -> Iterator[None]:
    with own_bridge.alone(site):
        yield


@pytest.fixture
def proxy(site: RunningSite) -> LyingProxy:
    return LyingProxy(ServiceTransport(site.kube, site.namespace, "slurmrestd", SLURMRESTD_PORT))


@pytest.fixture
def bridge(site: RunningSite, proxy: LyingProxy, alone) -> Bridge:
    slurm = RestSlurm(
        base_url=f"http://slurmrestd:{SLURMRESTD_PORT}",
        http=proxy,
        token=TokenSource(site.site.keys.jwt_key, user="root"),
    )
    return own_bridge.own_bridge(site, site.kube, slurm)


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(None, id="gone", marks=pytest.mark.nightly),
        pytest.param(errors, id="errors", marks=pytest.mark.nightly),
        pytest.param(empty, id="empty"),
    ],
)
def test_no_busy_worker_goes_while_slurmrestd_is_gone_or_lies(site, proxy, bridge, lie):
    jobs = [site.submit("sleep 25", f"--nodelist=w-{n}") for n in (0, 1, 2, 3)]
    for job in jobs:
        eventually(lambda job=job: site.slurm.job(job).state is JobState.RUNNING, 30)
    before = pods(site)
    proxy.lie, proxy.gone = lie, lie is None
    try:
        wanted(site, 2)
        # Two readings that agree are believed after 5 s: the lie goes on for longer.
        end = time.monotonic() + 12
        rounds_until(bridge, lambda: time.monotonic() > end, "the lie is over")
        said = [one.why for one in bridge.round().waiting]
        assert said, "nothing says why it waits"
        assert pods(site) == before
    finally:
        proxy.lie, proxy.gone = None, False
    rounds_until(bridge, lambda: len(pods(site)) == 2, "two workers are left")
    for job in jobs:
        done = eventually(lambda job=job: (one := site.slurm.job(job)).ended and one, 60)
        assert (done.state, done.exit_code, done.restart_count) == (JobState.COMPLETED, 0, 0)
