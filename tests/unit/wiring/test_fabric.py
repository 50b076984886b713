"""How our programs get to the hosts of an active test, and where the hosts are."""

from __future__ import annotations

import subprocess

import pytest

from sunk.wiring import fabric as wiring


@pytest.mark.parametrize("name", ["runs", "my $(reboot) 'runs'"])
def test_python_of_a_test_has_our_programs_and_is_gone_after_it(tmp_path, name):
    shared = tmp_path / name
    with wiring._python(shared, "python3") as python:
        words = [python, "-c", "import sunk_jobs.pair, sys; print(sunk_jobs.pair.__file__)"]
        done = subprocess.run(words, capture_output=True, text=True, check=True, cwd="/")
        assert done.stdout.startswith(str(shared))
    assert list(shared.iterdir()) == []


def test_python_of_hosts_that_have_our_programs_is_taken_as_it_is():
    with wiring._python(None, "/opt/python3") as python:
        assert python == "/opt/python3"


def test_address_of_a_node_is_that_by_which_slurm_reaches_it():
    """The text is a recording of a local cluster, shortened."""
    text = (
        "NodeName=w-1 Arch=x86_64 NodeAddr=10.245.2.6 NodeHostName=w-1 State=IDLE+DYNAMIC_NORM \n"
        "NodeName=w-0 NodeAddr=10.245.1.5 NodeHostName=w-0 OS=Linux 6.18 #1 SMP State=IDLE \n"
        "NodeName=w-2 State=UNKNOWN \n"
    )
    assert wiring.addresses_in(text) == {("w-1", ""): "10.245.2.6", ("w-0", ""): "10.245.1.5"}
