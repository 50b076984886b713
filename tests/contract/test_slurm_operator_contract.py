"""What an operator does, the same over the clients that can."""

from __future__ import annotations

import pytest

from sunk.clients.slurm.protocol import SlurmOperator
from sunk.errors import NotFound, Rejected, Unauthorized
from sunk.model.slurm import JobId, JobState
from tests.contract.slurm_harness import Harness, sleeper

pytestmark = pytest.mark.parametrize(
    "slurm", ["memory", pytest.param("cli", marks=pytest.mark.real)], indirect=True
)


def operator(slurm: Harness, user: str = "root") -> SlurmOperator:
    return slurm.client(user)


def a_running_job(slurm: Harness, **settings: object) -> JobId:
    job_id = slurm.client("alice").submit(sleeper(**settings))
    slurm.until(lambda: slurm.client().job(job_id).state is JobState.RUNNING)
    return job_id


def is_waiting(slurm: Harness, job_id: JobId) -> bool:
    # Slurm names the old nodes until their processes are gone.
    job = slurm.client().job(job_id)
    return job.state is JobState.PENDING and not job.nodes


def test_requeued_job_waits_and_runs_again(slurm: Harness) -> None:
    job_id = a_running_job(slurm)
    operator(slurm).requeue(job_id)
    slurm.until(lambda: is_waiting(slurm, job_id))

    job = slurm.client().job(job_id)
    assert (job.restart_count, job.start_time, job.exit_code) == (1, None, None)
    slurm.until(lambda: slurm.client().job(job_id).state is JobState.RUNNING, 60)


def test_waiting_job_is_not_requeued(slurm: Harness) -> None:
    job_id = slurm.client("alice").submit(sleeper(hold=True))
    with pytest.raises(Rejected, match=f"requeue job {job_id}"):
        operator(slurm).requeue(job_id)


def test_job_that_may_not_be_requeued_is_left_running(slurm: Harness) -> None:
    job_id = a_running_job(slurm, requeue=False)
    with pytest.raises(Rejected, match=f"requeue job {job_id}"):
        operator(slurm).requeue(job_id)

    assert slurm.client().job(job_id).state is JobState.RUNNING


def test_unknown_job_is_not_requeued(slurm: Harness) -> None:
    with pytest.raises(NotFound, match="4000000"):
        operator(slurm).requeue(JobId(4_000_000))


def test_job_of_somebody_else_is_not_requeued(slurm: Harness) -> None:
    job_id = a_running_job(slurm)
    with pytest.raises(Unauthorized, match=str(job_id)):
        operator(slurm, "stranger").requeue(job_id)


def test_reconfigured_slurm_keeps_its_nodes_and_jobs(slurm: Harness) -> None:
    job_id = a_running_job(slurm)
    before = [node.name for node in slurm.client().nodes()]
    operator(slurm).reconfigure()

    assert [node.name for node in slurm.client().nodes()] == before
    assert slurm.client().job(job_id).state is JobState.RUNNING


def test_a_person_may_not_reconfigure(slurm: Harness) -> None:
    with pytest.raises(Unauthorized, match="reconfigure"):
        operator(slurm, "alice").reconfigure()
