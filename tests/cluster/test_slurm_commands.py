"""Slurm's own commands, run in the login node's sackd container through the API server."""

from __future__ import annotations

import pytest

from sunk.clients.slurm.cli import CliSlurm
from sunk.model.slurm import JobState
from sunk.settings import SlurmClientKind
from sunk.wiring import clients
from tests.support.cluster import RunningSite
from tests.support.eventually import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


@pytest.fixture
def commands(site: RunningSite) -> CliSlurm:
    made = clients.connect_slurm(site.kube, site.namespace, site.site.keys, SlurmClientKind.CLI)
    assert isinstance(made, CliSlurm)
    return made


def test_commands_in_the_login_pod_list_what_rest_lists(site: RunningSite, commands: CliSlurm):
    assert [node.name for node in commands.nodes()] == [node.name for node in site.slurm.nodes()]
    assert commands.users() == site.slurm.users()
    job_id = site.submit("true", "--hold")
    try:
        assert commands.job(job_id) == site.slurm.job(job_id)
        assert job_id in [job.job_id for job in commands.jobs()]
    finally:
        commands.cancel(job_id)


def test_job_that_runs_is_requeued_through_the_login_pod(site: RunningSite, commands: CliSlurm):
    job_id = site.submit("sleep 300")
    try:
        eventually(lambda: commands.job(job_id).state is JobState.RUNNING, 60)
        commands.requeue(job_id)
        eventually(lambda: commands.job(job_id).state is JobState.PENDING, 60)
        assert commands.job(job_id).restart_count == 1
    finally:
        commands.cancel(job_id)
