"""Jobs, the same over every client of Slurm."""

from __future__ import annotations

import pytest

from sunk.errors import NotFound, Rejected, Unauthorized
from sunk.model.slurm import JobId, JobState
from tests.contract.slurm_harness import NODES, Harness, quick, sleeper

NO_JOB = JobId(4_000_000)


def test_job_runs_completes_and_is_accounted(slurm: Harness) -> None:
    client = slurm.client("alice")
    job_id = client.submit(quick(nodes="2"))
    slurm.until(lambda: client.job(job_id).ended)

    job = client.job(job_id)
    assert (job.state, job.exit_code, job.exit_signal, job.user, job.account, job.name) == (
        JobState.COMPLETED,
        0,
        None,
        "alice",
        "lab",
        "quick",
    )
    assert (job.partition, job.node_count, job.restart_count) == ("main", 2, 0)
    assert job.stdout_path == f"/tmp/slurm-{job_id}.out"
    assert job.submit_time is not None
    assert job.start_time is not None
    assert job.end_time is not None
    assert job.submit_time <= job.start_time <= job.end_time
    slurm.until(lambda: client.history(job_id)[-1].state is JobState.COMPLETED)
    (run,) = client.history(job_id)
    assert (run.job_id, run.user, run.nodes, run.exit_code) == (job_id, "alice", job.nodes, 0)


def test_running_job_has_a_start_and_a_planned_end_and_no_end(slurm: Harness) -> None:
    client = slurm.client("alice")
    job_id = client.submit(sleeper(time_limit_minutes=7))
    slurm.until(lambda: client.job(job_id).state is JobState.RUNNING)

    job = client.job(job_id)
    assert job.start_time is not None
    assert job.planned_end == job.start_time + 7 * 60
    assert (job.end_time, job.exit_code, job.ended) == (None, None, False)


def test_held_job_waits_without_a_start(slurm: Harness) -> None:
    client = slurm.client("alice")
    job_id = client.submit(quick(hold=True))

    job = client.job(job_id)
    assert (job.state, job.reason, job.start_time, job.nodes) == (
        JobState.PENDING,
        "JobHeldUser",
        None,
        "",
    )


def test_jobs_are_listed_in_order_of_their_ids(slurm: Harness) -> None:
    client = slurm.client("alice")
    submitted = [client.submit(quick(hold=True)) for _ in range(3)]

    listed = [job.job_id for job in client.jobs()]
    assert listed == sorted(listed)
    assert [job_id for job_id in listed if job_id in submitted] == submitted


def test_user_without_association_is_rejected(slurm: Harness) -> None:
    with pytest.raises(Rejected, match=r"submit job quick: .*(association|account)"):
        slurm.client("stranger").submit(quick())


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"partition": "nosuch"}, id="unknown partition"),
        pytest.param({"account": "nosuch"}, id="unknown account"),
        pytest.param({"nodes": "9"}, id="more nodes than there are"),
        pytest.param({"required_nodes": ("nosuch",)}, id="unknown node"),
        pytest.param({"environment": {}}, id="no environment"),
    ],
)
def test_impossible_job_is_rejected(slurm: Harness, settings: dict[str, object]) -> None:
    with pytest.raises((Rejected, NotFound)) as caught:
        slurm.client("alice").submit(quick(**settings))

    assert caught.type is Rejected


def test_unknown_job_says_not_found(slurm: Harness) -> None:
    client = slurm.client()
    for verb in (client.job, client.history, client.cancel):
        with pytest.raises(NotFound, match=str(NO_JOB)):
            verb(NO_JOB)


def test_cancelled_job_ends_and_stays_cancelled_when_cancelled_again(slurm: Harness) -> None:
    client = slurm.client("alice")
    job_id = client.submit(sleeper())
    slurm.until(lambda: client.job(job_id).state is JobState.RUNNING)
    client.cancel(job_id)
    slurm.until(lambda: client.job(job_id).ended)
    client.cancel(job_id)

    job = client.job(job_id)
    assert (job.state, job.exit_code) == (JobState.CANCELLED, None)
    # 9 where the script was not started yet when SIGTERM came: Slurm's KillWait ends it then.
    assert job.exit_signal in {15, 9}


def test_job_of_somebody_else_cannot_be_cancelled(slurm: Harness) -> None:
    job_id = slurm.client("alice").submit(sleeper(hold=True))

    with pytest.raises(Unauthorized, match=str(job_id)):
        slurm.client("stranger").cancel(job_id)
    assert slurm.client().job(job_id).state is JobState.PENDING


def test_job_of_a_node_set_down_is_requeued_and_the_failed_run_accounted(slurm: Harness) -> None:
    client = slurm.client()
    job_id = slurm.client("alice").submit(sleeper(required_nodes=(NODES[0],)))
    slurm.until(lambda: client.job(job_id).state is JobState.RUNNING)
    client.set_down(NODES[0], "test")
    slurm.until(lambda: client.job(job_id).state is JobState.PENDING)

    job = client.job(job_id)
    assert (job.restart_count, job.nodes, job.start_time) == (1, "", None)
    slurm.until(lambda: client.history(job_id)[0].state is JobState.NODE_FAIL)
    assert client.history(job_id)[0].nodes == NODES[0]


def test_job_that_may_not_be_requeued_ends_as_node_fail(slurm: Harness) -> None:
    client = slurm.client()
    settings = {"required_nodes": (NODES[0],), "requeue": False}
    job_id = slurm.client("alice").submit(sleeper(**settings))
    slurm.until(lambda: client.job(job_id).state is JobState.RUNNING)
    client.set_down(NODES[0], "test")
    slurm.until(lambda: client.job(job_id).state is not JobState.RUNNING)

    assert client.job(job_id).state is JobState.NODE_FAIL


def test_jobs_are_listed_again_only_after_a_change(slurm: Harness) -> None:
    client = slurm.client("alice")

    def unchanged() -> bool:
        listing = client.jobs_since(0)
        assert listing is not None
        return client.jobs_since(listing.as_of + 1) is None

    slurm.until(unchanged)
    before = client.jobs_since(0)
    assert before is not None
    job_id = client.submit(quick(hold=True))

    after = client.jobs_since(before.as_of)
    assert after is not None
    assert job_id in [job.job_id for job in after.items]
