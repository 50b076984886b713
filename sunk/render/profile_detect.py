"""A cluster profile from what Slurm says; what Slurm cannot know is left unknown, with a reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sunk.errors import InputError
from sunk.model.profile import (
    ClusterProfile,
    FabricFacts,
    NodeKind,
    ProfilePartition,
    SlurmSettings,
    TopologyPlugin,
)
from sunk.render import slurm_texts
from sunk.render.slurm_texts import NOTHING, mebibytes, minutes, number, words
from sunk_jobs.placement import slurm_topology

_GPUS = re.compile(r"(?:^|,)gpu(?::(?P<type>[^:,(]+))?:(?P<count>[0-9]+)(?=\(|,|$)")
_SWITCH_WAIT = re.compile(r"(?:^|,)max_switch_wait=(?P<seconds>[0-9]{1,9})(?=,|$)")
_SWITCH_WAIT_SECONDS = 300
"""slurm.conf(5), SchedulerParameters=max_switch_wait: the default."""
_BY_JOB = {
    "containers": "a job: srun --help names --container-image with pyxis; apptainer --version",
    "fabric.adapters": "a job on a node: ls /sys/class/infiniband",
    "fabric.kind": "a job on a node: cat /sys/class/infiniband/*/ports/1/link_layer",
    "fabric.networkGbPerS": "a job on a node: cat /sys/class/infiniband/*/ports/1/rate",
    "fabric.nvlinkDomainGpus": "a job on a node: nvidia-smi topo -m",
    "fabric.nvlinkGbPerS": "a job on a node: nvidia-smi nvlink --status",
    "fabric.sharp": "whoever runs the fabric manager",
    "modules": "a job on a node: module avail",
    "mounts": "a job on a node: findmnt",
    "prices": "the site",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmSays:
    """Texts of Slurm's commands, and the topology's; empty nodes: nobody asked.

    Attributes:
        configuration: ``scontrol show config``.
        partitions: ``scontrol show partition``.
        topology: ``scontrol show topology``; empty with topology/flat.
        nodes: ``scontrol show node``; empty when nobody asked.
    """

    configuration: str
    partitions: str
    topology: str = ""
    nodes: str = ""


def detect(said: SlurmSays) -> ClusterProfile:
    """Return the profile that Slurm's texts make.

    Raises:
        InputError: a text is not what it should be.
    """
    conf = slurm_texts.read_configuration(said.configuration, source="scontrol show config")
    nodes = _by_partition(said.nodes) if said.nodes.strip() else None
    partitions = tuple(
        _partition(record, nodes)
        for record in slurm_texts.read_records(
            said.partitions, "PartitionName", source="scontrol show partition"
        )
    )
    unknown = dict(_BY_JOB)
    if nodes is None:
        unknown["partitions.nodes"] = "scontrol show node"
    places = _places(said.topology)
    topology, domain = _topology(places, partitions)
    if domain is not None:
        del unknown["fabric.nvlinkDomainGpus"]
    return ClusterProfile(
        cluster=conf["ClusterName"],
        slurm=_settings(conf, topology),
        partitions=tuple(sorted(partitions, key=lambda one: one.name)),
        fabric=FabricFacts(nvlink_domain_gpus=domain, leaf_nodes=_leaf_nodes(places)),
        unknown=dict(sorted(unknown.items())),
    )


def _settings(conf: Mapping[str, str], topology: TopologyPlugin) -> SlurmSettings:
    mpi = conf.get("MpiDefault")
    requeue = conf.get("JobRequeue")
    return SlurmSettings(
        version=conf.get("SLURM_VERSION"),
        topology=topology,
        mpi_default="none" if mpi in NOTHING else mpi,
        max_array_size=number(conf.get("MaxArraySize", "")),
        requeue=None if requeue is None else requeue == "1",
        kill_wait_seconds=number(conf.get("KillWait", "")),
        max_switch_wait_seconds=_max_switch_wait(conf),
        enforce=words(conf.get("AccountingStorageEnforce", "none"), everything="none"),
    )


def _max_switch_wait(conf: Mapping[str, str]) -> int:
    """Return what SchedulerParameters say, or Slurm's own default."""
    parameters = conf.get("SchedulerParameters", "")
    found = _SWITCH_WAIT.search(parameters)
    return int(found["seconds"]) if found else _SWITCH_WAIT_SECONDS


def _places(text: str) -> slurm_topology.SlurmTopology:
    try:
        return slurm_topology.read(text)
    except slurm_topology.TopologyTextError as exc:
        raise InputError(f"read scontrol show topology: {exc}") from exc


def _leaf_nodes(said: slurm_topology.SlurmTopology) -> int | None:
    """Return how many nodes the largest leaf switch or block has; None without any."""
    sizes = [len(one.nodes) for one in said.switches] + [len(one.nodes) for one in said.blocks]
    return max(sizes, default=0) or None


def _topology(
    said: slurm_topology.SlurmTopology, partitions: Iterable[ProfilePartition]
) -> tuple[TopologyPlugin, int | None]:
    """Return how Slurm plans places, by what it prints: topology.yaml overrides the plugin's key.

    With blocks of one size on nodes of one number of GPUs, also the GPUs of a block.
    """
    if said.switches:
        return TopologyPlugin.TREE, None
    if not said.blocks:
        return TopologyPlugin.FLAT, None
    sizes = {len(block.nodes) for block in said.blocks}
    gpus = {kind.gpus for one in partitions for kind in one.nodes if kind.gpus}
    if len(sizes) == len(gpus) == 1:
        return TopologyPlugin.BLOCK, sizes.pop() * gpus.pop()
    return TopologyPlugin.BLOCK, None


def _by_partition(text: str) -> dict[str, list[NodeKind]]:
    """Return the shapes of each partition's nodes, the most frequent first."""
    counts: dict[str, Counter[NodeKind]] = {}
    for record in slurm_texts.read_records(text, "NodeName", source="scontrol show node"):
        kind = node_kind(record)
        for name in words(record.get("Partitions", "")):
            counts.setdefault(name, Counter())[kind] += 1
    return {
        name: [replace(kind, count=count) for kind, count in found.most_common()]
        for name, found in counts.items()
    }


def node_kind(record: Mapping[str, str]) -> NodeKind:
    """Return the shape of the node of a record of ``scontrol show node``."""
    gpus = list(_GPUS.finditer(record.get("Gres", "")))
    types = {found["type"] for found in gpus if found["type"]}
    return NodeKind(
        count=1,
        cpus=number(record.get("CPUEfctv", record.get("CPUTot", ""))) or 1,
        memory_mib=mebibytes(record.get("RealMemory", "")) or 1,
        threads_per_core=number(record.get("ThreadsPerCore", "1")) or 1,
        gpus=sum(int(found["count"]) for found in gpus),
        gpu_type=types.pop() if len(types) == 1 else None,
        features=words(record.get("AvailableFeatures", "")),
    )


def _partition(
    record: Mapping[str, str], nodes: Mapping[str, list[NodeKind]] | None
) -> ProfilePartition:
    name = record["PartitionName"]
    qos = record.get("QoS", "N/A")
    shared = record.get("OverSubscribe", "NO")
    return ProfilePartition(
        name=name,
        default=record.get("Default") == "YES",
        state=record.get("State", "UP"),
        max_time_minutes=minutes(record.get("MaxTime", "")),
        default_time_minutes=minutes(record.get("DefaultTime", "")),
        min_nodes=number(record.get("MinNodes", "0")) or 0,
        max_nodes=number(record.get("MaxNodes", "")),
        max_cpus_per_node=number(record.get("MaxCPUsPerNode", "")),
        max_memory_per_node_mib=mebibytes(record.get("MaxMemPerNode", "")),
        exclusive=shared.startswith("EXCLUSIVE"),
        accounts=words(record.get("AllowAccounts", "ALL")),
        denied_accounts=words(record.get("DenyAccounts", "")),
        qos=words(record.get("AllowQos", "ALL")),
        denied_qos=words(record.get("DenyQos", "")),
        partition_qos=None if qos in NOTHING else qos,
        grace_seconds=number(record.get("GraceTime", "0")) or 0,
        nodes=tuple((nodes or {}).get(name, ())),
    )
