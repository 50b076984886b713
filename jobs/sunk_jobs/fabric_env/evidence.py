"""What a node found and decided, as JSON; written once per node and read by whoever compares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sunk_jobs.fabric_env.adapters import Adapter, rails
from sunk_jobs.fabric_env.choose import Choice, Export, Fabric, control_interface
from sunk_jobs.fabric_env.host import Host
from sunk_jobs.fabric_env.nvlink import GpuFabric

SCHEMA = "sunk.dev/fabric_env/v1"


@dataclass(frozen=True)
class Evidence:
    """What a node says of its fabric.

    Attributes:
        schema: ``sunk.dev/fabric_env/v1``.
        node: its name in Slurm.
        host: its own name, as libraries print it.
        fabric: ``infiniband``, ``roce``, ``efa``, ``slingshot`` or ``tcp``.
        rails: how many ports, or Slingshot interfaces, the data go over.
        vfs: how many of them are virtual functions.
        rate_gbps: of all rails together, or of the socket's interface; null when not known.
        mtu_bytes: of the rails' network devices: each value once.
        gids: kinds of the rails' addresses: each once.
        drivers: of the rails: each once.
        gpus: NVIDIA GPUs that the kernel has.
        gpu_direct: whether the rails can reach GPU memory; null when not known.
        mnnvl: whether NVLink between nodes is ready to use.
        memlock_bytes: most locked memory, -1 without a limit; null when not known.
        adapters: all RDMA ports, rails or not, with the reason.
        gpu_fabric: what nvidia-smi says of each GPU's NVLink; null without its answer.
        exports: what was printed, with the reason for each.
        left: variable -> why it was not set.
        warnings: what a person should know before the job starts.
        unreadable: file -> why it could not be read.
    """

    schema: str
    node: str
    host: str
    fabric: str
    rails: int
    vfs: int = 0
    rate_gbps: float | None = None
    mtu_bytes: tuple[int, ...] = ()
    gids: tuple[str, ...] = ()
    drivers: tuple[str, ...] = ()
    gpus: int = 0
    gpu_direct: bool | None = None
    mnnvl: bool = False
    memlock_bytes: int | None = None
    adapters: tuple[Adapter, ...] = ()
    gpu_fabric: tuple[GpuFabric, ...] | None = None
    exports: tuple[Export, ...] = ()
    left: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)


class NotEvidence(Exception):
    """A file does not hold evidence; the message says why."""


def evidence(host: Host, choice: Choice) -> Evidence:
    """Return the evidence of a host and of what was chosen for it."""
    used = rails(choice.adapters)
    devices = [one.netdev for one in used] if used else _interfaces(host, choice)
    found = [one for name in devices if (one := host.interface(name)) is not None]
    rates = [one.rate_gbps for one in used] if used else [one.rate_gbps for one in found]
    return Evidence(
        schema=SCHEMA,
        node=host.node,
        host=host.host,
        fabric=str(choice.fabric),
        rails=len(used) or (len(found) if choice.fabric is Fabric.SLINGSHOT else 0),
        vfs=sum(1 for one in used if one.vf),
        rate_gbps=_sum(rates),
        mtu_bytes=tuple(sorted({one.mtu_bytes for one in found if one.mtu_bytes is not None})),
        gids=tuple(sorted({one.gid for one in used if one.gid})),
        drivers=tuple(sorted({one.driver for one in used if one.driver})),
        gpus=len(host.gpus),
        gpu_direct=host.peer_memory if choice.fabric is not Fabric.TCP else None,
        mnnvl=choice.mnnvl,
        memlock_bytes=host.memlock_bytes,
        adapters=choice.adapters,
        gpu_fabric=host.gpu_fabric,
        exports=choice.exports,
        left={one.name: one.why for one in choice.left},
        warnings=choice.warnings,
        unreadable={**host.unreadable},
    )


def _interfaces(host: Host, choice: Choice) -> list[str]:
    """Return the network devices of a fabric that has no RDMA ports."""
    if choice.fabric is Fabric.SLINGSHOT:
        names = {name for one in host.cxi for name in one.interfaces}
        return [one.name for one in host.interfaces or () if one.name in names and one.up]
    control = control_interface(host)
    return [] if control is None else [control.name]


def _sum(rates: list[float | None]) -> float | None:
    known = [one for one in rates if one is not None]
    return sum(known) if known and len(known) == len(rates) else None


def as_json(found: Evidence) -> str:
    """Return evidence as sorted JSON, one value a line."""
    return json.dumps(asdict(found), indent=1, sort_keys=True) + "\n"


def read_evidence(file: Path) -> Evidence:
    """Return the evidence in a file, without its lists of adapters and GPUs.

    Raises:
        NotEvidence: there is none in it, or it cannot be read.
    """
    try:
        return parse_evidence(file.read_text(errors="replace"))
    except OSError as exc:
        raise NotEvidence(f"{exc.strerror}") from exc


def parse_evidence(text: str) -> Evidence:
    """Return the evidence in a text, without its lists of adapters and GPUs.

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
            schema=SCHEMA,
            node=_is(raw["node"], str),
            host=_is(raw["host"], str),
            fabric=str(Fabric(raw["fabric"])),
            rails=_is(raw["rails"], int),
            vfs=_is(raw["vfs"], int),
            rate_gbps=_number(raw["rate_gbps"]),
            mtu_bytes=_each(raw["mtu_bytes"], int),
            gids=_each(raw["gids"], str),
            drivers=_each(raw["drivers"], str),
            gpus=_is(raw["gpus"], int),
            gpu_direct=_maybe(raw["gpu_direct"], bool),
            mnnvl=_is(raw["mnnvl"], bool),
            memlock_bytes=_maybe(raw["memlock_bytes"], int),
            exports=tuple(_export(one) for one in raw["exports"]),
            left=dict(_is(raw["left"], dict)),
            warnings=_each(raw["warnings"], str),
            unreadable=dict(_is(raw["unreadable"], dict)),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise NotEvidence(f"{type(exc).__name__}: {exc}") from exc


def _is(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{value!r:.60} is no {kind.__name__}")
    return value


def _maybe(value: Any, kind: type) -> Any:
    return None if value is None else _is(value, kind)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _each(value: Any, kind: type) -> tuple[Any, ...]:
    return tuple(_is(one, kind) for one in _is(value, list))


def _export(raw: Any) -> Export:
    return Export(_is(raw["name"], str), _is(raw["value"], str), _is(raw["why"], str))
