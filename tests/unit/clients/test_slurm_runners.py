from __future__ import annotations

import subprocess
import sys

import pytest

from sunk.clients.kube.protocol import Executed
from sunk.clients.slurm.runners import INPUT_BYTES_MAX, PodRunner, ProcessRunner
from sunk.errors import EnvironmentFault, InputError, Unreachable


class OnePod:
    """The one verb of Kubernetes that the runner needs."""

    def __init__(self) -> None:
        self.asked: list[tuple] = []

    def execute(self, pod, namespace, argv, *, container=None, within_seconds=30.0):
        self.asked.append((pod, namespace, list(argv), container, within_seconds))
        return Executed(status=0, stdout="out", stderr="")


def test_program_on_this_machine_gets_its_input_and_any_status_is_an_answer():
    done = ProcessRunner()(
        (sys.executable, "-c", "import sys; print(sys.stdin.read()); sys.exit(3)"),
        timeout_seconds=30,
        input_text="text",
    )
    assert done == Executed(status=3, stdout="text\n", stderr="")


def test_program_that_does_not_end_is_unreachable():
    with pytest.raises(Unreachable, match=r"no end after 0\.1 s"):
        ProcessRunner()(("sleep", "60"), timeout_seconds=0.1)


def test_program_that_is_not_there_is_a_fault_of_the_machine():
    with pytest.raises(EnvironmentFault, match="nosuch-program"):
        ProcessRunner()(("nosuch-program",), timeout_seconds=5)


def test_program_in_a_pod_is_started_in_its_container_as_it_is():
    kube = OnePod()
    run = PodRunner(kube, namespace="slurm", pod="login-0", container="sackd")
    assert run(("squeue", "-h"), timeout_seconds=7).stdout == "out"
    assert kube.asked == [("login-0", "slurm", ["squeue", "-h"], "sackd", 7)]


def test_input_of_a_program_in_a_pod_arrives_to_the_letter_through_its_arguments():
    kube = OnePod()
    text = "#!/bin/sh\necho \"$HOME\" 'ü' \\\n"
    echo = (sys.executable, "-c", "import sys; sys.stdout.write(sys.stdin.read()); sys.exit(4)")
    PodRunner(kube, namespace="slurm", pod="login-0")(echo, timeout_seconds=7, input_text=text)
    words = [sys.executable, *kube.asked[0][2][1:]]
    done = subprocess.run(words, capture_output=True, check=False)
    assert (done.stdout.decode(), done.returncode) == (text, 4)


def test_input_too_long_for_an_argument_is_refused():
    kube = OnePod()
    run = PodRunner(kube, namespace="slurm", pod="login-0")
    with pytest.raises(InputError, match=str(INPUT_BYTES_MAX)):
        run(("sbatch",), timeout_seconds=7, input_text="x" * (INPUT_BYTES_MAX + 1))
    assert kube.asked == []
