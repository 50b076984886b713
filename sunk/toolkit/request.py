"""What a job from a template asks Slurm for, as the check before submitting takes it."""

from __future__ import annotations

from sunk.model.limits import UNLIMITED_MINUTES, JobRequest
from sunk.render.slurm_texts import mebibytes, minutes
from sunk.toolkit.parameters import JobParameters


def request_of(parameters: JobParameters, user: str) -> JobRequest:
    """Return what a job asks for.

    Args:
        parameters: of a template.
        user: who submits it.
    """
    memory, limit = parameters.memory_per_node, minutes(parameters.time_limit)
    return JobRequest(
        user=user,
        partition=parameters.partition,
        account=parameters.account,
        qos=parameters.qos,
        nodes=parameters.nodes,
        tasks_per_node=parameters.tasks_per_node,
        cpus_per_task=parameters.cpus_per_task,
        memory_per_node_mib=None if memory is None else mebibytes(memory),
        gpus_per_node=parameters.gpus_per_node,
        time_minutes=UNLIMITED_MINUTES if limit is None else limit,
    )
