from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from sunk.clients import ssh
from sunk.errors import Unreachable
from sunk.local.access import ensure_user_key


class Welcoming(paramiko.ServerInterface):
    def check_auth_publickey(self, username, key):
        return paramiko.AUTH_SUCCESSFUL


@pytest.fixture
def server_key() -> paramiko.PKey:
    return paramiko.ECDSAKey.generate()


@pytest.fixture
def target(server_key: paramiko.PKey, tmp_path: Path) -> ssh.Target:
    return ssh.Target(
        host="login.example",
        port=22,
        user="alice",
        key_file=ensure_user_key(tmp_path).private_file,
        host_key=f"{server_key.get_name()} {server_key.get_base64()}",
    )


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    kept: list[float] = []
    monkeypatch.setattr(ssh.time, "sleep", kept.append)
    return kept


class Server:
    """An SSH server that hangs up on its first callers before it says a word."""

    def __init__(self, key: paramiko.PKey, hang_ups: int) -> None:
        self.key = key
        self.hang_ups = hang_ups
        self.calls = 0
        self.transports: list[paramiko.Transport] = []

    def call(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        self.calls += 1
        if self.calls <= self.hang_ups:
            theirs.close()
            return ours
        transport = paramiko.Transport(theirs)
        transport.add_server_key(self.key)
        transport.start_server(event=threading.Event(), server=Welcoming())
        self.transports.append(transport)
        return ours


@pytest.fixture
def serve(server_key: paramiko.PKey) -> Iterator[object]:
    made: list[Server] = []

    def start(hang_ups: int) -> Server:
        made.append(Server(server_key, hang_ups))
        return made[-1]

    yield start
    for server in made:
        for transport in server.transports:
            transport.close()


def test_login_is_tried_again_when_the_server_hangs_up_before_ssh_begins(target, serve, pauses):
    server = serve(hang_ups=2)
    with ssh.Ssh(target, server.call):
        assert server.calls == 3
    assert pauses == [1, 2]


def test_server_that_always_hangs_up_is_unreachable_after_three_logins(target, serve, pauses):
    server = serve(hang_ups=9)
    with pytest.raises(Unreachable, match=r"log in to alice@login.example:22: .* \(3 times\)"):
        ssh.Ssh(target, server.call).__enter__()
    assert server.calls == 3


def test_refused_connection_is_not_tried_again(target, pauses):
    calls = []

    def refused() -> socket.socket:
        calls.append(1)
        raise ConnectionRefusedError("nobody listens")

    with pytest.raises(Unreachable, match="nobody listens"):
        ssh.Ssh(target, refused).__enter__()
    assert (len(calls), pauses) == (1, [])
