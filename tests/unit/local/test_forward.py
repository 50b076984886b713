from __future__ import annotations

import errno
import io
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.local import forward
from sunk.local.diary import Diary
from sunk.local.forward import Route, format_route, parse_route

ports = st.integers(1, 65535)
targets = st.tuples(st.ip_addresses(v=4).map(str), ports)


@given(port=ports, to=st.lists(targets, min_size=1, max_size=4))
def test_route_survives_the_command_line(port, to):
    route = Route(port=port, targets=tuple(to))
    assert parse_route(format_route(route)) == route


def echo_server() -> int:
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = server.accept()
        with connection:
            server.close()
            while chunk := connection.recv(65536):
                connection.sendall(chunk)

    threading.Thread(target=serve, daemon=True).start()
    return int(server.getsockname()[1])


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def through(route: Route, payload: bytes) -> bytes:
    outside, inside = socket.socketpair()
    bridge = threading.Thread(
        target=forward._bridge, args=(inside, route, Diary(io.StringIO())), daemon=True
    )
    bridge.start()
    got = b""
    with outside:
        outside.settimeout(10)
        outside.sendall(payload)
        outside.shutdown(socket.SHUT_WR)
        while chunk := outside.recv(65536):
            got += chunk
    bridge.join(10)
    return got


def test_everything_sent_comes_back_and_the_end_is_passed_on():
    payload = bytes(range(256)) * 4096
    route = Route(port=1, targets=(("127.0.0.1", echo_server()),))
    assert through(route, payload) == payload


def test_first_target_that_answers_is_taken():
    route = Route(port=1, targets=(("127.0.0.1", closed_port()), ("127.0.0.1", echo_server())))
    assert through(route, b"x") == b"x"


def test_connection_closes_when_no_target_answers():
    outside, inside = socket.socketpair()
    log = io.StringIO()
    route = Route(port=1, targets=(("127.0.0.1", closed_port()),))
    forward._bridge(inside, route, Diary(log))
    outside.settimeout(5)
    assert outside.recv(1) == b""
    outside.close()
    assert "forward port 1: nothing answers: 127.0.0.1:" in log.getvalue()
    assert "Connection refused" in log.getvalue()


def test_taken_port_is_one_line_that_names_it(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(SystemExit) as caught:
            forward.main([str(tmp_path / "sign"), "/run/netns/none", f"{port}=127.0.0.1:1"])
    assert str(caught.value) == f"listen on 127.0.0.1:{port}: Address already in use"
    assert not (tmp_path / "sign").exists()


def test_listener_goes_on_after_it_ran_out_of_descriptors():
    log, accepted = io.StringIO(), threading.Event()

    class Listener:
        calls = 0

        def accept(self):
            self.calls += 1
            if self.calls == 1:
                raise OSError(errno.EMFILE, "Too many open files")
            accepted.set()
            threading.Event().wait()

    arguments = (Listener(), Route(port=7, targets=()), Diary(log))
    threading.Thread(target=forward._accept, args=arguments, daemon=True).start()
    assert accepted.wait(10)
    assert "accept on port 7: [Errno 24] Too many open files" in log.getvalue()


def test_missing_namespace_is_an_error_that_names_it():
    with pytest.raises(FileNotFoundError, match="no-such-namespace"):
        forward.enter_network_namespace("/run/netns/no-such-namespace")
