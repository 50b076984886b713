"""What probes are told, and over which address."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest

from sunk.bridge.health import HUNG_AFTER_SECONDS, Address, Board, HealthServer, parse_address
from sunk.errors import ConfigError, InputError


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def board(clock) -> Board:
    return Board(clock)


@pytest.fixture
def ask(board) -> Iterator:
    server = HealthServer(Address("127.0.0.1", 0), board, lambda: b"m 1\n")
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        yield lambda page: (found := client.get(page)) and (found.status_code, found.text)
    server.close()


def test_bridge_that_just_started_lives_and_is_not_ready(ask):
    assert ask("/healthz") == (200, "ok\n")
    assert ask("/readyz") == (503, "no round was completed yet\n")


def test_bridge_that_did_a_round_or_stands_by_is_ready(board, ask):
    board.ready()
    assert ask("/readyz") == (200, "ok\n")


def test_hung_loop_fails_both_probes_until_it_goes_on(board, clock, ask):
    board.ready()
    clock.now += HUNG_AFTER_SECONDS
    assert ask("/healthz") == (200, "ok\n")
    clock.now += 1
    assert ask("/healthz") == (503, "no sign of life for 181 s\n")
    assert ask("/readyz") == (503, "no sign of life for 181 s\n")
    board.beat()
    assert ask("/healthz") == (200, "ok\n")


def test_metrics_are_served_and_other_pages_are_not(ask):
    assert ask("/metrics?x=1") == (200, "m 1\n")
    assert ask("/")[0] == 404


def test_somebody_who_asks_nothing_keeps_nobody_waiting(board, ask):
    server = HealthServer(Address("127.0.0.1", 0), board, lambda: b"")
    with socket.create_connection(("127.0.0.1", server.port)):
        url = f"http://127.0.0.1:{server.port}/healthz"
        assert httpx.get(url, trust_env=False).status_code == 200
    server.close()


def test_address_that_is_taken_is_a_wrong_setting_that_names_it(board):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"listen on 127.0.0.1:{port}: Address already in"):
            HealthServer(Address("127.0.0.1", port), board, lambda: b"")


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("0.0.0.0:8080", "0.0.0.0", 8080), ("[::]:0", "::", 0), ("localhost:1", "localhost", 1)],
)
def test_address_is_read_and_written_the_same(text, host, port):
    assert parse_address(text) == Address(host, port)
    assert str(parse_address(text)) == text


@pytest.mark.parametrize(
    "text", ["", "8080", ":8080", "::1:8080", "a:b", "a:70000", "a:-1", "[]:1"]
)
def test_address_of_another_form_is_refused(text):
    with pytest.raises(InputError, match="not one like"):
        parse_address(text)
