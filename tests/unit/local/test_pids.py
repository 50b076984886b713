from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.errors import EnvironmentFault
from sunk.local import pids


@pytest.fixture
def sleeper():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield child
    child.kill()
    child.wait()


def test_pid_file_names_the_process_it_was_written_for(tmp_path, sleeper):
    pids.write(tmp_path / "x.pid", sleeper.pid)
    found = pids.read(tmp_path / "x.pid")
    assert found is not None
    assert found.pid == sleeper.pid


def test_reused_pid_is_not_taken_for_the_old_process_and_never_killed(tmp_path, sleeper):
    file = tmp_path / "x.pid"
    pids.write(file, sleeper.pid)
    recorded = msgspec.json.decode(file.read_bytes(), type=pids.Identity)
    older = replace(recorded, start_ticks=recorded.start_ticks - 1)
    file.write_bytes(msgspec.json.encode(older))
    assert pids.read(file) is None
    assert pids.stop(file, grace_seconds=0) is False
    assert sleeper.poll() is None


def test_pid_file_of_another_boot_is_void(tmp_path, sleeper):
    file = tmp_path / "x.pid"
    pids.write(file, sleeper.pid)
    recorded = msgspec.json.decode(file.read_bytes(), type=pids.Identity)
    other = replace(recorded, boot_id="another")
    file.write_bytes(msgspec.json.encode(other))
    assert pids.read(file) is None


@pytest.mark.parametrize("content", [b"", b"{", b"123", b'{"pid": 1}'])
def test_damaged_pid_file_names_nobody(tmp_path, content):
    (tmp_path / "x.pid").write_bytes(content)
    assert pids.read(tmp_path / "x.pid") is None


def test_stop_ends_the_process_and_removes_the_file(tmp_path, sleeper):
    file = tmp_path / "x.pid"
    pids.write(file, sleeper.pid)
    assert pids.stop(file, grace_seconds=5) is True
    assert sleeper.wait(timeout=5) == -15
    assert not file.exists()


def test_zombie_counts_as_gone(tmp_path):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert pids.identify(pid) is None
    with pytest.raises(EnvironmentFault, match="ended at once"):
        pids.write(tmp_path / "x.pid", pid)
    os.waitpid(pid, 0)


def test_ports_of_a_stopped_process_are_free_at_once(tmp_path):
    """Also with many threads, of which the first ends before the others."""
    script = (
        "import socket, threading, time\n"
        "s = socket.create_server(('127.0.0.1', 0))\n"
        "for _ in range(60):\n"
        "    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
        "print(s.getsockname()[1], flush=True)\n"
        "time.sleep(600)\n"
    )
    for _ in range(5):
        words = [sys.executable, "-c", script]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            port = int(child.stdout.readline())
            pids.write(tmp_path / "x.pid", child.pid)
            pids.stop(tmp_path / "x.pid", grace_seconds=5)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))


@given(
    comm=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=15),
    ticks=st.integers(0, 10**15),
)
def test_start_time_is_read_behind_any_command_name(comm, ticks):
    fields = " ".join(["S", *(["1"] * 18), str(ticks), "99", "98"])
    stat = f"42 ({comm}) {fields}"
    assert pids.parse_start_ticks(stat) == ticks
    assert pids.parse_state(stat) == "S"
