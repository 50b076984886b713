"""What nodes found of their fabrics, read back from their evidence, and in what they differ.

Ranks wait for each other: one node on another network, with a rail less or smaller packets, makes
all of them slow, or keeps them from starting.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sunk_jobs.networks.fabric_choice import EFA, INFINIBAND, ROCE, SLINGSHOT, TCP, Rail
from sunk_jobs.nodes.peers import compare

SCHEMA = "sunk.dev/fabric_env/v1"
KINDS = (INFINIBAND, ROCE, EFA, SLINGSHOT, TCP)
_NAMED = 3
_NOT_KNOWN = "not known"


class NotEvidence(Exception):
    """A text is no evidence of a node; the message says why."""


@dataclass(frozen=True)
class Evidence:
    """What a node said.

    Attributes:
        node: its name in Slurm.
        host: its own name, as libraries print it.
        kind: ``infiniband``, ``roce``, ``efa``, ``slingshot`` or ``tcp``.
        rails: the ports that the job uses.
        settings: variable -> value, as printed.
        kept: variables that were set before.
        cliques: NVLink domain of each GPU.
        gpus: how many it has.
        gpu_direct: whether adapters can read GPU memory; None when that is not known.
        memlock_bytes: limit of locked memory; None without one.
    """

    node: str
    host: str
    kind: str
    rails: tuple[Rail, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)
    cliques: tuple[str, ...] = ()
    gpus: int = 0
    gpu_direct: bool | None = None
    memlock_bytes: int | None = None


def read_evidence(file: Path) -> Evidence:
    """Return the evidence in a file.

    Raises:
        NotEvidence: there is none in it, or it cannot be read.
    """
    try:
        return parse_evidence(file.read_text(encoding="utf-8", errors="replace"))
    except OSError as exc:
        raise NotEvidence(f"{exc.strerror}") from exc


def parse_evidence(text: str) -> Evidence:
    """Return the evidence in a text.

    Raises:
        NotEvidence: there is none in it.
    """
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise NotEvidence("it is no JSON, or cut short") from exc
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        raise NotEvidence(f"its schema is not {SCHEMA}")
    try:
        return Evidence(
            node=_is(raw["node"], str),
            host=_is(raw.get("host", raw["node"]), str),
            kind=KINDS[KINDS.index(raw["kind"])],
            rails=tuple(_rail(one) for one in _is(raw["rails"], list)),
            settings={_is(one["name"], str): _is(one["value"], str) for one in raw["settings"]},
            kept={str(name): str(value) for name, value in _is(raw.get("kept", {}), dict).items()},
            cliques=tuple(_is(one, str) for one in _is(raw["cliques"], list)),
            gpus=_is(raw.get("gpus", 0), int),
            gpu_direct=_maybe(raw.get("gpu_direct"), bool),
            memlock_bytes=_maybe(raw["memlock_bytes"], int),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise NotEvidence(f"{type(exc).__name__}: {exc}"[:200]) from exc


def _rail(raw: Any) -> Rail:
    return Rail(
        device=_is(raw["device"], str),
        port=_is(raw["port"], int),
        link_layer=_is(raw["link_layer"], str),
        rate_gbps=float(raw["rate_gbps"]),
        vf=_is(raw["vf"], bool),
        netdev=_is(raw["netdev"], str),
        mtu_bytes=_is(raw["mtu_bytes"], int),
        gid_types=tuple(_is(one, str) for one in _is(raw["gid_types"], list)),
        driver=_is(raw.get("driver", ""), str),
    )


def _is(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{value!r:.60} is no {kind.__name__}")
    return value


def _maybe(value: Any, kind: type) -> Any:
    return None if value is None else _is(value, kind)


# --- between nodes


@dataclass(frozen=True)
class Compared:
    """Something in which nodes should be alike.

    Attributes:
        name: what a person is told.
        take: from evidence to its value as a person reads it; ``not known`` where it is not.
        grave: a difference is a reason not to start.
        only_rdma: it matters only where there is RDMA.
    """

    name: str
    take: Callable[[Evidence], str]
    grave: bool = True
    only_rdma: bool = False


@dataclass(frozen=True)
class Difference:
    """Nodes that are the exception.

    Attributes:
        words: the nodes, the field, their value and that of the others.
        grave: a reason not to start.
    """

    words: str
    grave: bool


def _counted(values: Sequence[Any]) -> str:
    return json.dumps(sorted(values)) if all(values) else _NOT_KNOWN


def _mtus(one: Evidence) -> str:
    """Return the MTUs of the rails' network devices; InfiniBand's own is not in sysfs."""
    return _counted([rail.mtu_bytes for rail in one.rails if rail.netdev])


def _each(one: Evidence, take: Callable[[Rail], str]) -> str:
    return _counted(sorted({take(rail) for rail in one.rails}))


def _memlock(one: Evidence) -> str:
    return "no limit" if one.memlock_bytes is None else str(one.memlock_bytes)


COMPARED = (
    Compared("kind", lambda one: json.dumps(one.kind)),
    Compared("number of rails", lambda one: str(len(one.rails))),
    Compared("rates", lambda one: _counted([rail.rate_gbps for rail in one.rails])),
    Compared("MTUs", _mtus),
    Compared("GID types", lambda one: _each(one, lambda rail: "+".join(rail.gid_types))),
    Compared("locked memory", _memlock, only_rdma=True),
    Compared("virtual functions", lambda one: str(sum(rail.vf for rail in one.rails)), grave=False),
    Compared("drivers", lambda one: _each(one, lambda rail: rail.driver), grave=False),
    Compared("GPUs", lambda one: str(one.gpus), grave=False),
    Compared("GPUs in NVLink domains", lambda one: str(len(one.cliques)), grave=False),
    Compared("GPUDirect", lambda one: str(one.gpu_direct).lower(), grave=False, only_rdma=True),
)
"""Other rates, packet sizes or addresses make ranks crawl or hang; a driver may well differ."""


def differences(found: Sequence[Evidence], wanted: Sequence[str] = ()) -> tuple[Difference, ...]:
    """Return in what the nodes of a job differ, each with the nodes that are the exception.

    What a node could not find out differs from what others found, and is never grave.

    Args:
        found: evidence, one for each node.
        wanted: nodes that should have some.
    """
    rdma = any(one.kind != TCP for one in found)
    lost = sorted(set(wanted) - {one.node for one in found})
    said = [Difference(f"{_few(lost)}: no evidence", grave=True)] if lost else []
    for one in COMPARED:
        if rdma or not one.only_rdma:
            said += _exceptions(one, found)
    return tuple(sorted(said, key=lambda one: not one.grave))


def _exceptions(compared: Compared, found: Sequence[Evidence]) -> Iterator[Difference]:
    values = {one.node: compared.take(one) for one in sorted(found, key=lambda one: one.node)}
    if (between := compare(values)) is None:
        return
    for odd in between.odd:
        words = f"{_few(odd.nodes)}: {compared.name} {odd.value}, elsewhere {between.usual}"
        known = _NOT_KNOWN not in {odd.value, between.usual}
        yield Difference(words, grave=compared.grave and known)


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
