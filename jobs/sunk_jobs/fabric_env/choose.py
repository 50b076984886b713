"""From what a host says to the variables that make NCCL and MPI use its fast network; pure.

What is not set is as much a choice: every variable that guides set and that should be left to the
library has its reason in `Choice.left`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from sunk_jobs.fabric_env.adapters import LIST_NAME, Adapter, Layer, Wishes, adapters, rails
from sunk_jobs.fabric_env.host import Host, Interface

_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_FAST_TCP_GBPS = 100
_HARMFUL = {"NCCL_IB_DISABLE": "1", "NCCL_P2P_DISABLE": "1", "NCCL_SHM_DISABLE": "1"}
_HARMFUL_NET = {"NCCL_NET": "Socket"}
_GID_INDEX = ("NCCL_IB_GID_INDEX", "UCX_IB_GID_INDEX")


class Fabric(StrEnum):
    """The network that the job's data go over."""

    INFINIBAND = "infiniband"
    ROCE = "roce"
    EFA = "efa"
    SLINGSHOT = "slingshot"
    TCP = "tcp"


@dataclass(frozen=True)
class Options:
    """What sysfs cannot say.

    Attributes:
        wishes: about adapters.
        traffic_class: of RoCE packets, DSCP times 4, from the site.
        service_level: of InfiniBand packets.
        queue_pairs: of each connection, with static routing over two levels of switches.
        sharp: reductions in the switches are wanted.
        mpi: variables for MPI, too.
    """

    wishes: Wishes = field(default_factory=Wishes)
    traffic_class: int | None = None
    service_level: int | None = None
    queue_pairs: int | None = None
    sharp: bool = False
    mpi: bool = False


@dataclass(frozen=True)
class Export:
    """A variable to set.

    Attributes:
        name: of the variable.
        value: its value.
        why: what was seen that makes it right.
    """

    name: str
    value: str
    why: str


@dataclass(frozen=True)
class Left:
    """A variable that is not set, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Choice:
    """What was decided.

    Attributes:
        fabric: what the data go over.
        adapters: all, rails and others.
        exports: in the order of printing.
        left: what was not set.
        warnings: what a person should know before the job starts.
        mnnvl: whether NVLink spans nodes here, and the job may use it.
    """

    fabric: Fabric
    adapters: tuple[Adapter, ...]
    exports: tuple[Export, ...] = ()
    left: tuple[Left, ...] = ()
    warnings: tuple[str, ...] = ()
    mnnvl: bool = False


def choose(host: Host, options: Options) -> Choice:
    """Return the variables for a host, and the reasons.

    Args:
        host: what was read.
        options: what is known beside it.
    """
    found = adapters(host, options.wishes)
    fabric = _fabric(host, rails(found))
    if fabric is Fabric.SLINGSHOT:
        why = "beside the Slingshot adapters"
        found = tuple(replace(one, rail=False, why=why) if one.rail else one for one in found)
    mnnvl = _mnnvl_ready(host) and host.imex_channels > 0
    wanted = [*_of_fabric(fabric, host, rails(found), options), *_of_mnnvl(mnnvl)]
    exports, kept = _beside_the_users(wanted, host)
    return Choice(
        fabric=fabric,
        adapters=found,
        exports=tuple(exports),
        left=(*kept, *_left(fabric, host)),
        warnings=tuple(_warnings(fabric, host, found, options)),
        mnnvl=mnnvl,
    )


def control_interface(host: Host) -> Interface | None:
    """Return the interface for set-up traffic: of the default route, else the only one there is."""
    known = [one for one in host.interfaces or () if LIST_NAME.fullmatch(one.name)]
    routed = [one for one in known if one.default_route]
    if routed:
        return routed[0]
    real = [one for one in known if one.ethernet and not one.virtual and one.up]
    return real[0] if len(real) == 1 else None


def _fabric(host: Host, found: tuple[Adapter, ...]) -> Fabric:
    if _slingshot(host):
        return Fabric.SLINGSHOT
    layers = {one.layer for one in found}
    if Layer.EFA in layers:
        return Fabric.EFA
    if Layer.INFINIBAND in layers:
        return Fabric.INFINIBAND
    return Fabric.ROCE if Layer.ETHERNET in layers else Fabric.TCP


def _slingshot(host: Host) -> tuple[str, ...]:
    """Return the interfaces of Slingshot adapters that are not down."""
    names = [name for one in host.cxi for name in one.interfaces if LIST_NAME.fullmatch(name)]
    states = {name: host.interface(name) for name in names}
    return tuple(name for name, one in states.items() if one is not None and one.up is not False)


def _of_fabric(
    fabric: Fabric, host: Host, found: tuple[Adapter, ...], options: Options
) -> Iterator[Export]:
    match fabric:
        case Fabric.SLINGSHOT:
            yield from _of_slingshot(host)
        case Fabric.EFA:
            yield from _of_efa(host, found, options)
        case Fabric.INFINIBAND | Fabric.ROCE:
            yield from _of_verbs(fabric, host, found, options)
        case Fabric.TCP:
            yield from _of_tcp(host)


def _of_verbs(
    fabric: Fabric, host: Host, found: tuple[Adapter, ...], options: Options
) -> Iterator[Export]:
    places = ",".join(one.place for one in found)
    rates = sorted({f"{one.rate_gbps:g}" for one in found if one.rate_gbps is not None})
    what = f"{len(found)} ports of {found[0].layer}, {'/'.join(rates) or '?'} Gb/s each"
    yield Export("NCCL_IB_HCA", f"={places}", what)
    yield from _control(host)
    if options.queue_pairs is not None:
        why = "static routes over two levels of switches, says the site"
        yield Export("NCCL_IB_QPS_PER_CONNECTION", str(options.queue_pairs), why)
    if fabric is Fabric.INFINIBAND and options.service_level is not None:
        yield Export("NCCL_IB_SL", str(options.service_level), "the site's service level")
    if fabric is Fabric.ROCE and options.traffic_class is not None:
        why = f"the site's DSCP {options.traffic_class >> 2} for RoCE"
        yield Export("NCCL_IB_TC", str(options.traffic_class), why)
    if fabric is Fabric.INFINIBAND and options.sharp:
        yield from _of_sharp(found)
    if options.mpi:
        yield Export("OMPI_MCA_pml", "ucx", "RDMA ports are UCX's to use")
        yield Export("UCX_NET_DEVICES", places, what)
        if fabric is Fabric.ROCE and options.traffic_class is not None:
            yield Export("UCX_IB_TRAFFIC_CLASS", str(options.traffic_class), "the same for MPI")
        if fabric is Fabric.INFINIBAND and options.service_level is not None:
            yield Export("UCX_IB_SL", str(options.service_level), "the same for MPI")


def _of_sharp(found: tuple[Adapter, ...]) -> Iterator[Export]:
    yield Export("NCCL_COLLNET_ENABLE", "1", "SHARP is asked for, over InfiniBand")
    yield Export("SHARP_COLL_ENABLE_SAT", "1", "trees that stream large messages")
    yield Export("SHARP_COLL_ENABLE_PCI_RELAXED_ORDERING", "1", "as NCCL itself does")
    yield Export("SHARP_SMX_UCX_INTERFACE", found[0].place, "SHARP's own traffic on one rail")
    yield Export("SHARP_COLL_LOG_LEVEL", "3", "a refusal has to be seen")


def _of_efa(host: Host, found: tuple[Adapter, ...], options: Options) -> Iterator[Export]:
    yield Export("FI_PROVIDER", "efa", f"{len(found)} adapters with driver efa")
    yield from _control(host)
    if options.mpi:
        yield Export("OMPI_MCA_pml", "cm", "EFA is reached over libfabric")
        yield Export("OMPI_MCA_mtl", "ofi", "EFA is reached over libfabric")


def _of_slingshot(host: Host) -> Iterator[Export]:
    names = _slingshot(host)
    yield Export("NCCL_NET", "AWS Libfabric", f"{len(names)} Slingshot adapters, over libfabric")
    yield Export("NCCL_SOCKET_IFNAME", f"={','.join(names)}", "their network interfaces")
    yield Export("NCCL_CROSS_NIC", "1", "all adapters reach each other")
    yield Export("NCCL_NET_GDR_LEVEL", "PHB", "as far as the host bridge")
    yield Export("FI_MR_CACHE_MONITOR", "userfaultfd", "others miss memory that CUDA frees")


def _of_tcp(host: Host) -> Iterator[Export]:
    yield from _control(host)
    chosen = control_interface(host)
    if chosen is not None and (chosen.rate_gbps or 0) >= _FAST_TCP_GBPS:
        why = f"{chosen.rate_gbps:g} Gb/s are more than one socket carries"
        yield Export("NCCL_SOCKET_NTHREADS", "4", why)
        yield Export("NCCL_NSOCKS_PERTHREAD", "4", why)


def _control(host: Host) -> Iterator[Export]:
    chosen = control_interface(host)
    if chosen is not None:
        why = "the default route" if chosen.default_route else "the only interface that is up"
        yield Export("NCCL_SOCKET_IFNAME", f"={chosen.name}", why)


def _mnnvl_ready(host: Host) -> bool:
    """Return whether all GPUs are in one working NVLink domain that spans nodes."""
    found = host.gpu_fabric or ()
    places = {(one.cluster, one.clique) for one in found}
    return bool(found) and all(one.ready for one in found) and len(places) == 1


def _of_mnnvl(ready: bool) -> Iterator[Export]:  # noqa: FBT001 - one fact
    if ready:
        yield Export("NCCL_MNNVL_ENABLE", "2", "an NVLink domain, and an IMEX channel to use it")
        yield Export("NCCL_CUMEM_ENABLE", "1", "NVLink between nodes takes it")


def _beside_the_users(wanted: list[Export], host: Host) -> tuple[list[Export], list[Left]]:
    """Return what to set; what the user has set stands."""
    exports, kept = [], []
    for one in wanted:
        assert _NAME.fullmatch(one.name), one.name
        if one.name in host.environment:
            kept.append(Left(one.name, "set already; what would be right here is " + one.value))
        else:
            exports.append(one)
    return exports, kept


def _left(fabric: Fabric, host: Host) -> Iterator[Left]:
    yield Left("NCCL_ALGO", "the library tunes each size by itself")
    yield Left("NCCL_PROTO", "the library tunes each size by itself")
    if fabric in {Fabric.INFINIBAND, Fabric.ROCE}:
        yield Left("NCCL_IB_GID_INDEX", "differs from Pod to Pod; found by the library")
        yield Left("NCCL_IB_TIMEOUT", "about 30 s as it is")
        yield Left("NCCL_CROSS_NIC", "found by the library; rail-only fabrics set 0")
    if fabric is Fabric.INFINIBAND:
        yield Left("NCCL_IB_ADAPTIVE_ROUTING", "on as it is")
    if _mnnvl_ready(host):
        yield Left("NCCL_MNNVL_CLIQUE_ID", "only to split a domain")
    if fabric is not Fabric.SLINGSHOT and control_interface(host) is None:
        yield Left("NCCL_SOCKET_IFNAME", "which interface is for control is not known")


def _warnings(
    fabric: Fabric, host: Host, found: tuple[Adapter, ...], options: Options
) -> Iterator[str]:
    if fabric is Fabric.TCP:
        yield "no RDMA path: the data go over sockets"
    rdma = fabric is not Fabric.TCP
    if rdma and host.memlock_bytes is not None and host.memlock_bytes >= 0:
        yield f"locked memory is limited to {host.memlock_bytes} bytes: RDMA may fail"
    if fabric in {Fabric.EFA, Fabric.SLINGSHOT} and host.gpus and not host.ofi_plugins:
        yield "no libnccl-net plugin for libfabric on the library path: NCCL cannot use the fabric"
    if rdma and host.gpus and host.peer_memory is False:
        yield "neither nvidia_peermem nor DMA-BUF: GPU memory goes through the host"
    yield from _adapter_warnings(fabric, host, found, options)
    if _mnnvl_ready(host) and not host.imex_channels:
        yield "an NVLink domain, and no IMEX channel: ask Slurm for one to use it between nodes"
    elif any(one.cluster and not one.ready for one in host.gpu_fabric or ()):
        yield "GPUs of an NVLink domain whose fabric is not ready"
    if options.sharp and fabric is not Fabric.INFINIBAND:
        yield f"SHARP is asked for, and the fabric is {fabric}"
    yield from _user_warnings(host)
    if host.rdma.unreadable or host.unreadable:
        yield f"{len({**host.rdma.unreadable, **host.unreadable})} files could not be read"


def _adapter_warnings(
    fabric: Fabric, host: Host, found: tuple[Adapter, ...], options: Options
) -> Iterator[str]:
    for one in found:
        if not one.rail and one.state == "ACTIVE" and "network namespace" in one.why:
            yield f"{one.place} is no rail: {one.why}"
    used = rails(found)
    if fabric is Fabric.ROCE and any("link-local" in one.gid for one in used):
        yield "a RoCE address is only link-local: no router passes it on"
    if fabric is Fabric.ROCE and any(not one.gid for one in used):
        yield "no RoCE v2 address of a rail is known"
    if used and any(not one.state for one in used):
        yield "the state of a port is not known"
    if used and all(one.rate_gbps is None for one in used):
        yield "the rate of the ports is not known"
    missing = sorted(set(options.wishes.only) - {one.name for one in used})
    if missing and fabric is not Fabric.SLINGSHOT:
        yield f"{len(missing)} of {len(options.wishes.only)} adapters of the job are no rails here"
    addresses = {one.address for one in found}
    lost = [one for one in host.granted if one not in addresses]
    if lost and len(lost) < len(host.granted):
        yield f"{len(lost)} of {len(host.granted)} devices granted to this Pod have no RDMA device"


def _user_warnings(host: Host) -> Iterator[str]:
    for name, value in sorted({**_HARMFUL, **_HARMFUL_NET}.items()):
        if host.environment.get(name) == value:
            yield f"{name}={value} is set: it takes a fast way out of use"
    for name in _GID_INDEX:
        if name in host.environment:
            yield f"{name} is set: the index differs from Pod to Pod"
