"""Which RDMA adapters are a job's rails, and why the others are not; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sunk_jobs.fabric_env.host import Gpu, Host
from sunk_jobs.sysfs_rdma import GidEntry, RdmaDevice, RdmaPort

LIST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
"""Names that can stand in a list of NCCL's, where commas, colons and signs mean something."""
_RATE = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,3})?) Gb/sec\b.*")
_HIGHEST_GBPS = 3200
"""No port is faster; a larger number is a mistake of whoever wrote it."""
_STATE = re.compile(r"[0-9]{1,2}: ([A-Z]{1,20})")
_MAPPED = re.compile(r"0000:0000:0000:0000:0000:ffff:.*", re.IGNORECASE)
_ROCE_V2 = "RoCE v2"


class Layer(StrEnum):
    """What an adapter speaks."""

    INFINIBAND = "InfiniBand"
    ETHERNET = "Ethernet"
    EFA = "EFA"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Wishes:
    """What whoever starts the job knows about adapters.

    Attributes:
        only: names of the rails; empty: found out.
        exclude: names of adapters that are not rails.
    """

    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class Adapter:
    """A port of an RDMA device.

    Attributes:
        name: of the device.
        port: its number.
        layer: what it speaks.
        driver: the kernel's.
        state: ``ACTIVE``, ``DOWN``; empty when the kernel does not say.
        rate_gbps: None when the kernel does not say, or says what cannot be.
        netdev: network device of its addresses; empty without one.
        mtu_bytes: of that network device; InfiniBand's own is not in sysfs.
        gid: kind of its best address: ``RoCE v2``, ``RoCE v2, link-local``, ``RoCE v1``; empty
            when there is none or the kernel does not say.
        vf: whether it is a virtual function.
        numa_node: None when the kernel does not know.
        near_gpu: what lies between it and the nearest GPU: PIX, PXB, PHB, SYS; empty without GPUs.
        address: of its PCI function.
        rail: whether the job's data go over it.
        why: the reason for that.
    """

    name: str
    port: int
    layer: Layer
    driver: str = ""
    state: str = ""
    rate_gbps: float | None = None
    netdev: str = ""
    mtu_bytes: int | None = None
    gid: str = ""
    vf: bool = False
    numa_node: int | None = None
    near_gpu: str = ""
    address: str = ""
    rail: bool = True
    why: str = ""

    @property
    def place(self) -> str:
        """Return device and port as NCCL and UCX write them: ``mlx5_0:1``."""
        return f"{self.name}:{self.port}"


def adapters(host: Host, wishes: Wishes = Wishes()) -> tuple[Adapter, ...]:
    """Return all adapters of a host, each with whether it is a rail and why.

    Args:
        host: what was read.
        wishes: what is known beside it.
    """
    found = [_adapter(host, device, port) for device in host.rdma.devices for port in device.ports]
    # Device plugins grant other things than RDMA adapters, too: such grants say nothing here.
    granted = {one.address for one in found} & set(host.granted)
    judged = [_without(one, _obstacle(one, host, wishes, granted)) for one in found]
    judged = _one_layer(judged)
    judged = _physical_first(judged, host)
    if not wishes.only:
        judged = _fastest(judged)
        judged = _off_the_default_route(judged, host)
    return tuple(replace(one, why="a rail") if one.rail else one for one in judged)


def rails(found: Iterable[Adapter]) -> tuple[Adapter, ...]:
    """Return those that are rails."""
    return tuple(one for one in found if one.rail)


def _adapter(host: Host, device: RdmaDevice, port: RdmaPort) -> Adapter:
    state = _STATE.fullmatch(port.values.get("state", ""))
    best = _best_gid(port.gids)
    named = [best.netdev] if best is not None and best.netdev else device.netdevs
    netdev = named[0] if named else ""
    interface = host.interface(netdev)
    return Adapter(
        name=device.name,
        port=port.number,
        layer=_layer(device, port),
        driver=device.driver,
        state=state[1] if state else "",
        rate_gbps=_rate(port.values.get("rate", "")),
        netdev=netdev,
        mtu_bytes=None if interface is None else interface.mtu_bytes,
        gid="" if best is None else _kind(best),
        vf=device.is_vf,
        numa_node=device.numa_node,
        near_gpu=_near(device, host.gpus),
        address=device.pci[0].address if device.pci else "",
    )


def _layer(device: RdmaDevice, port: RdmaPort) -> Layer:
    if device.driver == "efa":
        return Layer.EFA
    try:
        return Layer(port.values.get("link_layer", ""))
    except ValueError:
        return Layer.UNKNOWN


def _rate(text: str) -> float | None:
    found = _RATE.fullmatch(text)
    rate = float(found[1]) if found else 0.0
    return rate if 1 <= rate <= _HIGHEST_GBPS else None


def _kind(gid: GidEntry) -> str:
    local = gid.type == _ROCE_V2 and gid.gid.lower().startswith("fe80")
    return f"{gid.type}, link-local" if local else gid.type


def _best_gid(gids: Sequence[GidEntry]) -> GidEntry | None:
    """Return the address that NCCL would take: v2 first, IPv4 first, and no link-local one."""

    def merit(one: GidEntry) -> tuple[bool, bool, bool]:
        routable = not one.gid.lower().startswith("fe80")
        return (one.type == _ROCE_V2, routable, bool(_MAPPED.fullmatch(one.gid)))

    return max(gids, key=merit, default=None)


def _near(device: RdmaDevice, gpus: Sequence[Gpu]) -> str:
    """Return the closest way to any GPU, by the bridges that both lie below."""
    mine = [one.address for one in device.pci]
    ways = []
    for gpu in gpus:
        shared = [one for one in mine[1:] if one in gpu.path]
        if shared:
            bridges = mine.index(shared[0]) + gpu.path.index(shared[0])
            ways.append((0, "PIX") if bridges <= 2 else (1, "PXB"))
        elif device.numa_node is not None and device.numa_node == gpu.numa_node:
            ways.append((2, "PHB"))
        else:
            ways.append((3, "SYS"))
    return min(ways)[1] if ways and mine else ""


def _without(adapter: Adapter, why: str) -> Adapter:
    return replace(adapter, rail=False, why=why) if why else adapter


def _obstacle(one: Adapter, host: Host, wishes: Wishes, granted: set[str]) -> str:
    """Return why an adapter cannot be a rail, by itself; empty when it can."""
    if not LIST_NAME.fullmatch(one.name):
        return "its name cannot stand in a list of adapters"
    if one.name in wishes.exclude:
        return "excluded by option"
    if wishes.only and one.name not in wishes.only:
        return "not among the adapters that the job is to use"
    if granted and one.address and one.address not in granted:
        return "not granted to this Pod"
    if one.state not in {"", "ACTIVE"}:
        return f"its port is {one.state}"
    if one.layer is Layer.UNKNOWN:
        return "its link layer is not known"
    return _roce_obstacle(one, host) if one.layer is Layer.ETHERNET else ""


def _roce_obstacle(one: Adapter, host: Host) -> str:
    """Return why RoCE cannot work here: it takes the addresses of a network device of this Pod."""
    if not one.netdev:
        return "it has no network device in this network namespace"
    if host.interfaces is not None and host.interface(one.netdev) is None:
        return "its network device is not in this network namespace"
    if one.gid and not one.gid.startswith(_ROCE_V2):
        return "it has no RoCE v2 address"
    return ""


def _one_layer(found: Sequence[Adapter]) -> list[Adapter]:
    """Keep the layer with the fastest ports: others beside it serve storage or management."""
    layers = {one.layer for one in rails(found)}
    if len(layers) < 2:
        return list(found)

    def merit(layer: Layer) -> tuple[float, int, bool]:
        mine = [one for one in rails(found) if one.layer is layer]
        fastest = max(one.rate_gbps or 0.0 for one in mine)
        return (fastest, len(mine), layer is Layer.INFINIBAND)

    best = max(layers, key=merit)
    why = f"beside the faster ports of {best}"
    return [_without(one, why if one.rail and one.layer is not best else "") for one in found]


def _physical_first(found: Sequence[Adapter], host: Host) -> list[Adapter]:
    """Leave out virtual functions whose physical function is a rail: they share its port."""
    owned = {vf: device.name for device in host.rdma.devices for vf in device.vfs}
    names = {one.name for one in rails(found)}
    kept = []
    for one in found:
        owner = owned.get(one.address, "")
        shares = one.rail and one.vf and owner in names
        kept.append(_without(one, f"shares the port of {owner}" if shares else ""))
    return kept


def _fastest(found: Sequence[Adapter]) -> list[Adapter]:
    rates = [one.rate_gbps for one in rails(found) if one.rate_gbps is not None]
    if not rates:
        return list(found)
    best = max(rates)

    def why(one: Adapter) -> str:
        if not one.rail or one.rate_gbps == best:
            return ""
        if one.rate_gbps is None:
            return "its rate is not known"
        return f"{one.rate_gbps:g} Gb/s, where rails have {best:g}"

    return [_without(one, why(one)) for one in found]


def _off_the_default_route(found: Sequence[Adapter], host: Host) -> list[Adapter]:
    """Leave out the adapter of the node's own traffic, as long as two others remain."""
    own = {one.place for one in rails(found) if _default(one, host)}
    if len(rails(found)) - len(own) < 2:
        return list(found)
    why = "the default route goes out there"
    return [_without(one, why if one.rail and one.place in own else "") for one in found]


def _default(one: Adapter, host: Host) -> bool:
    interface = host.interface(one.netdev)
    return interface is not None and interface.default_route
