from __future__ import annotations

import json
import os
import socket

import pytest

from sunk.cli import app as app_module
from sunk.cli import exits


def run(*words):
    return app_module.run(["fabric", *map(str, words)])


def collect(*words):
    return run("collect", *words, "--command-seconds", "20")


@pytest.fixture
def nothing_known(tmp_path):
    """Options with which nothing of this user's own is read."""
    config = tmp_path / "config"
    config.write_text("Host gpu1\n  ProxyJump door\n")
    (tmp_path / "known_hosts").touch()
    return ("--ssh-config", config, "--known-hosts", tmp_path / "known_hosts")


def test_dry_run_prints_what_would_be_run_where_and_makes_nothing(tmp_path, nothing_known, capsys):
    words = ("gpu[1-3]", *nothing_known, "--dry-run", "--output", "json")
    assert collect(tmp_path / "out", *words) == exits.OK
    rows = json.loads(capsys.readouterr().out)
    assert {(one["where"], one["over"]) for one in rows} == {
        ("gpu1", "ssh through door"),
        ("gpu[2-3]", "ssh"),
        ("one host: one with an active InfiniBand port", "the same"),
        ("one host: one where slurmd runs, or any", "the same"),
    }
    commands = [one["command"] for one in rows if one["where"] == "gpu1"]
    assert "python3 - --root /sys < sunk_jobs/sysfs_rdma.py" in commands
    assert "ip -d -j link" in commands
    assert not (tmp_path / "out").exists()


def test_this_machine_is_collected_checked_and_packed(tmp_path, capsys):
    out, archive = tmp_path / "out", tmp_path / "out.tar.gz"
    words = ("--over", "local", "--archive", archive, "--output", "json")
    assert collect(out, *words) == exits.OK
    told = json.loads(capsys.readouterr().out)
    assert (told["counts"], told["folder"]) == ({"collected": 1}, str(out))
    assert [one["host"] for one in told["hosts"]] == [socket.gethostname()]
    for where in (out, archive):
        assert run("check", where, "--only", "evidence.hosts", "--output", "json") == exits.OK
        (found,) = json.loads(capsys.readouterr().out)["findings"]
        assert found["verdict"] == "PASS"


def test_an_unreachable_host_is_a_row_with_its_reason_and_exit_code_4(
    tmp_path, nothing_known, capsys
):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    config = tmp_path / "config"
    config.write_text(f"Host gone\n  HostName 127.0.0.1\n  Port {port}\n")
    assert collect(tmp_path / "out", "gone", *nothing_known) == exits.REMOTE_SYSTEM
    out, err = capsys.readouterr()
    assert out.splitlines()[1].split()[:4] == ["gone", "unreachable", "connection", "refused"]
    assert "1 host: 1 unreachable; 0 texts in" in err


def test_a_folder_that_is_there_is_a_usage_error_with_a_way_on(tmp_path, capsys):
    assert collect(tmp_path, "--over", "local") == exits.USAGE
    assert "go on with it: --resume" in capsys.readouterr().err


def test_a_whole_folder_has_nothing_to_go_on_with(tmp_path, capsys):
    assert collect(tmp_path / "out", "--over", "local") == exits.OK
    before = {one.name: one.stat().st_mtime_ns for one in (tmp_path / "out" / "raw").iterdir()}
    capsys.readouterr()
    words = ("--over", "local", "--resume", "--output", "json")
    assert collect(tmp_path / "out", *words) == exits.OK
    after = {one.name: one.stat().st_mtime_ns for one in (tmp_path / "out" / "raw").iterdir()}
    # The record and, as there is no fabric to have been asked about, nothing else is new.
    assert len(before.items() - after.items()) == len(after.items() - before.items()) == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--over", "ssh"), exits.USAGE, "none is named"),
        (("a;b",), exits.USAGE, "a;b"),
        (("elsewhere", "--over", "local"), exits.CONFIGURATION, "ask elsewhere"),
        (("--over", "kubernetes"), exits.USAGE, "give --kubeconfig FILE"),
        (("--hosts-file", "/nowhere"), exits.USAGE, "read /nowhere"),
        (("a", "--ssh-config", "/nowhere"), exits.CONFIGURATION, "there is no such file"),
        (("a", "--archive", os.devnull), exits.USAGE, "it exists"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_made(
    tmp_path, capsys, words, code, message
):
    assert collect(tmp_path / "out", *words) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
