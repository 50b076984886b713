"""The helper processes: dead or useless ones are noticed at once, with the end of their log."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from sunk.errors import EnvironmentFault, Unreachable
from sunk.local import daemons, helpers, pids, volumes
from sunk.local.diary import Diary
from sunk.local.layout import Layout
from sunk.model.kube import PERSISTENT_VOLUME_CLAIM
from tests.support.eventually import eventually


@pytest.fixture
def layout(tmp_path):
    layout = Layout(name="x", state_folder=tmp_path)
    layout.run.mkdir(parents=True)
    yield layout
    daemons.end_all(layout)
    for child in _children():
        os.waitpid(child, 0)


def _children() -> list[int]:
    text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return [pid for pid in map(int, text.split()) if pids.identify(pid) is None]


def program(text: str) -> list[str]:
    return [sys.executable, "-c", text]


SLEEP = program("import time; time.sleep(600)")


def replace_helper(monkeypatch, words: list[str]) -> None:
    """Let the helpers be this program, whatever they are started with."""
    real = daemons.start
    monkeypatch.setattr(daemons, "start", lambda layout, name, _words: real(layout, name, words))


def test_forwarder_that_dies_is_an_error_with_its_last_words(layout, monkeypatch):
    replace_helper(monkeypatch, program("import sys; sys.exit('listen on 127.0.0.1:1: taken')"))
    began = time.monotonic()
    with pytest.raises(EnvironmentFault, match=r"forward of cluster x: it ended: listen on"):
        helpers.start_forward(layout, node_count=1, api_port=1, ssh_port=2)
    assert time.monotonic() - began < 10


def test_forwarder_that_never_listens_is_stopped_and_said(layout, monkeypatch):
    monkeypatch.setattr(helpers, "WORKING_SECONDS", 1.0)
    text = "import time; print('stuck here', flush=True); time.sleep(600)"
    replace_helper(monkeypatch, program(text))
    with pytest.raises(EnvironmentFault, match=r"does not listen after 1 s: stuck here"):
        helpers.start_forward(layout, node_count=1, api_port=1, ssh_port=2)
    assert not daemons.is_running(layout, "forward")


def test_forwarder_is_blamed_only_when_the_server_is_ready_behind_it(layout):
    daemons.start(layout, "forward", SLEEP)
    helpers.check_forward(layout, inside=lambda: False, outside=lambda: False)
    helpers.check_forward(layout, inside=lambda: True, outside=lambda: True)
    with pytest.raises(EnvironmentFault, match="ready, but not through its port"):
        helpers.check_forward(layout, inside=lambda: True, outside=lambda: False)
    assert not daemons.is_running(layout, "forward")


def test_provisioner_that_works_is_waited_for(layout, monkeypatch):
    sign = layout.run / "volumes.works"
    text = f"import time, pathlib; pathlib.Path({str(sign)!r}).touch(); time.sleep(600)"
    replace_helper(monkeypatch, program(text))
    helpers.wait_for_volumes(layout, started=helpers.start_volumes(layout))
    assert daemons.is_running(layout, "volumes")


def test_sign_of_an_earlier_run_does_not_count(layout, monkeypatch):
    monkeypatch.setattr(helpers, "WORKING_SECONDS", 1.0)
    (layout.run / "volumes.works").touch()
    replace_helper(monkeypatch, program("import time; print('no API', flush=True); time.sleep(9)"))
    started = helpers.start_volumes(layout)
    with pytest.raises(EnvironmentFault, match="does not work after 1 s: no API"):
        helpers.wait_for_volumes(layout, started=started)
    assert not daemons.is_running(layout, "volumes")


def test_provisioner_that_ran_before_and_hangs_is_started_anew(layout, monkeypatch):
    monkeypatch.setattr(helpers, "RUNNING_SECONDS", 0.3)
    daemons.start(layout, "volumes", SLEEP)
    before = pids.read(layout.pid_file("volumes"))
    sign = layout.run / "volumes.works"
    text = f"import time, pathlib; pathlib.Path({str(sign)!r}).touch(); time.sleep(600)"
    replace_helper(monkeypatch, program(text))
    started = helpers.start_volumes(layout)
    assert started is False
    helpers.wait_for_volumes(layout, started=started)
    assert pids.read(layout.pid_file("volumes")) not in {None, before}


def test_process_whose_pid_file_was_never_written_is_found_and_ended(layout):
    daemons.start(layout, "etcd", SLEEP)
    daemons.start(layout, "lost", SLEEP)
    (layout.run / "lost.pid").unlink()
    # The kernel shows a new program's environment a moment after it has replaced the old one.
    eventually(lambda: len(daemons.marked(layout.home)) == 2, 10)
    assert daemons.end_strays(layout) == 1
    assert daemons.is_running(layout, "etcd")
    assert daemons.end_all(layout) == 1
    assert not daemons.is_running(layout, "etcd")


def test_another_clusters_process_is_never_ended(layout, tmp_path):
    other = Layout(name="xx", state_folder=tmp_path)
    daemons.start(other, "etcd", SLEEP)
    try:
        assert daemons.end_all(layout) == 0
        assert daemons.is_running(other, "etcd")
    finally:
        daemons.end_all(other)


def test_child_of_a_recorded_process_is_no_stray():
    def one(pid: int, parent: int) -> daemons.Marked:
        return daemons.Marked(
            identity=pids.Identity(pid=pid, start_ticks=1, boot_id="b"), parent=parent
        )

    found = (one(10, 1), one(11, 10), one(20, 1), one(21, 20))
    strays = daemons.roots_without_record(found, {10})
    assert [identity.pid for identity in strays] == [20]


def test_daemon_that_ends_at_once_says_why(layout):
    daemons.start(layout, "etcd", program("print('data-dir is locked'); raise SystemExit(1)"))
    eventually(lambda: not daemons.is_running(layout, "etcd"), 10)
    with pytest.raises(EnvironmentFault, match="etcd of cluster x: it ended: data-dir is locked"):
        daemons.require_running(layout, "etcd")


def test_last_words_are_the_end_of_a_long_log(layout):
    layout.logs.mkdir()
    layout.log("etcd").write_text("early " * 900 + "\n" + "noise " * 90 + "the cause\n")
    said = daemons.last_words(layout, "etcd")
    assert said.startswith("…")
    assert said.endswith("the cause")
    assert len(said) == 256


def test_stopped_daemon_counts_as_running_and_can_be_ended(layout):
    daemons.start(layout, "etcd", SLEEP)
    identity = pids.read(layout.pid_file("etcd"))
    assert identity is not None
    os.kill(identity.pid, signal.SIGSTOP)
    assert daemons.is_running(layout, "etcd")
    assert pids.stop(layout.pid_file("etcd"), grace_seconds=0.1) is True


class Refusing:
    """A Kubernetes whose lists fail as told."""

    def __init__(self, errors):
        self.errors = list(errors)

    def list(self, kind):
        error = self.errors[0]
        if kind is PERSISTENT_VOLUME_CLAIM and error is not None:
            raise error
        return ()


def test_provisioner_writes_each_trouble_once_and_that_it_works_again(tmp_path):
    log, rounds = io.StringIO(), []
    diary = Diary(log)
    refused = Unreachable("list claims: connection refused", system="kube-apiserver")
    full = OSError(28, "No space left on device")
    for error in (refused, refused, full, None, None):
        volumes.serve_once(Refusing([error]), tmp_path, diary, lambda: rounds.append(1))
    said = [line.partition(" ")[2] for line in log.getvalue().splitlines()]
    assert said == [
        "provide volumes: list claims: connection refused",
        "provide volumes: [Errno 28] No space left on device",
        "provide volumes: works again",
    ]
    assert len(rounds) == 2
