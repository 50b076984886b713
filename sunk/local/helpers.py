"""The two helper processes of a local cluster: the port forwarder and the volume provisioner.

Each touches a file of its own once it works: the forwarder when it listens, the provisioner after
every round. A helper that ended, or lives but does not work, is an error with the end of its log;
it is stopped too, so that the next run starts it anew.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from sunk.errors import EnvironmentFault
from sunk.local import daemons, forward, pids
from sunk.local.layout import API_PORT, LOGIN_NODE_PORT, Layout, namespace_path, nodes

FORWARD, VOLUMES = "forward", "volumes"
NAMES = (VOLUMES, FORWARD)
WORKING_SECONDS = 15.0
"""How long a helper may take to work; 1 to 2 s are usual."""
RUNNING_SECONDS = 5.0
"""How long one that runs already may take for its next round; half a second is usual."""
_POLL_SECONDS = 0.05
_STOP_SECONDS = 2.0


def start_forward(layout: Layout, *, node_count: int, api_port: int, ssh_port: int) -> bool:
    """Start the forwarder unless it runs, and wait until it listens; returns whether it started.

    Raises:
        EnvironmentFault: it ended, or does not listen in time.
    """
    if daemons.is_running(layout, FORWARD):
        return False
    login = tuple((each.address, LOGIN_NODE_PORT) for each in nodes(node_count))
    routes = (
        forward.Route(port=api_port, targets=(("127.0.0.1", API_PORT),)),
        forward.Route(port=ssh_port, targets=login),
    )
    sign = _fresh_sign(layout, FORWARD)
    words = [sys.executable, "-m", "sunk.local.forward"]
    words += [str(sign), str(namespace_path(layout.namespace))]
    words += [forward.format_route(route) for route in routes]
    daemons.start(layout, FORWARD, words)
    if not _appears(layout, FORWARD, sign):
        raise useless(layout, FORWARD, f"it does not listen after {WORKING_SECONDS:g} s")
    return True


def start_volumes(layout: Layout) -> bool:
    """Start the provisioner unless it runs; returns whether it started."""
    _fresh_sign(layout, VOLUMES)
    if daemons.is_running(layout, VOLUMES):
        return False
    words = [sys.executable, "-m", "sunk.wiring", "serve-volumes"]
    words += [str(layout.kubeconfig), str(layout.volumes), str(_sign(layout, VOLUMES))]
    daemons.start(layout, VOLUMES, words)
    return True


def wait_for_volumes(layout: Layout, *, started: bool) -> None:
    """Wait until the provisioner went once through all claims since `start_volumes`.

    One that ran before and does not work is started anew.

    Args:
        layout: whose.
        started: what `start_volumes` returned.

    Raises:
        EnvironmentFault: it ended, or did not get through; the message has the end of its log.
    """
    if not started:
        if _appears(layout, VOLUMES, _sign(layout, VOLUMES), within_seconds=RUNNING_SECONDS):
            return
        stop(layout, VOLUMES)
        start_volumes(layout)
    if not _appears(layout, VOLUMES, _sign(layout, VOLUMES)):
        raise useless(layout, VOLUMES, f"it does not work after {WORKING_SECONDS:g} s")


def useless(layout: Layout, name: str, cause: str) -> EnvironmentFault:
    """Stop a helper that does not work, and return the error that says so."""
    tail = daemons.last_words(layout, name)
    stop(layout, name)
    return EnvironmentFault(
        f"use {name} of cluster {layout.name}: {cause}: {tail}",
        hint=f"its log is {layout.log(name)}; run the same command again to start it anew",
    )


def stop(layout: Layout, name: str) -> None:
    """Stop a helper if it runs."""
    pids.stop(layout.pid_file(name), grace_seconds=_STOP_SECONDS)


def check_forward(layout: Layout, inside: Callable[[], bool], outside: Callable[[], bool]) -> None:
    """Find out who is to blame while the API server does not answer through the forwarder.

    Args:
        layout: whose.
        inside: whether the API server is ready when asked in the cluster's own network.
        outside: whether it is when asked through the forwarder.

    Raises:
        EnvironmentFault: it is ready, and the forwarder does not lead to it.
    """
    daemons.require_running(layout, FORWARD)
    if inside() and not outside():
        raise useless(layout, FORWARD, "kube-apiserver is ready, but not through its port")


def _appears(layout: Layout, name: str, sign: Path, within_seconds: float | None = None) -> bool:
    deadline = time.monotonic() + (within_seconds or WORKING_SECONDS)
    while not sign.exists():
        daemons.require_running(layout, name)
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _fresh_sign(layout: Layout, name: str) -> Path:
    sign = _sign(layout, name)
    sign.parent.mkdir(parents=True, exist_ok=True)
    sign.unlink(missing_ok=True)
    return sign


def _sign(layout: Layout, name: str) -> Path:
    return layout.run / f"{name}.works"
