"""The TCP program of active tests on this machine: one test, then its end; strangers sent away."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import fields

import pytest

from sunk_jobs import leftovers, pair
from sunk_jobs.leftovers import MARK
from sunk_jobs.networks.tcp_facts import device_of
from sunk_jobs.outputs.results import PAIR, PairResult

WANTED = pair.Wanted(total_bytes=1_000_000, streams=2, seconds=5.0)


@pytest.fixture
def port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture
def server(port):
    """A server in a thread; its end is the test's."""
    failures = []

    def run():
        try:
            pair.serve(port, "token", 20.0)
        except pair.Failed as exc:
            failures.append(str(exc))

    thread = threading.Thread(target=run)
    thread.start()
    yield failures
    thread.join(30)
    assert not thread.is_alive()


def test_transfer_is_measured_and_the_port_is_closed(port, server):
    found = pair.send("127.0.0.1", port, "token", WANTED, 20.0)
    assert (found.schema, found.complete, found.bytes, found.streams) == (PAIR, True, 1_000_000, 2)
    assert found.gbit_per_s == pytest.approx(found.bytes * 8 / found.seconds / 1e9)
    assert (found.local_device, found.peer_device) == ("lo", "lo")
    assert found.segments > found.retransmits >= 0
    assert server == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_stranger_is_sent_away_and_the_test_goes_on(port, server):
    with pytest.raises(pair.Failed, match="hear the other end: it broke off"):
        pair.send("127.0.0.1", port, "another", WANTED, 20.0)
    with socket.create_connection(("127.0.0.1", port), timeout=5) as silent:
        silent.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert pair.send("127.0.0.1", port, "token", WANTED, 20.0).complete


def test_server_that_nobody_comes_to_ends_when_its_time_is_over(port):
    with pytest.raises(pair.Failed, match="no sender came in time"):
        pair.serve(port, "token", 0.05)


def test_port_that_is_taken_is_named(port):
    with socket.socket() as other:
        other.bind(("", port))
        other.listen()
        with pytest.raises(pair.Failed, match=f"listen on port {port}"):
            pair.serve(port, "token", 1.0)


def test_sender_without_a_server_says_what_it_tried(port):
    wanted = pair.Wanted(total_bytes=1, streams=1, seconds=1.0, connect_seconds=0.05)
    with pytest.raises(pair.Failed, match=f"connect to 127.0.0.1 port {port}: Connection refused"):
        pair.send("127.0.0.1", port, "token", wanted, 5.0)


def test_congestion_control_that_is_not_there_is_named(port, server):
    wanted = pair.Wanted(total_bytes=1, streams=1, seconds=1.0, congestion="nosuch")
    with pytest.raises(pair.Failed, match="use congestion control nosuch"):
        pair.send("127.0.0.1", port, "token", wanted, 5.0)
    # What came before it broke off, and the server must say so.
    while not server:
        pass
    assert len(server) == 1


def test_program_prints_one_line_with_every_key(port, server, monkeypatch, capsys):
    monkeypatch.setenv(MARK, "token")
    code = pair.main(["send", "--to", "127.0.0.1", "--port", str(port), "--bytes", "1000"])
    record = json.loads(capsys.readouterr().out)
    assert code == 0
    assert set(record) == {one.name for one in fields(PairResult)}


def test_program_without_a_token_is_refused(monkeypatch, port):
    monkeypatch.delenv(MARK, raising=False)
    with pytest.raises(SystemExit) as refused:
        pair.main(["serve", "--port", str(port)])
    assert refused.value.code == 2


def test_program_that_fails_says_so_in_its_line(port, monkeypatch, capsys):
    monkeypatch.setenv(MARK, "token")
    words = ["send", "--to", "127.0.0.1", "--port", str(port), "--connect", "0.05"]
    assert pair.main(words) == 1
    record = json.loads(capsys.readouterr().out)
    assert (record["schema"], record["failed"].startswith("connect to")) == (PAIR, True)


def test_address_of_nobody_here_has_no_device():
    assert (device_of("127.0.0.1").name, device_of("192.0.2.1").name) == ("lo", "")
    assert device_of("::1").name in {"lo", ""}


def test_leftovers_are_ended_and_those_of_other_tests_left_alone():
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    with (
        subprocess.Popen(sleep, env={**os.environ, MARK: "ours"}) as ours,
        subprocess.Popen(sleep, env={**os.environ, MARK: "theirs"}) as theirs,
    ):
        while not (leftovers.marked("ours") and leftovers.marked("theirs")):
            pass
        # A child of ours stays in the table until it is waited for, but has no command any more.
        found = leftovers.end("ours")
        assert (len(found["ended"]), found["remaining"]) == (1, [])
        assert list(leftovers.marked("theirs")) == [theirs.pid]
        theirs.kill()
        assert ours.wait(10) == -9
