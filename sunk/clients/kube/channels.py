"""Streams into a Pod through the API server, over websockets: a program's end, a port."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from kubernetes import client, stream
from websocket import WebSocketException

from sunk.clients.kube.protocol import Executed
from sunk.clients.kube.refusals import SYSTEM, refusal
from sunk.clients.shells import Heard
from sunk.errors import UnexpectedReply, Unreachable, clip


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a stream leads.

    Attributes:
        container: of the Pod; its default one when absent.
    """

    pod: str
    namespace: str
    container: str | None = None

    def __str__(self) -> str:
        return f"Pod {self.namespace}/{self.pod}"


def execute(
    configuration: Any, place: Place, argv: Sequence[str], within_seconds: float
) -> Executed:
    """Run a program in a container to its end.

    Raises:
        Unreachable: it does not end in time.
        UnexpectedReply: the stream broke.
        RemoteError: the API server refuses.
    """
    what = f"run {argv[0]} in {place}"
    try:
        channel = _started(configuration, place, argv, within_seconds)
        with _hanging_up(channel):
            channel.run_forever(timeout=within_seconds)
            if channel.is_open():
                raise Unreachable(f"{what}: no end after {within_seconds:g} s", system=SYSTEM)
            return Executed(
                status=int(channel.returncode or 0),
                stdout=channel.read_stdout(timeout=0) or "",
                stderr=channel.read_stderr(timeout=0) or "",
            )
    except client.ApiException as exc:
        raise refusal(what, int(exc.status or 0), str(exc.reason).encode()) from exc
    except (OSError, ValueError) as exc:
        raise UnexpectedReply(f"{what}: {clip(str(exc))}", system=SYSTEM) from exc


class PodShell:
    """A shell in a container; a `sunk.clients.shells.Shell`.

    Raises:
        RemoteError: the API server refuses, or does not answer.
    """

    def __init__(
        self, configuration: Any, place: Place, argv: Sequence[str], within_seconds: float
    ) -> None:
        self._place = place
        what = f"run {argv[0]} in {place}"
        try:
            self._channel = _started(
                configuration, place, argv, within_seconds, stdin=True, binary=True
            )
        except client.ApiException as exc:
            raise refusal(what, int(exc.status or 0), str(exc.reason).encode()) from exc
        except (OSError, ValueError) as exc:
            raise Unreachable(f"{what}: {clip(str(exc))}", system=SYSTEM) from exc

    def send(self, text: bytes) -> None:
        """Write to the shell's standard input.

        Raises:
            Unreachable: the stream is lost.
        """
        try:
            self._channel.write_stdin(text)
        except (WebSocketException, OSError, AttributeError) as exc:
            raise self._lost(str(exc)) from exc

    def receive(self, within_seconds: float) -> Heard:
        """Return what the shell said, as soon as there is some.

        Raises:
            Unreachable: the stream is lost, and all that was said was returned.
        """
        try:
            self._channel.update(timeout=max(0.0, within_seconds))
        except (WebSocketException, OSError, AttributeError) as exc:
            # A socket that another thread closed is an attribute that is not there.
            raise self._lost(str(exc)) from exc
        heard = Heard(self._channel.read_stdout(timeout=0), self._channel.read_stderr(timeout=0))
        if not heard and not self._channel.is_open():
            raise self._lost("it ended")
        return heard

    def close(self) -> None:
        """End the shell."""
        with suppress(WebSocketException, OSError, AttributeError):
            _hang_up(self._channel)

    def _lost(self, cause: str) -> Unreachable:
        return Unreachable(f"talk to {self._place}: {clip(cause)}", system=SYSTEM)


def _started(
    configuration: Any,
    place: Place,
    argv: Sequence[str],
    within_seconds: float,
    *,
    stdin: bool = False,
    binary: bool = False,
) -> Any:
    options: dict[str, Any] = {"container": place.container} if place.container else {}
    # A client of its own: the stream module swaps the request method of the one it gets.
    core = client.CoreV1Api(client.ApiClient(configuration))
    return stream.stream(
        core.connect_get_namespaced_pod_exec,
        place.pod,
        place.namespace,
        command=list(argv),
        stdout=True,
        stderr=True,
        stdin=stdin,
        tty=False,
        binary=binary,
        _preload_content=False,
        _request_timeout=within_seconds,
        **options,
    )


def forward(configuration: Any, place: Place, port: int) -> socket.socket:
    """Return a connected socket to a port of a Pod.

    Raises:
        Unreachable: no connection.
        RemoteError: the API server refuses.
    """
    what = f"forward port {port} of {place}"
    core = client.CoreV1Api(client.ApiClient(configuration))
    try:
        channel = stream.portforward(
            core.connect_get_namespaced_pod_portforward,
            place.pod,
            place.namespace,
            ports=str(port),
        )
    except client.ApiException as exc:
        raise refusal(what, int(exc.status or 0), str(exc.reason).encode()) from exc
    except OSError as exc:
        raise Unreachable(f"{what}: {clip(str(exc))}", system=SYSTEM) from exc
    found: socket.socket = channel.socket(port)
    return found


@contextmanager
def _hanging_up(channel: Any) -> Iterator[None]:
    """Close a websocket whatever happens; its own `close` does nothing once the server said bye."""
    try:
        yield
    finally:
        _hang_up(channel)


def _hang_up(channel: Any) -> None:
    channel.close()
    channel.sock.shutdown()
