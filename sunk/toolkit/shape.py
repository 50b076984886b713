"""What a job asks of one cluster: parameters and the cluster's profile, put together; pure.

Whatever a template would have to know of the cluster is decided here: partition and account where
the job names none, CPUs of whole nodes, `--switches` or `--segment`, hardware threads, container
runtime. Without a profile nothing is assumed, and the script asks for what the parameters say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sunk.errors import InputError
from sunk.model.profile import (
    ClusterProfile,
    ContainerRuntime,
    NodeKind,
    ProfilePartition,
    TopologyPlugin,
)
from sunk.render.slurm_texts import minutes
from sunk.toolkit.parameters import (
    JobParameters,
    PlacedParameters,
    SavingParameters,
)
from sunk.toolkit.parameters.breach import Breach, refuse
from sunk.toolkit.parameters.many import ArraySweepParameters
from sunk.toolkit.parameters.training import MegatronParameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a job asks for, settled.

    Attributes:
        partition: ``--partition``.
        account: ``--account``.
        cpus_per_task: ``--cpus-per-task``.
        memory: ``--mem``.
        one_thread: ``--hint=nomultithread``.
        switches: ``--switches``, without its wait.
        segment: ``--segment``.
        close_nodes: nodes of a group whose ranks are kept together in the order.
        container: what starts the container; None without one.
        modules: for `module load`.
        elements: how many elements the array has; None outside arrays.
    """

    partition: str | None = None
    account: str | None = None
    cpus_per_task: int = 1
    memory: str | None = None
    one_thread: bool = False
    switches: int | None = None
    segment: int | None = None
    close_nodes: int | None = None
    container: ContainerRuntime | None = None
    modules: tuple[str, ...] = ()
    elements: int | None = None


def shape_of(parameters: JobParameters, profile: ClusterProfile | None = None) -> Shape:
    """Return what a job asks for.

    Args:
        parameters: of a template.
        profile: of the cluster that it is for; None: nothing is known.

    Raises:
        InputError: the cluster cannot do what the job asks for; names each parameter, its value,
            the limit, where that comes from, and the nearest value that would do.
    """
    partition = _partition(parameters, profile)
    kind = _kind(parameters, partition)
    refuse(
        _breaches(parameters, profile, partition),
        f"render job {parameters.name}" + (f" for cluster {profile.cluster}" if profile else ""),
    )
    one_thread = (
        kind is not None and kind.threads_per_core > 1 and isinstance(parameters, PlacedParameters)
    )
    topology = _topology(profile)
    close = _close_nodes(parameters)
    return Shape(
        partition=_named(profile, partition)
        if parameters.partition is None
        else parameters.partition,
        account=_account(partition) if parameters.account is None else parameters.account,
        cpus_per_task=_cpus(parameters, kind, one_thread=one_thread),
        memory=parameters.memory_per_node or ("0" if parameters.exclusive else None),
        one_thread=one_thread,
        switches=_switches(parameters, profile) if topology is TopologyPlugin.TREE else None,
        segment=close if topology is TopologyPlugin.BLOCK else None,
        close_nodes=close,
        container=_container(parameters, profile),
        modules=() if profile is None else profile.modules,
        elements=parameters.array_size,
    )


def refuse_other_cluster(profile: ClusterProfile, cluster: str) -> None:
    """Refuse a profile of another cluster than the one at hand.

    Args:
        profile: what the job was made for.
        cluster: ClusterName of the Slurm that is to run it.

    Raises:
        InputError: they are two.
    """
    if profile.cluster != cluster:
        raise InputError(
            f"submit to cluster {cluster}: the profile is of cluster {profile.cluster}",
            hint="for this one's: sunk profile detect",
        )


def _topology(profile: ClusterProfile | None) -> TopologyPlugin | None:
    known = profile is not None and profile.knows("slurm.topology")
    return profile.slurm.topology if profile is not None and known else None


def _partition(
    parameters: JobParameters, profile: ClusterProfile | None
) -> ProfilePartition | None:
    """Return the job's partition as the profile has it: the named one, or the one that fits."""
    if profile is None:
        return None
    if parameters.partition is not None:
        return next((one for one in profile.partitions if one.name == parameters.partition), None)
    default = next((one for one in profile.partitions if one.default), None)
    if default is not None and _fits(parameters, default):
        return default
    fitting = [one for one in profile.partitions if _fits(parameters, one)]
    return fitting[0] if len(fitting) == 1 else default


def _fits(parameters: JobParameters, partition: ProfilePartition) -> bool:
    return any(kind.gpus >= parameters.gpus_per_node for kind in partition.nodes)


def _named(profile: ClusterProfile | None, partition: ProfilePartition | None) -> str | None:
    """Return the partition to name; the cluster's default needs no name."""
    if profile is None or partition is None or partition.default:
        return None
    return partition.name


def _account(partition: ProfilePartition | None) -> str | None:
    if partition is None or len(partition.accounts) != 1:
        return None
    return partition.accounts[0]


def _kind(parameters: JobParameters, partition: ProfilePartition | None) -> NodeKind | None:
    if partition is None:
        return None
    fitting = (kind for kind in partition.nodes if kind.gpus >= parameters.gpus_per_node)
    return next(fitting, None)


def _cpus(parameters: JobParameters, kind: NodeKind | None, *, one_thread: bool) -> int:
    if parameters.cpus_per_task is not None:
        return parameters.cpus_per_task
    if kind is None or not parameters.exclusive:
        return parameters.ranks_per_node
    usable = kind.cpus // (kind.threads_per_core if one_thread else 1)
    return max(1, usable // parameters.tasks_per_node)


def _switches(parameters: JobParameters, profile: ClusterProfile | None) -> int | None:
    """Return how many leaves the nodes need; a job on one node needs no wish."""
    if not isinstance(parameters, PlacedParameters) or profile is None or parameters.nodes == 1:
        return None
    leaf = profile.fabric.leaf_nodes
    return parameters.switches or (1 if leaf is None else -(-parameters.nodes // leaf))


def _close_nodes(parameters: JobParameters) -> int | None:
    if not isinstance(parameters, PlacedParameters):
        return None
    if parameters.segment is None and isinstance(parameters, MegatronParameters):
        wanted = -(-parameters.close_ranks // parameters.ranks_per_node)
        return wanted if wanted > 1 and parameters.nodes % wanted == 0 else None
    return parameters.segment


def _container(
    parameters: JobParameters, profile: ClusterProfile | None
) -> ContainerRuntime | None:
    if not isinstance(parameters, PlacedParameters) or parameters.container_image is None:
        return None
    if parameters.container_runtime is not None:
        return ContainerRuntime(parameters.container_runtime)
    assert profile is not None  # _container_breach has refused the rest
    return profile.containers[0]


def _breaches(
    parameters: JobParameters, profile: ClusterProfile | None, partition: ProfilePartition | None
) -> Iterator[Breach]:
    yield from _container_breach(parameters, profile)
    if profile is None:
        return
    source = f"profile of {profile.cluster}"
    if parameters.partition is not None and partition is None:
        names = sorted(one.name for one in profile.partitions)
        yield Breach(
            field="partition",
            value=parameters.partition,
            limit="there is none of that name",
            source=source,
            nearest=" or ".join(names) or "none",
        )
    if partition is not None:
        yield from _partition_breaches(parameters, partition, source)
    yield from _placement_breaches(parameters, profile, source)
    if isinstance(parameters, ArraySweepParameters):
        most = profile.slurm.max_array_size
        if most is not None and len(parameters.elements) > most:
            yield Breach(
                field="settings" if parameters.settings else "grid",
                value=len(parameters.elements),
                limit=f"at most {most} elements",
                source=f"{source}: maxArraySize",
                nearest=most,
            )


def _partition_breaches(
    parameters: JobParameters, partition: ProfilePartition, source: str
) -> Iterator[Breach]:
    source = f"{source}: partition {partition.name}"
    limit = minutes(parameters.time_limit)
    longest = partition.max_time_minutes
    if longest is not None and (limit is None or limit > longest):
        yield Breach(
            field="timeLimit",
            value=parameters.time_limit,
            limit=f"at most {longest} minutes",
            source=source,
            nearest=longest,
        )
    most = partition.max_nodes
    if most is not None and parameters.nodes > most:
        yield Breach(
            field="nodes",
            value=parameters.nodes,
            limit=f"at most {most}",
            source=source,
            nearest=most,
        )
    if partition.nodes and not _fits(parameters, partition):
        gpus = max(kind.gpus for kind in partition.nodes)
        yield Breach(
            field="gpusPerNode",
            value=parameters.gpus_per_node,
            limit=f"at most {gpus}",
            source=source,
            nearest=gpus,
        )
    yield from _cpu_breach(parameters, partition, source)
    if isinstance(parameters, SavingParameters) and partition.grace_seconds:
        yield from _grace_breach(parameters, partition.grace_seconds, source)


def _cpu_breach(
    parameters: JobParameters, partition: ProfilePartition, source: str
) -> Iterator[Breach]:
    if parameters.cpus_per_task is None or not partition.nodes:
        return
    most = max(kind.cpus for kind in partition.nodes)
    if parameters.tasks_per_node * parameters.cpus_per_task > most:
        yield Breach(
            field="cpusPerTask",
            value=parameters.cpus_per_task,
            limit=f"{parameters.tasks_per_node} tasks have {most} CPUs of a node",
            source=source,
            nearest=most // parameters.tasks_per_node or f"tasksPerNode: {most}",
        )


def _grace_breach(parameters: SavingParameters, grace: int, source: str) -> Iterator[Breach]:
    needed = parameters.step_seconds + -(-parameters.save_seconds * 3 // 2)
    if parameters.requeue and needed > grace:
        yield Breach(
            field="saveSeconds",
            value=parameters.save_seconds,
            limit=f"a step and 1.5 saves within the {grace} s that preemption leaves",
            source=f"{source}: graceSeconds",
            nearest=max(1, (grace - parameters.step_seconds) * 2 // 3),
        )


def _placement_breaches(
    parameters: JobParameters, profile: ClusterProfile, source: str
) -> Iterator[Breach]:
    if not isinstance(parameters, PlacedParameters):
        return
    topology = _topology(profile)
    if parameters.switches is not None and topology not in {None, TopologyPlugin.TREE}:
        yield Breach(
            field="switches",
            value=parameters.switches,
            limit="--switches is for trees",
            source=f"{source}: topology {topology}",
            nearest="segment" if topology is TopologyPlugin.BLOCK else "leave it out",
        )
    wait, most = minutes(parameters.switch_wait), profile.slurm.max_switch_wait_seconds
    if most is not None and parameters.nodes > 1 and (wait is None or wait * 60 > most):
        yield Breach(
            field="switchWait",
            value=parameters.switch_wait,
            limit=f"at most {most} s",
            source=f"{source}: maxSwitchWaitSeconds",
            nearest=f"{most // 60:02d}:{most % 60:02d}",
        )
    if isinstance(parameters, MegatronParameters):
        yield from _domain_breach(parameters, profile, source)


def _domain_breach(
    parameters: MegatronParameters, profile: ClusterProfile, source: str
) -> Iterator[Breach]:
    domain = profile.fabric.nvlink_domain_gpus
    inside = parameters.tensor_parallel * parameters.context_parallel
    if domain is not None and parameters.gpus_per_node and domain % inside:
        fits = [one for one in range(1, domain + 1) if domain % one == 0]
        near = [one for one in fits if one * parameters.context_parallel <= domain]
        yield Breach(
            field="tensorParallel",
            value=parameters.tensor_parallel,
            limit=f"TP·CP = {inside} has to divide the {domain} GPUs of an NVLink domain",
            source=f"{source}: nvlinkDomainGpus",
            nearest=min(near or [1], key=lambda one: (abs(one - parameters.tensor_parallel), one)),
        )


def _container_breach(
    parameters: JobParameters, profile: ClusterProfile | None
) -> Iterator[Breach]:
    if not isinstance(parameters, PlacedParameters) or parameters.container_image is None:
        return
    wanted = parameters.container_runtime
    known = profile is not None and profile.knows("containers")
    there = [str(one) for one in profile.containers] if profile is not None else []
    if wanted is None and not there:
        yield Breach(
            field="containerImage",
            value=parameters.container_image,
            limit="nothing is known to start containers",
            source=f"profile of {profile.cluster}: containers" if profile else "no profile",
            nearest="containerRuntime, or --profile",
        )
    elif wanted is not None and known and wanted not in there:
        yield Breach(
            field="containerRuntime",
            value=wanted,
            limit="this cluster does not have it",
            source=f"profile of {profile.cluster if profile else ''}: containers",
            nearest=" or ".join(there) or "no container",
        )
