"""A shell in a container, over the official client's websocket and a real shell at its end."""

from __future__ import annotations

import pytest

from sunk.clients.kube.api import KubeApi
from sunk.errors import RemoteError, Unreachable
from sunk_fabric.collect.conversation import Conversation, Limits
from sunk_fabric.collect.questions import Question
from tests.support.exec_server import exec_server

LIMIT = 200_000


@pytest.fixture
def kube(tmp_path):
    with exec_server(tmp_path) as kubeconfig:
        made = KubeApi(kubeconfig)
        yield made
        made.close()


@pytest.fixture
def talk(kube):
    made = Conversation(
        "pod",
        lambda: kube.shell("w-0", "slurm", ("/bin/sh",), within_seconds=20),
        Limits(start_seconds=20, output_bytes=LIMIT),
    )
    yield made
    made.close()


def question(lines: str, seconds: float = 20.0) -> Question:
    return Question(name="x", argv=("sh", "-c", lines), within_seconds=seconds)


def test_commands_are_answered_on_their_own_streams(talk):
    taken = talk.ask(question("printf 'a\\377\\000b'; echo err >&2; exit 7"))
    assert (taken.output, taken.errors, taken.exit_code) == (b"a\xff\x00b", b"err\n", 7)
    assert talk.ask(question("echo on")).output == b"on\n"


def test_a_large_answer_comes_whole_and_a_larger_one_is_cut(talk):
    assert talk.ask(question("head -c 150000 /dev/zero")).output == bytes(150_000)
    taken = talk.ask(question("cat /dev/zero"))
    assert (len(taken.output), taken.incomplete) == (LIMIT, f"cut at {LIMIT} bytes")


def test_a_command_that_does_not_end_is_left_behind(talk):
    taken = talk.ask(question("sleep 100", seconds=0.2))
    assert taken.incomplete == "no end after 0.2 s"
    assert talk.ask(question("echo on")).output == b"on\n"


def test_a_shell_that_ended_says_so(kube):
    shell = kube.shell("w-0", "slurm", ("/bin/sh",))
    shell.send(b"echo last; exit\n")
    said = b""
    with pytest.raises(Unreachable, match="Pod slurm/w-0"):
        while True:
            said += shell.receive(20).out
    assert said == b"last\n"
    shell.close()
    shell.close()
    with pytest.raises(Unreachable):
        shell.send(b"echo\n")


def test_a_refused_exec_is_the_api_servers_answer(tmp_path):
    with exec_server(tmp_path, refuses=True) as kubeconfig:
        kube = KubeApi(kubeconfig)
        with pytest.raises(RemoteError, match="run /bin/sh in Pod slurm/w-0"):
            kube.shell("w-0", "slurm", ("/bin/sh",))
        kube.close()
