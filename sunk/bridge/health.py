"""Whether the bridge lives, whether it is ready, and its metrics, over HTTP for probes.

Three pages, each read from what the loop noted down; none asks Kubernetes or Slurm, so a slow
Slurm never gets a bridge restarted.
"""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sunk.errors import ConfigError, InputError

HUNG_AFTER_SECONDS = 180.0
"""More than the time limits of everything that one step of a round may wait for, together."""
_REQUEST_SECONDS = 10.0


class Board:
    """What the loop notes down about itself; any thread may ask.

    Args:
        monotonic: seconds of a clock that never goes back.
        hung_after_seconds: without a sign of life for longer than this, it hangs.
    """

    def __init__(
        self, monotonic: Callable[[], float], *, hung_after_seconds: float = HUNG_AFTER_SECONDS
    ) -> None:
        self._monotonic = monotonic
        self._hung_after_seconds = hung_after_seconds
        self._beat_at = monotonic()
        self._ready = False

    def beat(self) -> None:
        """Note a sign of life: a round, or a step of one, begins."""
        self._beat_at = self._monotonic()

    def ready(self) -> None:
        """Note that it does its work: a round was completed, or it stands by for another."""
        self._ready = True

    def why_not_alive(self) -> str:
        """Return why it hangs; empty when it does not."""
        silent = self._monotonic() - self._beat_at
        return f"no sign of life for {silent:.0f} s" if silent > self._hung_after_seconds else ""

    def why_not_ready(self) -> str:
        """Return why it is not ready; empty when it is."""
        return self.why_not_alive() or ("" if self._ready else "no round was completed yet")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen.

    Attributes:
        host: IP address or name.
        port: 0 for one that is free.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Return what ``ADDRESS:PORT`` says; an IPv6 address stands in brackets.

    Raises:
        InputError: it is not of this form.
    """
    host, _, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    number = int(port) if port.isascii() and port.isdecimal() else -1
    if not bare or not 0 <= number <= 65535 or (":" in bare and bare == host):
        raise InputError(
            f"read address {text!r}: not one like 0.0.0.0:8080",
            hint="an IPv6 address stands in brackets: [::]:8080",
        )
    return Address(host=bare, port=number)


class HealthServer:
    """Serves ``/healthz``, ``/readyz`` and ``/metrics`` from threads of its own.

    Args:
        address: where to listen.
        board: what the loop noted down.
        metrics: returns the metrics in Prometheus' text form.

    Raises:
        ConfigError: the address cannot be listened on.
    """

    def __init__(self, address: Address, board: Board, metrics: Callable[[], bytes]) -> None:
        pages: dict[str, Callable[[], tuple[int, bytes]]] = {
            "/healthz": lambda: _verdict(board.why_not_alive()),
            "/readyz": lambda: _verdict(board.why_not_ready()),
            "/metrics": lambda: (200, metrics()),
        }
        try:
            self._server = _server(address, pages)
        except OSError as exc:
            raise ConfigError(
                f"listen on {address}: {exc.strerror or exc}", hint="choose another with --listen"
            ) from exc
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="health", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _verdict(why_not: str) -> tuple[int, bytes]:
    return (503, f"{why_not}\n".encode()) if why_not else (200, b"ok\n")


def _server(
    address: Address, pages: dict[str, Callable[[], tuple[int, bytes]]]
) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        timeout = _REQUEST_SECONDS

        def do_GET(self) -> None:
            page = pages.get(self.path.partition("?")[0])
            status, body = page() if page else (404, b"there are /healthz, /readyz and /metrics\n")
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: probes come every few seconds."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        daemon_threads = True

        def server_bind(self) -> None:
            """Bind, without the look-up of this host's name, which may hang where DNS does."""
            socketserver.TCPServer.server_bind(self)
            self.server_name, self.server_port = address.host, int(self.server_address[1])

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Say nothing: whoever asked has gone away."""

    return Server((address.host, address.port), Handler)
