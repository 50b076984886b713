"""Bandwidth of TCP from one host to another, where there is no RDMA: bytes limited, time limited.

``python3 -m sunk_jobs.pair serve --port P`` serves exactly one test and ends: after it, or when its
time is over. On the other host ``python3 -m sunk_jobs.pair send --to ADDRESS --port P`` waits for
the port, sends, and prints one line of JSON with what arrived, how long it took, and what the
kernel says about the connections: retransmits, MTU, congestion control, devices. Both must have
the same value of SUNK_FABRIC_TEST in their environment; whoever connects without it is sent away.

Exit codes: 0 it was measured; 1 it was not, the line says why; 2 usage.
"""

from __future__ import annotations

import argparse
import hmac
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from typing import Any

from sunk_jobs.leftovers import MARK
from sunk_jobs.networks.tcp_facts import Connection, connection, device_of
from sunk_jobs.outputs.results import PAIR, PairResult

STREAMS_MAX = 64
_CHUNK_BYTES = 256 * 1024
_LINE_BYTES = 4096
_RETRY_SECONDS = 0.05


class Failed(Exception):
    """The test has no result; the message says what was tried and why."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How to send.

    Attributes:
        total_bytes: of all streams.
        streams: connections at once.
        seconds: sending stops after this long, whatever is left.
        congestion: congestion control to ask for; the host's own when empty.
        connect_seconds: how long the server may take to answer.
    """

    total_bytes: int
    streams: int
    seconds: float
    congestion: str = ""
    connect_seconds: float = 5.0


def serve(port: int, token: str, within_seconds: float) -> None:
    """Receive one test and tell the sender what arrived; the port is closed when this returns.

    Raises:
        Failed: the port is taken, or no whole test came in time.
    """
    deadline = time.monotonic() + within_seconds
    with ExitStack() as stack:
        listener = stack.enter_context(_listener(port, within_seconds))
        control, hello = _greeted(stack, listener, token, deadline)
        streams = hello.get("streams")
        if not isinstance(streams, int) or not 1 <= streams <= STREAMS_MAX:
            raise Failed(f"serve a test: the sender wants {streams!r} streams")
        _say(control, {"ready": True})
        data = [_greeted(stack, listener, token, deadline)[0] for _ in range(streams)]
        listener.close()
        for one in data:
            _say(one, {"ready": True})
        counts = [0] * streams
        _at_once(lambda at: counts.__setitem__(at, _drain(data[at], deadline)), streams)
        address = str(control.getsockname()[0])
        device = device_of(_plain(address))
        record = {
            "bytes": sum(counts),
            "address": _plain(address),
            "device": device.name,
            "mtu_bytes": device.mtu_bytes,
        }
        _say(control, record)
        # The sender closes first: so the port is free at once, and not in TIME_WAIT.
        with suppress(OSError):
            control.recv(1)


def send(address: str, port: int, token: str, wanted: Wanted, within_seconds: float) -> PairResult:
    """Send to a server that starts about now, and return the figures.

    Args:
        address: name or address of the receiver.
        port: its port.
        token: what the server asks for.
        wanted: how much, how.
        within_seconds: the whole ends after this long.

    Raises:
        Failed: no server answers, it breaks off, or the kernel has no such congestion control.
    """
    deadline = time.monotonic() + within_seconds
    with ExitStack() as stack:
        first = min(time.monotonic() + wanted.connect_seconds, deadline)
        control = stack.enter_context(_connected(address, port, first, ""))
        _say(control, {"token": token, "streams": wanted.streams})
        _heard(control)
        data = []
        for _ in range(wanted.streams):
            one = stack.enter_context(_connected(address, port, deadline, wanted.congestion))
            _say(one, {"token": token})
            data.append(one)
        for one in data:
            _heard(one)
        start = time.monotonic()
        share = -(-wanted.total_bytes // wanted.streams)
        sent = [0] * wanted.streams
        stop = min(start + wanted.seconds, deadline)
        _at_once(lambda at: sent.__setitem__(at, _pump(data[at], share, stop)), wanted.streams)
        there = _heard(control)
        took = time.monotonic() - start
        return _result(data, sent, share, there, took)


def _result(
    data: Sequence[socket.socket],
    sent: Sequence[int],
    share: int,
    there: dict[str, Any],
    took: float,
) -> PairResult:
    arrived = there.get("bytes")
    if not isinstance(arrived, int) or arrived <= 0:
        raise Failed(f"send to {there.get('address', 'the receiver')}: nothing arrived")
    facts = [connection(one) for one in data]
    here = _plain(str(data[0].getsockname()[0]))
    device = device_of(here)
    return PairResult(
        schema=PAIR,
        complete=all(one >= share for one in sent),
        streams=len(data),
        bytes=arrived,
        seconds=took,
        gbit_per_s=arrived * 8 / took / 1e9,
        segments=_sum(facts, "segments"),
        retransmits=_sum(facts, "retransmits"),
        mss_bytes=facts[0].mss_bytes,
        rtt_us=max((one.rtt_us for one in facts if one.rtt_us is not None), default=None),
        congestion=facts[0].congestion,
        local_address=here,
        local_device=device.name,
        local_mtu_bytes=device.mtu_bytes,
        peer_address=str(there.get("address", "")),
        peer_device=str(there.get("device", "")),
        peer_mtu_bytes=there.get("mtu_bytes"),
    )


def _sum(facts: Sequence[Connection], name: str) -> int | None:
    values = [getattr(one, name) for one in facts]
    return None if None in values else sum(values)


def _listener(port: int, within_seconds: float) -> socket.socket:
    made = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind(("::", port))
        made.listen(STREAMS_MAX)
        made.settimeout(within_seconds)
    except OSError as exc:
        made.close()
        raise Failed(f"listen on port {port}: {exc.strerror or exc}") from exc
    return made


def _greeted(
    stack: ExitStack, listener: socket.socket, token: str, deadline: float
) -> tuple[socket.socket, dict[str, Any]]:
    """Return the next connection that knows the token, and what it said; others are closed."""
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Failed("serve a test: no sender came in time")
        listener.settimeout(left)
        try:
            sock, _ = listener.accept()
        except TimeoutError as exc:
            raise Failed("serve a test: no sender came in time") from exc
        # A stranger that says nothing may hold the port for a moment only.
        sock.settimeout(min(left, 2.0))
        try:
            said = _heard(sock)
        except Failed:
            said = {}
        if hmac.compare_digest(str(said.get("token", "")).encode(), token.encode()):
            sock.settimeout(max(left, 0.1))
            return stack.enter_context(sock), said
        sock.close()


def _connected(address: str, port: int, deadline: float, congestion: str) -> socket.socket:
    """Return a connection, tried again while the server is not there yet."""
    while True:
        left = deadline - time.monotonic()
        try:
            found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
            sock = socket.socket(found[0], found[1], found[2])
        except OSError as exc:
            raise Failed(f"find the address of {address}: {exc.strerror or exc}") from exc
        try:
            if congestion:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, congestion.encode())
        except OSError as exc:
            sock.close()
            raise Failed(f"use congestion control {congestion}: {exc.strerror or exc}") from exc
        try:
            sock.settimeout(max(left, 0.1))
            sock.connect(found[4])
        except OSError as exc:
            sock.close()
            if time.monotonic() + _RETRY_SECONDS >= deadline:
                said = exc.strerror or str(exc)
                raise Failed(f"connect to {address} port {port}: {said}") from exc
            time.sleep(_RETRY_SECONDS)
        else:
            return sock


def _pump(sock: socket.socket, share: int, stop: float) -> int:
    """Send until the bytes or the time are used up, then say that no more comes."""
    chunk = memoryview(bytes(_CHUNK_BYTES))
    sent = 0
    try:
        while sent < share and (left := stop - time.monotonic()) > 0:
            sock.settimeout(left)
            sent += sock.send(chunk[: min(_CHUNK_BYTES, share - sent)])
    except TimeoutError:
        pass
    except OSError as exc:
        raise Failed(f"send: {exc.strerror or exc}") from exc
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
    return sent


def _drain(sock: socket.socket, deadline: float) -> int:
    buffer = bytearray(4 * _CHUNK_BYTES)
    total = 0
    try:
        while True:
            sock.settimeout(max(deadline - time.monotonic(), 0.1))
            count = sock.recv_into(buffer)
            if not count:
                return total
            total += count
    except OSError as exc:
        raise Failed(f"receive: {exc.strerror or exc}") from exc


def _at_once(work: Any, count: int) -> None:
    """Run ``work(0)`` to ``work(count - 1)`` in threads; the first failure is raised."""
    failures: list[Failed] = []

    def run(at: int) -> None:
        try:
            work(at)
        except Failed as exc:
            failures.append(exc)

    threads = [threading.Thread(target=run, args=(at,)) for at in range(count)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    if failures:
        raise failures[0]


def _say(sock: socket.socket, what: dict[str, Any]) -> None:
    try:
        sock.sendall(json.dumps(what).encode() + b"\n")
    except OSError as exc:
        raise Failed(f"tell the other end: {exc.strerror or exc}") from exc


def _heard(sock: socket.socket) -> dict[str, Any]:
    """Return one line of JSON, read byte by byte: what follows it belongs to the test."""
    line = bytearray()
    try:
        while not line.endswith(b"\n") and len(line) < _LINE_BYTES:
            byte = sock.recv(1)
            if not byte:
                raise Failed("hear the other end: it broke off")
            line += byte
        said = json.loads(line)
    except (OSError, ValueError) as exc:
        raise Failed(f"hear the other end: {exc}") from exc
    return said if isinstance(said, dict) else {}


def _plain(address: str) -> str:
    return address.removeprefix("::ffff:")


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    made = argparse.ArgumentParser(
        prog="sunk_jobs.pair",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = made.add_subparsers(dest="verb", required=True)
    serving = verbs.add_parser("serve", help="receive one test, then end")
    sending = verbs.add_parser("send", help="send one test and print the figures")
    for one in (serving, sending):
        one.add_argument("--port", type=int, required=True, help="of the receiver")
        one.add_argument(
            "--within", type=float, default=30.0, metavar="SECONDS", help="end after this long"
        )
    sending.add_argument("--to", required=True, metavar="ADDRESS", help="the receiver")
    sending.add_argument("--bytes", type=int, default=2**28, help="to send, of all streams")
    sending.add_argument("--streams", type=int, default=1, help="connections at once")
    sending.add_argument("--seconds", type=float, default=10.0, help="stop sending after this long")
    sending.add_argument(
        "--connect", type=float, default=5.0, metavar="SECONDS", help="wait for the server so long"
    )
    sending.add_argument("--congestion", default="", help="congestion control; default: the host's")
    return made


def main(words: Sequence[str] | None = None) -> int:
    """Serve or send, and return the exit code."""
    reader = parser()
    options = reader.parse_args(words)
    token = os.environ.get(MARK, "")
    if not token:
        reader.error(f"{MARK} must name the test, the same for both ends")
    if options.verb == "serve":
        return _serving(options.port, token, options.within)
    wanted = Wanted(
        total_bytes=max(options.bytes, 1),
        streams=min(max(options.streams, 1), STREAMS_MAX),
        seconds=options.seconds,
        congestion=options.congestion,
        connect_seconds=options.connect,
    )
    try:
        record = asdict(send(options.to, options.port, token, wanted, options.within))
    except Failed as exc:
        sys.stdout.write(json.dumps({"failed": str(exc), "schema": PAIR}) + "\n")
        return 1
    sys.stdout.write(json.dumps(record, sort_keys=True) + "\n")
    return 0


def _serving(port: int, token: str, within_seconds: float) -> int:
    """Serve; the figures are the sender's to print, so that there is one text for a transfer."""
    try:
        serve(port, token, within_seconds)
    except Failed as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
