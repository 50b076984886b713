"""The file with a cluster profile: `sunk.model.profile` as YAML or JSON and back; strict."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from sunk.model.profile import ClusterProfile, FabricFacts, NodeKind, Price, ProfilePartition
from sunk.render.problem import Problem, between, duplicates, formed, one_of
from sunk.render.strict_file import NAME_ALLOWED, Kind, is_name, load_text

PROFILE = Kind(name="ClusterProfile", hint="the page on cluster profiles has an example")
STATES = ("UP", "DOWN", "DRAIN", "INACTIVE")
_ADAPTER = TypeAdapter(ClusterProfile)
_CURRENCY = re.compile(r"[A-Z]{3}")
_MODULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/-]{0,127}")
_ABSOLUTE = re.compile(r"/[A-Za-z0-9._/-]{0,1023}")
_MOST = 2**31


def load_profile(path: Path) -> tuple[str, ClusterProfile]:
    """Return the name and content of the profile in a file.

    Raises:
        InputError: the file cannot be read or holds no valid profile.
    """
    return read_profile(load_text(path), source=str(path))


def read_profile(text: str, *, source: str) -> tuple[str, ClusterProfile]:
    """Return the name and content of the profile in a text.

    Args:
        text: one document, YAML or JSON.
        source: name of the file, for messages.

    Raises:
        InputError: it holds no valid profile; names the key and what may stand there.
    """
    name, profile = PROFILE.read(text, _ADAPTER, source)
    for problem in problems(profile):
        raise PROFILE.problem(source, problem)
    return name, profile


def dump_profile(name: str, profile: ClusterProfile) -> str:
    """Return a profile as YAML; reading it gives the same profile."""
    return PROFILE.write(name, _spec(profile))


def dump_profile_json(name: str, profile: ClusterProfile) -> str:
    """Return a profile as JSON; reading it gives the same profile."""
    return PROFILE.write_json(name, _spec(profile))


def _spec(profile: ClusterProfile) -> dict[str, Any]:
    raw: dict[str, Any] = _ADAPTER.dump_python(
        profile, mode="json", by_alias=True, exclude_defaults=True
    )
    return raw


def problems(profile: ClusterProfile) -> Iterator[Problem]:
    """Yield the faults of a profile."""
    if not is_name(profile.cluster):
        yield Problem(path=("cluster",), value=profile.cluster, allowed=NAME_ALLOWED)
    where = ("partitions",)
    yield from duplicates(where, (("name", one.name) for one in profile.partitions))
    for at, partition in enumerate(profile.partitions):
        yield from _partition((*where, at), partition)
    if sum(one.default for one in profile.partitions) > 1:
        yield Problem(path=where, value="several", allowed="one partition with default: true")
    yield from _fabric(profile.fabric)
    for at, module in enumerate(profile.modules):
        allowed = "a module such as cuda/12.4"
        yield from formed(("modules", at), module, _MODULE, allowed)
    for at, mount in enumerate(profile.mounts):
        allowed = "an absolute path of letters, digits, dot, dash, underscore and slash"
        yield from formed(("mounts", at, "path"), mount.path, _ABSOLUTE, allowed)
    names = [one.name for one in profile.partitions]
    for at, price in enumerate(profile.prices):
        yield from _price(("prices", at), price, names)


def _fabric(fabric: FabricFacts) -> Iterator[Problem]:
    for key, rate in (
        ("networkGbPerS", fabric.network_gb_per_s),
        ("nvlinkGbPerS", fabric.nvlink_gb_per_s),
    ):
        if rate is not None and not 0 < rate < _MOST:
            yield Problem(path=("fabric", key), value=rate, allowed="above 0")
    yield from between(("fabric", "nvlinkDomainGpus"), fabric.nvlink_domain_gpus, 1, 2**16)
    yield from between(("fabric", "leafNodes"), fabric.leaf_nodes, 1, 2**16)


def _price(where: tuple[str | int, ...], price: Price, partitions: list[str]) -> Iterator[Problem]:
    yield from one_of((*where, "partition"), price.partition, sorted(partitions))
    if not 0 <= price.per_node_hour < _MOST:
        yield Problem(path=(*where, "perNodeHour"), value=price.per_node_hour, allowed="0 or more")
    yield from formed((*where, "currency"), price.currency, _CURRENCY, "three letters such as EUR")


def _partition(where: tuple[str | int, ...], one: ProfilePartition) -> Iterator[Problem]:
    if not is_name(one.name):
        yield Problem(path=(*where, "name"), value=one.name, allowed=NAME_ALLOWED)
    yield from one_of((*where, "state"), one.state, STATES)
    for key, value in (
        ("maxTimeMinutes", one.max_time_minutes),
        ("defaultTimeMinutes", one.default_time_minutes),
        ("minNodes", one.min_nodes),
        ("maxNodes", one.max_nodes),
        ("maxCpusPerNode", one.max_cpus_per_node),
        ("maxMemoryPerNodeMib", one.max_memory_per_node_mib),
        ("graceSeconds", one.grace_seconds),
    ):
        yield from between((*where, key), value, 0, _MOST)
    for at, kind in enumerate(one.nodes):
        yield from _node_kind((*where, "nodes", at), kind)


def _node_kind(where: tuple[str | int, ...], kind: NodeKind) -> Iterator[Problem]:
    for key, value, least in (
        ("count", kind.count, 1),
        ("cpus", kind.cpus, 1),
        ("memoryMib", kind.memory_mib, 1),
        ("threadsPerCore", kind.threads_per_core, 1),
        ("gpus", kind.gpus, 0),
    ):
        yield from between((*where, key), value, least, _MOST)
