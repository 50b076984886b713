"""Which of a node's adapters a job uses, and the variables that say so; pure.

The facts come from `sunk_jobs.fabric_env`, which reads them and prints the variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sunk_jobs import sysfs_rdma
from sunk_jobs.sysfs_rdma import RdmaDevice, RdmaPort

INFINIBAND, ROCE, EFA, SLINGSHOT, TCP = "infiniband", "roce", "efa", "slingshot", "tcp"
_LAYERS = ("InfiniBand", "Ethernet", EFA)
AMAZON = "0x1d0f"
"""PCI vendor of EFA adapters."""
SLOW_SHARE = 0.5
"""Slower than this share of the fastest, an adapter is for storage or management."""
MEMLOCK_BYTES = 64 * 1024 * 1024
"""Less locked memory than this, and queue pairs cannot be made."""
HIGHEST_GBPS = 3200.0
"""No port is faster: a larger number is a mistake, and would make slow adapters of all others."""
HARMFUL = ("NCCL_IB_DISABLE", "NCCL_P2P_DISABLE", "NCCL_SHM_DISABLE")
"""Variables for debugging that take a fast way out of use when they are 1."""
GID_INDICES = ("NCCL_IB_GID_INDEX", "UCX_IB_GID_INDEX")
_RATE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) Gb/sec")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.:-]")


@dataclass(frozen=True)
class Rail:
    """One port that a job can use.

    Attributes:
        device: name of the RDMA device.
        port: its number.
        link_layer: ``InfiniBand``, ``Ethernet`` or ``efa``.
        rate_gbps: 0 where the kernel does not say.
        vf: it is a virtual function.
        netdev: its network device here; empty for InfiniBand, or where there is none.
        mtu_bytes: of `netdev`; 0 where there is none.
        gid_types: what its GIDs are, sorted.
        driver: the kernel's; empty where it does not say.
    """

    device: str
    port: int
    link_layer: str
    rate_gbps: float
    vf: bool = False
    netdev: str = ""
    mtu_bytes: int = 0
    gid_types: tuple[str, ...] = ()
    driver: str = ""

    @property
    def efa(self) -> bool:
        """Whether libfabric, not verbs, is the way to it."""
        return self.link_layer == EFA

    @property
    def name(self) -> str:
        """As NCCL and UCX call it."""
        return f"{self.device}:{self.port}"


@dataclass(frozen=True)
class Host:
    """What was read on a node.

    Attributes:
        rdma: RDMA devices.
        mtus: network device -> its MTU; every one that is up, without loopback.
        default: network device of the default route; empty without one.
        slingshot: devices of class cxi.
        memlock_bytes: limit of locked memory; None without a limit.
        cliques: ``ClusterUUID.CliqueId`` of each GPU whose NVLink fabric is complete.
        gpus: NVIDIA GPUs that the kernel has.
        gpu_direct: whether adapters can read GPU memory; None when that is not known.
        imex_channels: channels over which the job may use NVLink to other nodes; None: not known.
        granted: PCI addresses that device plugins granted to this Pod.
        given: variables about networks that are set already.
    """

    rdma: sysfs_rdma.Snapshot
    mtus: Mapping[str, int] = field(default_factory=dict)
    default: str = ""
    slingshot: tuple[str, ...] = ()
    memlock_bytes: int | None = None
    cliques: tuple[str, ...] = ()
    gpus: int = 0
    gpu_direct: bool | None = None
    imex_channels: int | None = None
    granted: frozenset[str] = frozenset()
    given: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """One variable and why it has this value."""

    name: str
    value: str
    why: str


@dataclass(frozen=True)
class Fabric:
    """What was found and chosen.

    Attributes:
        kind: infiniband, roce, efa, slingshot or tcp.
        rails: what the job uses, by name.
        excluded: device -> why the job does not use it.
        settings: in the order in which they are printed.
        kept: variables that are set already and stay so -> what would have been set.
        warnings: what makes it slower than it could be, or may make it fail.
        refusals: what makes it impossible.
    """

    kind: str
    rails: tuple[Rail, ...] = ()
    excluded: Mapping[str, str] = field(default_factory=dict)
    settings: tuple[Setting, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wishes:
    """What only the site knows.

    Attributes:
        exclude: devices that are not for jobs.
        interface: network device for control traffic; that of the default route when empty.
        queue_pairs: for each connection, on fabrics of several levels; NCCL's own when None.
        service_level: InfiniBand's.
        traffic_class: of RoCE, DSCP times four.
        sharp: reductions in the switches are wanted.
    """

    exclude: frozenset[str] = frozenset()
    interface: str = ""
    queue_pairs: int | None = None
    service_level: int | None = None
    traffic_class: int | None = None
    sharp: bool = False


def choose(host: Host, wishes: Wishes | None = None) -> Fabric:
    """Return what a job uses on a node; what the user has set stands. Pure."""
    wishes = wishes or Wishes()
    found = _choose(host, wishes)
    kept = {one.name: one.value for one in found.settings if one.name in host.given}
    return replace(
        found,
        settings=tuple(one for one in found.settings if one.name not in kept),
        kept=kept,
        warnings=(*found.warnings, *_about_what_is_set(host), *_about_gpus(found, host, wishes)),
    )


def _choose(host: Host, wishes: Wishes) -> Fabric:
    interface = wishes.interface or host.default or next(iter(sorted(host.mtus)), "")
    control = _control(host, wishes, interface)
    found, excluded = _usable(host, wishes)
    domain = _domain(host)
    if host.slingshot:
        settings = (*_slingshot(host), *domain)
        return Fabric(SLINGSHOT, _slingshot_rails(host), excluded, settings)
    if any(_is_efa(one) for one in host.rdma.devices):
        rails = tuple(one for one in found if one.efa)
        names = sorted(one.name for one in host.rdma.devices if _is_efa(one))
        why = f"adapters of vendor {AMAZON}: {', '.join(names)}"
        settings = (Setting("FI_PROVIDER", "efa", why), *control, *domain)
        return Fabric(EFA, rails, excluded, settings, warnings=_memlock(host))
    if not found:
        words = "no RDMA path: collectives go over TCP"
        if excluded:
            words += "; not used: " + ", ".join(f"{k} ({v})" for k, v in sorted(excluded.items()))
        settings = (*control, *domain)
        return Fabric(kind=TCP, excluded=excluded, settings=settings, warnings=(words,))
    rails, slow = _fastest(found)
    kind = INFINIBAND if rails[0].link_layer == "InfiniBand" else ROCE
    warnings = [*_memlock(host), *_mixed(rails)]
    return Fabric(
        kind=kind,
        rails=rails,
        excluded=excluded | slow,
        settings=(*_rdma(rails, kind, wishes), *control, *domain),
        warnings=tuple(warnings),
        refusals=tuple(_refusals(rails, kind, host)),
    )


def _usable(host: Host, wishes: Wishes) -> tuple[list[Rail], dict[str, str]]:
    """Return the ports that carry traffic, and why the others do not."""
    found, excluded = [], {}
    # Device plugins also grant what is no RDMA device: such grants say nothing here.
    here = {one.pci[0].address for one in host.rdma.devices if one.pci}
    granted = host.granted & here
    shared = {vf for one in host.rdma.devices if not one.is_vf for vf in one.vfs}
    for device in host.rdma.devices:
        address = device.pci[0].address if device.pci else ""
        if granted and address and address not in granted:
            excluded[device.name] = "not granted to this Pod"
            continue
        if device.is_vf and address in shared and not granted:
            excluded[device.name] = "a virtual function whose port the physical one here has"
            continue
        if device.name in wishes.exclude:
            excluded[device.name] = "excluded by the site"
            continue
        if _UNSAFE.search(device.name):
            excluded[device.name] = "its name is none that NCCL could be told"
            continue
        active = [one for one in device.ports if "ACTIVE" in one.values.get("state", "")]
        if not active:
            states = sorted({one.values.get("state", "unreadable") for one in device.ports})
            excluded[device.name] = f"no active port ({', '.join(states) or 'no port'})"
        rails = [_rail(device, port, host) for port in active]
        known = [one for one in rails if one.link_layer in _LAYERS]
        if rails and not known:
            excluded[device.name] = "its link layer is not known"
        found += known
    return found, excluded


def _rail(device: RdmaDevice, port: RdmaPort, host: Host) -> Rail:
    rate = _RATE.match(port.values.get("rate", ""))
    netdev = next((one.netdev for one in port.gids if one.netdev), "")
    return Rail(
        device=device.name,
        port=port.number,
        link_layer=EFA if _is_efa(device) else port.values.get("link_layer", ""),
        rate_gbps=speed if (speed := float(rate[1]) if rate else 0.0) <= HIGHEST_GBPS else 0.0,
        vf=device.is_vf,
        netdev=netdev,
        mtu_bytes=host.mtus.get(netdev, 0),
        gid_types=tuple(sorted({one.type for one in port.gids if one.type})),
        driver=device.driver,
    )


def _fastest(found: Sequence[Rail]) -> tuple[tuple[Rail, ...], dict[str, str]]:
    """Return the ports for jobs: those of the layer with most bandwidth, none much slower."""
    total: dict[str, float] = {}
    for one in found:
        total[one.link_layer] = total.get(one.link_layer, 0.0) + one.rate_gbps
    layer = max(sorted(total, reverse=True), key=lambda name: total[name])
    best = max(one.rate_gbps for one in found if one.link_layer == layer)
    rails, slow = [], {}
    for one in found:
        if one.link_layer != layer:
            slow[one.device] = f"{one.link_layer or 'no link layer'}, and jobs use {layer}"
        elif best and not one.rate_gbps:
            slow[one.device] = "its rate is not known"
        elif one.rate_gbps < SLOW_SHARE * best:
            slow[one.device] = f"{one.rate_gbps:g} Gb/s beside {best:g}: for storage or management"
        else:
            rails.append(one)
    return tuple(rails), slow


def _rdma(rails: Sequence[Rail], kind: str, wishes: Wishes) -> Iterator[Setting]:
    names = ",".join(one.name for one in rails)
    why = "; ".join(
        f"{one.name} {one.rate_gbps:g} Gb/s{' VF' if one.vf else ''}"
        f"{' ' + one.netdev if one.netdev else ''}"
        for one in rails
    )
    # "=" asks for exactly these names: without it mlx5_1 also means mlx5_10.
    yield Setting("NCCL_IB_HCA", f"={names}", why)
    yield Setting("UCX_NET_DEVICES", names, "the same ports")
    if wishes.queue_pairs is not None:
        yield Setting("NCCL_IB_QPS_PER_CONNECTION", str(wishes.queue_pairs), "said by the site")
    if wishes.service_level is not None and kind == INFINIBAND:
        yield Setting("NCCL_IB_SL", str(wishes.service_level), "said by the site")
    if wishes.traffic_class is not None and kind == ROCE:
        yield Setting("NCCL_IB_TC", str(wishes.traffic_class), "said by the site")
    if wishes.sharp and kind == INFINIBAND:
        yield Setting("NCCL_COLLNET_ENABLE", "1", "SHARP is asked for")
        yield Setting("SHARP_COLL_ENABLE_SAT", "1", "trees that stream large messages")
        yield Setting("SHARP_COLL_ENABLE_PCI_RELAXED_ORDERING", "1", "as NCCL itself does")
        yield Setting("SHARP_SMX_UCX_INTERFACE", rails[0].name, "SHARP's own traffic on one port")
        yield Setting("SHARP_COLL_LOG_LEVEL", "3", "a refusal has to be seen")


def _control(host: Host, wishes: Wishes, interface: str) -> tuple[Setting, ...]:
    if not interface or _UNSAFE.search(interface):
        return ()
    if wishes.interface:
        why = "said by the site"
    elif host.default:
        why = "it has the default route"
    else:
        why = f"first of {len(host.mtus)} that are up; there is no default route"
    return (Setting("NCCL_SOCKET_IFNAME", f"={interface}", why),)


def _slingshot_rails(host: Host) -> tuple[Rail, ...]:
    """Return Slingshot's adapters, each with its network device ``hsn<number>`` if that is up."""
    found = []
    for one in host.slingshot:
        netdev = f"hsn{one.removeprefix('cxi')}"
        here = netdev in host.mtus
        mtu = host.mtus.get(netdev, 0)
        found.append(Rail(one, 1, SLINGSHOT, 0.0, netdev=netdev if here else "", mtu_bytes=mtu))
    return tuple(found)


def _slingshot(host: Host) -> Iterator[Setting]:
    why = f"devices of class cxi: {', '.join(host.slingshot)}"
    yield Setting("NCCL_NET", "AWS Libfabric", why)
    names = [one.netdev for one in _slingshot_rails(host) if one.netdev]
    if names:
        value = f"={','.join(names)}"
        yield Setting("NCCL_SOCKET_IFNAME", value, "Slingshot's network devices")
    yield Setting("NCCL_CROSS_NIC", "1", "every adapter of a node reaches every switch")
    yield Setting("NCCL_NET_GDR_LEVEL", "PHB", "GPU and adapter share a host bridge")
    yield Setting("FI_MR_CACHE_MONITOR", "userfaultfd", "memory that is freed leaves the cache")


def _domain(host: Host) -> tuple[Setting, ...]:
    if not _spans_nodes(host):
        return ()
    why = f"NVLink domain {host.cliques[0]}, {len(host.cliques)} GPUs here"
    return (
        Setting("NCCL_MNNVL_ENABLE", "2", why),
        Setting("NCCL_CUMEM_ENABLE", "1", "memory that other nodes of the domain can map"),
    )


def _spans_nodes(host: Host) -> bool:
    """Return whether all GPUs here are in one NVLink domain, and the job may use it."""
    return len(set(host.cliques)) == 1 and host.imex_channels != 0


def _about_what_is_set(host: Host) -> Iterator[str]:
    for name in HARMFUL:
        if host.given.get(name) == "1":
            yield f"{name}=1 is set: it takes a fast way out of use"
    if host.given.get("NCCL_NET") == "Socket":
        yield "NCCL_NET=Socket is set: it takes a fast way out of use"
    for name in GID_INDICES:
        if name in host.given:
            yield f"{name} is set: the index differs from Pod to Pod"


def _about_gpus(found: Fabric, host: Host, wishes: Wishes) -> Iterator[str]:
    if host.gpus and host.gpu_direct is False and found.kind != TCP:
        yield "neither nvidia_peermem nor DMA-BUF: GPU memory goes through the host"
    if host.cliques and host.imex_channels == 0:
        yield "an NVLink domain, and no IMEX channel: ask Slurm for one to use it between nodes"
    if len(set(host.cliques)) > 1:
        yield f"GPUs of {len(set(host.cliques))} NVLink domains on one node"
    if wishes.sharp and found.kind != INFINIBAND:
        yield f"SHARP is asked for, and the fabric is {found.kind}"


def _is_efa(device: RdmaDevice) -> bool:
    return bool(device.pci) and device.pci[0].values.get("vendor") == AMAZON


def _memlock(host: Host) -> tuple[str, ...]:
    limit = host.memlock_bytes
    if limit is None or limit >= MEMLOCK_BYTES:
        return ()
    return (
        f"locked memory is limited to {limit} bytes: RDMA needs it unlimited "
        "(ulimit -l; slurmd passes its own limit on)",
    )


def _mixed(rails: Sequence[Rail]) -> Iterator[str]:
    for what, values in (
        ("rates", {f"{one.rate_gbps:g} Gb/s" for one in rails}),
        ("MTUs", {str(one.mtu_bytes) for one in rails if one.mtu_bytes}),
    ):
        if len(values) > 1:
            yield f"ports of one node have different {what}: {', '.join(sorted(values))}"


def _refusals(rails: Sequence[Rail], kind: str, host: Host) -> Iterator[str]:
    if kind != ROCE:
        return
    for one in rails:
        if not any("v2" in word for word in one.gid_types):
            yield f"{one.name} has no GID of RoCE v2: its network device has no address here"
        elif one.netdev not in host.mtus:
            where = one.netdev or "none"
            yield f"{one.name}: its network device ({where}) is not up in this network namespace"
