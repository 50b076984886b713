"""What a job from a template asks Slurm for, as the check before submitting takes it."""

from __future__ import annotations

from sunk.model.limits import UNLIMITED_MINUTES, JobRequest
from sunk.model.profile import ClusterProfile
from sunk.render.slurm_texts import mebibytes, minutes
from sunk.toolkit.parameters import JobParameters
from sunk.toolkit.shape import shape_of


def request_of(
    parameters: JobParameters, user: str, profile: ClusterProfile | None = None
) -> JobRequest:
    """Return what a job asks for.

    Args:
        parameters: of a template.
        user: who submits it.
        profile: of the cluster, as for the script.

    Raises:
        InputError: the cluster cannot do what the job asks for.
    """
    shape = shape_of(parameters, profile)
    memory, limit = shape.memory, minutes(parameters.time_limit)
    return JobRequest(
        user=user,
        partition=shape.partition,
        account=shape.account,
        qos=parameters.qos,
        nodes=parameters.nodes,
        tasks_per_node=parameters.tasks_per_node,
        cpus_per_task=shape.cpus_per_task,
        memory_per_node_mib=None if memory is None else mebibytes(memory),
        gpus_per_node=parameters.gpus_per_node,
        time_minutes=UNLIMITED_MINUTES if limit is None else limit,
        segment_nodes=shape.segment,
        array_last=None if shape.elements is None else shape.elements - 1,
        array_tasks=shape.elements or 1,
    )
