from __future__ import annotations

from pathlib import Path

import pytest

from sunk.clients import process
from sunk.clients.conversation import Conversation
from sunk.errors import CommandError, EnvironmentFault, Unreachable
from tests.support.eventually import eventually

SECONDS = 30.0


def script(path: Path, text: str, mode: int = 0o755) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_missing_program_is_a_fault_of_the_machine():
    with pytest.raises(EnvironmentFault, match="run no-such-program: no such program"):
        process.run(["no-such-program"], timeout_seconds=SECONDS)


def test_file_that_is_no_program_is_said(tmp_path):
    file = script(tmp_path / "x", "garbage")
    with pytest.raises(EnvironmentFault, match="Exec format error"):
        process.run([file], timeout_seconds=SECONDS)
    with pytest.raises(EnvironmentFault, match="Exec format error"):
        process.start([file], log=tmp_path / "log")


def test_file_that_may_not_be_run_is_said(tmp_path):
    file = script(tmp_path / "x", "#!/bin/sh\n", mode=0o644)
    with pytest.raises(EnvironmentFault, match="Permission denied"):
        process.run_logged([file], log=tmp_path / "log", timeout_seconds=SECONDS)


def test_missing_working_folder_is_not_taken_for_a_missing_program(tmp_path):
    with pytest.raises(EnvironmentFault, match="there is no such folder"):
        process.run(["true"], cwd=tmp_path / "gone", timeout_seconds=SECONDS)


@pytest.mark.parametrize("logged", [True, False])
def test_full_disk_is_the_machines_fault_and_not_the_programs(tmp_path, logged):
    file = script(tmp_path / "x", "#!/bin/sh\necho cp: x: No space left on device >&2; exit 1\n")
    with pytest.raises(EnvironmentFault) as caught:
        if logged:
            process.run_logged([file], log=tmp_path / "log", timeout_seconds=SECONDS)
        else:
            process.run([file], timeout_seconds=SECONDS)
    assert caught.value.message == f"run {file}: cp: x: No space left on device"
    assert "free some space" in (caught.value.hint or "")


def test_other_failure_names_status_and_last_words(tmp_path):
    file = script(tmp_path / "x", "#!/bin/sh\necho broken >&2; exit 7\n")
    with pytest.raises(CommandError) as caught:
        process.run([file], timeout_seconds=SECONDS)
    assert caught.value.message == f"run {file}: exit status 7: broken"


def test_program_that_does_not_end_is_killed_and_said(tmp_path):
    file = script(tmp_path / "x", "#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(CommandError, match=r"no end after 0\.2 s"):
        process.run_logged([file], log=tmp_path / "log", timeout_seconds=0.2)


def test_a_program_is_talked_to_until_it_ends():
    talk = Conversation(["sh"])
    talk.send(b"echo out; echo err >&2; exit\n")
    out, err = b"", b""
    with pytest.raises(Unreachable, match="talk to sh: it ended"):
        while True:
            heard = talk.receive(SECONDS)
            out, err = out + heard.out, err + heard.err
    assert (out, err) == (b"out\n", b"err\n")
    talk.close()
    with pytest.raises(Unreachable):
        talk.send(b"echo\n")


def test_closing_a_talk_ends_what_the_program_started():
    talk = Conversation(["sh"])
    talk.send(b"sleep 1000 & echo $!\n")
    child = int(talk.receive(SECONDS).out)
    talk.close()
    talk.close()
    eventually(lambda: state_of(child) in {"", "Z"}, 10)


def state_of(pid: int) -> str:
    """The kernel's letter for a process; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def test_a_missing_program_cannot_be_talked_to():
    with pytest.raises(EnvironmentFault, match="no such program"):
        Conversation(["no-such-program"])


def launched(tmp_path, *words):
    return process.launch(words, output=tmp_path / "out", errors=tmp_path / "err")


def test_program_beside_us_leaves_its_output_and_status(tmp_path):
    running = launched(tmp_path, "sh", "-c", "echo out; echo err >&2; exit 3")
    assert running.wait(30) == 3
    assert (running.output, running.errors, running.status) == (b"out\n", b"err\n", 3)
    running.end()
    assert running.status == 3


def test_program_beside_us_is_ended_with_what_it_started(tmp_path):
    running = launched(tmp_path, "sh", "-c", "sleep 300 & echo $!; wait")
    child = int(eventually(lambda: running.output[:-1], 30))
    running.end()
    assert running.status == -15
    eventually(lambda: not Path(f"/proc/{child}/cmdline").read_bytes(), 30)


def test_program_beside_us_that_ignores_requests_is_killed(tmp_path):
    running = launched(tmp_path, "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
    eventually(lambda: running.output, 30)
    running.end(grace_seconds=0.1)
    assert running.status == -9


def test_program_beside_us_that_does_not_exist_is_a_fault_of_the_machine(tmp_path):
    with pytest.raises(EnvironmentFault, match="no such program on this machine"):
        launched(tmp_path, "/nowhere/program")
