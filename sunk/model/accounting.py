"""What accounting keeps of jobs' allocations."""

from __future__ import annotations

from dataclasses import dataclass

from sunk.model.slurm import JobId


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """One run of a job: a requeue begins a new one.

    Attributes:
        job_id: its number.
        state: how it ended in Slurm's own words, as ``PREEMPTED`` or ``CANCELLED by 1001``.
        submit_time: when it was submitted or requeued, in s since the epoch; None when not known.
        start_time: when its nodes were given; None before.
        end_time: when they were taken back; None before.
        nodes: how many; 0 before.
        billing: what it is billed for in a second, in TRESBillingWeights' units; 0 before.
    """

    job_id: JobId
    state: str
    submit_time: int | None = None
    start_time: int | None = None
    end_time: int | None = None
    nodes: int = 0
    billing: int = 0
