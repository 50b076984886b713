"""Cordons among 1,000 Kubernetes Nodes, seen by a real slurmctld with as many records.

Nodes and Pods are in memory, and no slurmd stands behind the records: what is measured is the
bridge's way from a cordon to slurmctld's answer, among many.
"""

from __future__ import annotations

import datetime as dt
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from sunk.bridge.loop import Bridge
from sunk.clients.kube.memory import MemoryKube
from sunk.clients.slurm.rest import RestSlurm
from sunk.clients.slurm.token import TokenSource
from sunk.model.kube import Kind
from sunk.model.slurm import NodeName
from sunk.progress import Silent
from sunk.wellknown import EXTRA_POD_UID
from sunk.wiring import local as wiring
from tests.bench.figure import Figure
from tests.support.cluster import local_settings
from tests.support.memory_site import QUIET, Site
from tests.support.slurm_namespace import SlurmNamespace

MACHINES = 1_000
CORDONS = 100
"""Fewer than a quarter of the nodes: the breaker must not come in between."""


def figures() -> Iterator[Figure]:
    """Yield the median and the slowest but one of a hundred cordons."""
    with _slurm() as namespace:
        site = Site(workers=MACHINES, machines=MACHINES)
        records = {one["metadata"]["name"]: one["metadata"]["uid"] for one in site.pods()}
        names = f"a-[0-{MACHINES - 1}]"
        facts = ("CPUs=1", "RealMemory=900", "Feature=worker", "State=CLOUD")
        namespace.run("scontrol", "create", f"NodeName={names}", *facts, timeout_seconds=60)
        # They look registered by their Pods. One scontrol for all, its commands on standard input.
        lines = [
            f'update NodeName={name} Extra={{"{EXTRA_POD_UID}":"{uid}"}}'
            for name, uid in records.items()
        ]
        namespace.run("scontrol", input_text="\n".join((*lines, "quit")), timeout_seconds=180)
        with _bridge(site, namespace):
            took = sorted(_cordon(site, namespace, number) for number in range(CORDONS))
    many = f"{MACHINES:,} Nodes, real slurmctld"
    yield Figure(f"cordon to DRAIN, {many} (median)", statistics.median(took), None, "s")
    yield Figure(f"cordon to DRAIN, {many} (p99)", took[-2], 1.0, "s")


@contextmanager
def _slurm() -> Iterator[SlurmNamespace]:
    rootfs = wiring.ensure_software(local_settings(), Silent()).slurm_rootfs
    folder = Path(tempfile.mkdtemp(prefix="sunk-bench-fleet-", dir="/var/tmp"))
    namespace = SlurmNamespace(rootfs=rootfs, folder=folder, nodes=(), max_nodes=2 * MACHINES)
    namespace.start()
    try:
        yield namespace
    finally:
        namespace.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _client(namespace: SlurmNamespace) -> RestSlurm:
    return RestSlurm(
        base_url="http://slurmrestd",
        token=TokenSource(namespace.jwt_key, user="root"),
        http=httpx.HTTPTransport(uds=str(namespace.socket)),
    )


def _follow(kube: MemoryKube, kind: Kind, namespace: str | None = None, **when: Any) -> Any:
    """Watch as a server lets one: the client in memory ends when all is told, and begins anew."""
    since = when.pop("since", None)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        latest = kube.version_of(kind, namespace)
        if latest != since:
            yield from MemoryKube.watch(kube, kind, namespace, since=since)
            since = latest
        time.sleep(0.002)


@contextmanager
def _bridge(site: Site, namespace: SlurmNamespace) -> Iterator[None]:
    """Run a bridge that believes what it sees."""
    site.kube.watch = partial(_follow, site.kube)  # type: ignore[method-assign]
    bridge = Bridge(
        site.kube,
        lambda _keys: _client(namespace),
        site.settings,
        monotonic=time.monotonic,
        wall=lambda: dt.datetime.now(dt.UTC),
        log=QUIET,
    )
    while bridge.round().doubtful:
        time.sleep(0.2)
    stop = threading.Event()
    thread = threading.Thread(target=bridge.serve, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)


def _cordon(site: Site, namespace: SlurmNamespace, number: int) -> float:
    slurm, name = _client(namespace), NodeName(f"a-{number}")
    (machine,) = [pod.node for pod in site.kube.pods("slurm") if pod.name == name]
    assert machine is not None
    start = time.monotonic()
    site.cordon(machine)
    while not slurm.node(name).drain:
        if time.monotonic() - start > 60:
            raise SystemExit(f"bench: {name} is not drained within a minute of its cordon")
        # Bridge and observer share one interpreter: asking without a pause would slow it down.
        time.sleep(0.02)
    took = time.monotonic() - start
    slurm.close()
    return took
