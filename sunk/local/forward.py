"""Forward loopback ports of the machine into a network namespace: a program of its own.

The only thing of a local cluster that listens in the machine's own network namespace, and only on
127.0.0.1. It binds there first, then enters the cluster's namespace, so that every connection it
opens starts inside. Each route may name several targets: the first that answers is taken, which
keeps the login node reachable while a node is down.

Run as ``python -m sunk.local.forward SIGN NAMESPACE PORT=HOST:PORT[,HOST:PORT...] ...``; the file
SIGN is touched once every port listens.
"""

from __future__ import annotations

import ctypes
import os
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sunk.local.diary import Diary

_CLONE_NEWNET = 0x40000000  # sched.h; os.setns needs Python 3.12
_CONNECT_SECONDS = 3.0
_CHUNK = 65536
_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One forwarded port.

    Attributes:
        port: where to listen on 127.0.0.1.
        targets: addresses inside, tried in order.
    """

    port: int
    targets: tuple[tuple[str, int], ...]


def parse_route(text: str) -> Route:
    """Return the route that an argument like ``16443=127.0.0.1:6443`` describes."""
    port, _, rest = text.partition("=")
    targets = []
    for target in rest.split(","):
        host, _, target_port = target.rpartition(":")
        targets.append((host, int(target_port)))
    return Route(port=int(port), targets=tuple(targets))


def format_route(route: Route) -> str:
    """Return the argument that describes a route."""
    return f"{route.port}=" + ",".join(f"{host}:{port}" for host, port in route.targets)


def enter_network_namespace(path: str) -> None:
    """Move this thread, and those it starts later, into a network namespace."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if library.setns(descriptor, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"enter network namespace {path}")
    finally:
        os.close(descriptor)


def serve(
    namespace: str, routes: Sequence[Route], diary: Diary, working: Callable[[], None]
) -> None:
    """Listen on every route's port, call `working`, and forward for ever.

    Raises:
        OSError: a port is taken, or there is no such namespace; the text names it.
    """
    listeners = [(_listen(route.port), route) for route in routes]
    enter_network_namespace(namespace)
    working()
    threads = [
        threading.Thread(target=_accept, args=(*pair, diary), daemon=True) for pair in listeners
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as exc:
        raise OSError(
            exc.errno, f"listen on 127.0.0.1:{port}: {os.strerror(exc.errno or 0)}"
        ) from exc


def _accept(listener: socket.socket, route: Route, diary: Diary) -> None:
    subject = f"accept on port {route.port}"
    while True:
        try:
            outside, _ = listener.accept()
            threading.Thread(target=_bridge, args=(outside, route, diary), daemon=True).start()
        except (OSError, RuntimeError) as exc:  # out of descriptors or threads: others will end
            diary.trouble(subject, f"{subject}: {exc}")
            time.sleep(_PAUSE_SECONDS)
        else:
            diary.fine(subject)


def _bridge(outside: socket.socket, route: Route, diary: Diary) -> None:
    inside = _connect(route, diary)
    if inside is None:
        outside.close()
        return
    with outside, inside:
        back = threading.Thread(target=_copy, args=(inside, outside), daemon=True)
        back.start()
        _copy(outside, inside)
        back.join()


def _connect(route: Route, diary: Diary) -> socket.socket | None:
    subject, causes = f"forward port {route.port}", []
    for host, port in route.targets:
        try:
            connected = socket.create_connection((host, port), timeout=_CONNECT_SECONDS)
        except OSError as exc:
            causes.append(f"{host}:{port} {exc.strerror or exc}")
            continue
        connected.settimeout(None)
        diary.fine(subject)
        return connected
    diary.trouble(subject, f"{subject}: nothing answers: {', '.join(causes)}")
    return None


def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Copy until `source` ends, then tell `sink` that no more comes."""
    with suppress(OSError):
        while chunk := source.recv(_CHUNK):
            sink.sendall(chunk)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def main(words: Sequence[str]) -> None:
    """Run the forwarder until it is killed; what stops it is one line."""
    sign, namespace, *routes = words
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        parsed = [parse_route(word) for word in routes]
        serve(namespace, parsed, Diary(sys.stderr), Path(sign).touch)
    except OSError as exc:
        sys.exit(str(exc) if exc.filename is not None else str(exc.strerror))


if __name__ == "__main__":
    main(sys.argv[1:])
