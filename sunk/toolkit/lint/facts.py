"""What the rules may know of a cluster beside the script; None and empty mean not known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """Facts of one cluster. What is not known never makes a rule fire.

    Attributes:
        release: Slurm's, as year and month, [24, 11].
        topology_plugin: TopologyPlugin, for example ``topology/tree``.
        block_sizes: BlockSizes of topology/block, in nodes.
        max_array_size: MaxArraySize: indices are below it.
        mpi_default: MpiDefault.
        job_file_append: JobFileAppend: a requeued job appends to its output.
        select_parameters: words of SelectTypeParameters.
        default_partition: the one of jobs that name none.
        partition_max_minutes: partition -> MaxTime in minutes, for those that have one.
        node_names: of all nodes.
        sbatch_options: long options that this cluster's sbatch takes, plugins' included.
        interfaces: network interfaces of the compute nodes.
        virtual_functions: jobs see virtual functions of HCAs (SR-IOV), as in Pods.
        several_networks: compute nodes, or their Pods, have more than one network.
        memlock_unlimited: a step's limit of locked memory is unlimited.
        step_seconds_p99: 99th percentile of the time of a training step, in seconds.
        save_seconds_p99: of the time to save a checkpoint, in seconds.
        folders: folder -> whether it exists where jobs run, for those looked up.
    """

    release: tuple[int, int] | None = None
    topology_plugin: str | None = None
    block_sizes: tuple[int, ...] = ()
    max_array_size: int | None = None
    mpi_default: str | None = None
    job_file_append: bool | None = None
    select_parameters: tuple[str, ...] = ()
    default_partition: str | None = None
    partition_max_minutes: Mapping[str, int] = field(default_factory=dict)
    node_names: tuple[str, ...] = ()
    sbatch_options: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()
    virtual_functions: bool | None = None
    several_networks: bool | None = None
    memlock_unlimited: bool | None = None
    step_seconds_p99: float | None = None
    save_seconds_p99: float | None = None
    folders: Mapping[str, bool] = field(default_factory=dict)


NO_FACTS = ClusterFacts()
"""Offline: nothing but the text."""


def facts_from_scontrol(
    config: str, partitions: str, nodes: str, topology: str = "", sbatch_help: str = ""
) -> ClusterFacts:
    """Return what Slurm's own commands say about a cluster.

    Args:
        config: ``scontrol show config``.
        partitions: ``scontrol --oneliner show partition``.
        nodes: ``scontrol --oneliner show node``.
        topology: ``scontrol show topology``.
        sbatch_help: ``sbatch --help``.
    """
    settings = _settings(config)
    records = [_record(line) for line in partitions.splitlines()]
    limits = {
        record["PartitionName"]: minutes
        for record in records
        if "PartitionName" in record
        and (minutes := minutes_of(record.get("MaxTime", ""))) is not None
    }
    default = [one.get("PartitionName", "") for one in records if one.get("Default") == "YES"]
    names = [_record(line).get("NodeName", "") for line in nodes.splitlines()]
    append = settings.get("JobFileAppend")
    return ClusterFacts(
        release=_release(settings.get("SLURM_VERSION", "")),
        topology_plugin=settings.get("TopologyPlugin"),
        block_sizes=tuple(sorted(set(map(int, _BLOCK.findall(topology))))),
        max_array_size=_number(settings.get("MaxArraySize", "")),
        # Unset, as (null), it is the plugin of this name.
        mpi_default=settings.get("MpiDefault", "none" if "MpiDefault" in config else None),
        job_file_append=None if append is None else append == "1",
        select_parameters=tuple(sorted(_words(settings.get("SelectTypeParameters", "")))),
        default_partition=default[0] if default else None,
        partition_max_minutes=dict(sorted(limits.items())),
        node_names=tuple(sorted(name for name in names if name)),
        sbatch_options=tuple(sorted(set(_OPTION.findall(sbatch_help)))),
    )


_OPTION = re.compile(r"--([a-z0-9][a-z0-9-]*)")
_BLOCK = re.compile(r"\bBlockSize=(\d{1,6})\b")
_TIME = re.compile(
    r"(?:(?P<days>\d{1,6})-(?P<dh>\d{1,2})(?::(?P<dm>\d{1,2}))?(?::(?P<ds>\d{1,2}))?"
    r"|(?P<h>\d{1,6}):(?P<m>\d{1,2}):(?P<s>\d{1,2})|(?P<mm>\d{1,6})(?::(?P<ms>\d{1,2}))?)"
)


def seconds_of(text: str) -> int | None:
    """Return a time limit in seconds, None for none, or for what is no time."""
    matched = _TIME.fullmatch(text.strip())
    if matched is None:
        return None
    part = {name: int(value) for name, value in matched.groupdict().items() if value}
    if "days" in part:
        hours = part["days"] * 24 + part.get("dh", 0)
        return hours * 3600 + part.get("dm", 0) * 60 + part.get("ds", 0)
    if "h" in part:
        return part["h"] * 3600 + part["m"] * 60 + part["s"]
    return part["mm"] * 60 + part.get("ms", 0)


def minutes_of(text: str) -> int | None:
    """Return a time limit in minutes, rounded up as Slurm does, None for none."""
    seconds = seconds_of(text)
    return None if seconds is None else -(-seconds // 60)


def _settings(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and value.strip() not in {"", "(null)"}:
            found[name.strip()] = value.strip()
    return found


def _record(line: str) -> dict[str, str]:
    pairs = (word.partition("=") for word in line.split())
    return {name: value for name, equals, value in pairs if equals}


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[,|\s]+", text) if word]


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _release(text: str) -> tuple[int, int] | None:
    matched = re.match(r"(\d+)\.(\d+)", text)
    return (int(matched[1]), int(matched[2])) if matched else None
