"""The probe job on a real Slurm: what it finds, and that nothing of it is left in the queue."""

from __future__ import annotations

import pytest

from sunk.clients.slurm.commands import SlurmCommands
from sunk.errors import JobEnded
from sunk.render.profile_detect import SlurmSays, detect
from sunk.render.profile_probe import remarks, with_facts
from sunk.toolkit.node_probe import probe
from tests.contract.slurm_harness import CliHarness
from tests.real.test_executor import Outside
from tests.support.eventually import eventually
from tests.support.slurm_namespace import ALICE, SlurmNamespace

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

ROOT = "/tmp/runs"


@pytest.fixture(scope="module")
def slurm(slurm_namespace: SlurmNamespace) -> SlurmNamespace:
    CliHarness(slurm_namespace).tidy()
    slurm_namespace.run("mkdir", "-p", ROOT)
    slurm_namespace.run("chown", ALICE.name, ROOT)
    return slurm_namespace


def queue(slurm: SlurmNamespace) -> str:
    return slurm.output("squeue", "--noheader", "--name=sunk-profile-probe")


def test_one_job_says_what_a_node_has_and_is_gone(slurm):
    commands = SlurmCommands(Outside(slurm, ROOT))
    said: list[str] = []
    facts = probe(commands, slurm.path(ROOT), "main", 120, said.append)
    assert (facts["node"][0], facts["fabric"], facts["containers"]) == ("w", "tcp", [])
    assert list(slurm.path(ROOT).glob("profile-probe-*")) == []
    eventually(lambda: queue(slurm) == "", 30, what="an empty queue")
    texts = SlurmSays(
        configuration=slurm.output("scontrol", "show", "config"),
        partitions=slurm.output("scontrol", "--oneliner", "show", "partition"),
        nodes=slurm.output("scontrol", "--oneliner", "show", "node"),
    )
    found = with_facts(detect(texts), facts)
    assert (found.fabric.kind, found.containers, found.knows("containers")) == (
        "tcp",
        (),
        True,
    )
    assert next(remarks(texts, facts)).endswith("taken for all nodes")


@pytest.mark.nightly
def test_probe_that_cannot_run_is_dropped_by_slurm_itself(slurm):
    """Nobody cancels it: that is the case of a command that was killed."""
    slurm.run("scontrol", "update", "PartitionName=all", "State=DOWN")
    commands = SlurmCommands(Outside(slurm, ROOT))
    commands.cancel = pytest.fail
    try:
        with pytest.raises(JobEnded, match="ended as DEADLINE without a result"):
            probe(commands, slurm.path(ROOT), "all", 75, lambda _line: None)
    finally:
        slurm.run("scontrol", "update", "PartitionName=all", "State=UP")
    eventually(lambda: queue(slurm) == "", 60, what="an empty queue")
