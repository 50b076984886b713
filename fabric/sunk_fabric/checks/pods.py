"""Inside Pods: what was granted, and what is there.

Texts from inside are those of ``sunk fabric collect --pods``, or whose host is the Pod's name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.amounts import GPU
from sunk_fabric.checks.answers import (
    each,
    inside,
    lacking,
    latest,
    missing,
    place,
    said,
    sound,
    trouble,
)
from sunk_fabric.checks.locality import nearest_of
from sunk_fabric.expected import ROCE_DEVICE_HEADERS_BYTES
from sunk_fabric.facts import Facts, Parser, Reading
from sunk_fabric.parse import (
    df,
    ip_link,
    ldconfig,
    network_attachments,
    nvidia_topo,
    pcidevice_env,
    perftest,
    pod_networks,
    proc_limits,
    rdma_system,
    rping,
    sysfs_rdma,
)
from sunk_fabric.parse.network_status import Attachment
from sunk_fabric.parse.nvidia_topo import Matrix
from sunk_fabric.parse.pod_networks import PodAttachments
from sunk_fabric.parse.proc_limits import Limit
from sunk_jobs.sysfs_rdma import RdmaPort, Snapshot

T = TypeVar("T")
Judged = tuple[Verdict, str]
FAR = Verdict.FAIL
LOCKED = "Max locked memory"
DEFAULT_SHM_BYTES = 64 * 2**20
"""What container runtimes give unless told otherwise."""
VERBS = frozenset({"libibverbs.so.1", "libfabric.so.1"})
SHM = "/dev/shm"  # noqa: S108 - the mount that is asked about


def _pods(facts: Facts, judged: Callable[[PodAttachments], Judged]) -> Iterator[Answer]:
    """Ask about every Pod that asked for networks and is bound to a Node."""

    def judge(reading: Reading[tuple[PodAttachments, ...]]) -> Iterator[Answer]:
        for pod in reading.parsed.value:
            subject = subjects.pod(pod.pod.namespace, pod.pod.name)
            if pod.pod.node:
                yield said(*judged(pod), subject, reading)
            else:
                yield said(Verdict.SKIP, "it is on no Node yet", subject, reading)
        if not reading.parsed.value:
            yield said(Verdict.SKIP, "no Pod asks for networks", place(reading), reading)

    yield from each(facts, pod_networks.parse, judge)


def _inside(
    facts: Facts,
    parser: Parser[T],
    judged: Callable[[PodAttachments, T], Judged],
    part: str = "",
    *,
    spared: Callable[[PodAttachments], str] = lambda _pod: "",
) -> Iterator[Answer]:
    """Ask about every such Pod and a text from inside it.

    Args:
        facts: everything.
        parser: of the text.
        judged: judges it.
        part: of its Node, whose fault would be the Pod's too.
        spared: returns why a Pod is not asked about, which is a SKIP then, or nothing.
    """
    if lacks := lacking(facts, pod_networks.parse):
        yield from lacks
        return
    pods = latest(facts, pod_networks.parse)
    texts = inside(facts, parser)
    for pod in pods.parsed.value:
        subject = subjects.pod(pod.pod.namespace, pod.pod.name)
        text = texts(pod)
        if not pod.pod.node:
            yield said(Verdict.SKIP, "it is on no Node yet", subject, pods)
        elif why := spared(pod):
            yield said(Verdict.SKIP, why, subject, pods)
        elif text is None:
            words = f"{missing(parser).found} from inside it"
            yield said(Verdict.UNKNOWN, words, subject, pods)
        else:
            touches = (subjects.node(pod.pod.node, part),) if part else ()
            yield said(*judged(pod, text.parsed.value), subject, pods, text, touches=touches)
    if not pods.parsed.value:
        yield said(Verdict.SKIP, "no Pod asks for networks", place(pods), pods)


def _devices(pod: PodAttachments) -> list[Attachment]:
    """Return the networks with a PCI device."""
    return [one for one in pod.attached if one.device_info and one.device_info.pci]


def _addresses(pod: PodAttachments) -> set[str]:
    infos = (one.device_info for one in pod.attached)
    return {one.pci.pci_address for one in infos if one and one.pci}


def request_match(facts: Facts) -> Iterator[Answer]:
    """As many devices asked for as networks that need one."""
    if lacks := lacking(facts, network_attachments.parse):
        yield from lacks
        return
    definitions = latest(facts, network_attachments.parse)
    resources = {one.name: one.resource for one in definitions.parsed.value}

    def judged(pod: PodAttachments) -> Judged:
        asked, devices = pod.pod.requested, pod.pod.devices
        if asked is None or devices is None:
            words = (
                "the list of networks cannot be read" if asked is None else "requests were not kept"
            )
            return Verdict.UNKNOWN, words
        unknown = sorted({one for one in asked if one not in resources})
        if unknown:
            return Verdict.FAIL, f"there is no attachment {', '.join(unknown)}"
        needed = Counter(resources[one] for one in asked if resources[one])
        wrong = [
            f"{name}: {devices.get(name, 0)} asked for, {count} networks need one"
            for name, count in sorted(needed.items())
            if devices.get(name, 0) != count
        ]
        return (Verdict.FAIL, "; ".join(wrong)) if wrong else (Verdict.PASS, _list(needed))

    for answer in _pods(facts, judged):
        yield _with(answer, definitions)


def _list(needed: Mapping[str, int]) -> str:
    if not needed:
        return "its networks need no devices"
    return ", ".join(f"{name}: {count}" for name, count in sorted(needed.items()))


def _with(answer: Answer, reading: Reading[Any]) -> Answer:
    return Answer(
        verdict=answer.verdict,
        found=answer.found,
        subject=answer.subject,
        evidence=(*answer.evidence, reading.evidence),
    )


def network_status(facts: Facts) -> Iterator[Answer]:
    """Every network that was asked for is attached."""

    def judged(pod: PodAttachments) -> Judged:
        asked = pod.pod.requested
        if asked is None:
            return Verdict.UNKNOWN, "the list of networks cannot be read"
        there = Counter(one.name for one in pod.attached if not one.default)
        gone = sorted((Counter(asked) - there).elements())
        if gone:
            return Verdict.FAIL, f"not attached: {', '.join(gone)}"
        bare = sorted(one.name for one in pod.attached if not one.default and not one.device_info)
        if bare and pod.pod.devices:
            return Verdict.WARN, f"no device is told of for {', '.join(bare)}"
        return Verdict.PASS, f"attached: {', '.join(asked) or 'none was asked for'}"

    yield from _pods(facts, judged)


def device_env(facts: Facts) -> Iterator[Answer]:
    """Variables, annotation and sysfs name the same devices."""
    views = inside(facts, sysfs_rdma.parse)

    def judged(pod: PodAttachments, variables: Mapping[str, tuple[str, ...]]) -> Judged:
        granted = {one for found in variables.values() for one in found}
        told = _addresses(pod)
        view = views(pod)
        seen = {d.pci[0].address for d in view.parsed.value.devices if d.pci} if view else None
        if not granted and not told:
            return Verdict.SKIP, "it has no PCI devices"
        if granted != told:
            return Verdict.FAIL, f"PCIDEVICE_* name {_set(granted)}, network-status {_set(told)}"
        if seen is None:
            return Verdict.UNKNOWN, f"{_set(told)} by both names; its sysfs was not collected"
        if told - seen:
            return Verdict.FAIL, f"{_set(told - seen)} has no RDMA device in the Pod"
        return Verdict.PASS, f"{_set(told)} by all names"

    yield from _inside(facts, pcidevice_env.parse, judged)


def _set(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def visible(facts: Facts) -> Iterator[Answer]:
    """The granted RDMA devices are there, and in exclusive mode no others."""
    modes = {
        one.host: {each.netns for each in one.parsed.value}
        for one in sound(facts, rdma_system.parse)
    }

    def judged(pod: PodAttachments, view: Snapshot) -> Judged:
        granted = _addresses(pod)
        there = {d.pci[0].address: d.name for d in view.devices if d.pci}
        if not granted:
            return Verdict.SKIP, "no device was granted"
        gone, more = granted - set(there), sorted(set(there) - granted)
        if gone:
            return Verdict.FAIL, f"no RDMA device for {_set(gone)}"
        mode = modes.get(pod.pod.node, set())
        names = ", ".join(there[one] for one in more)
        if more and mode == {"exclusive"}:
            return Verdict.FAIL, f"it sees {names} too, which it was not granted"
        if more and mode == {"shared"}:
            return Verdict.WARN, f"it sees {names} too: the mode is shared"
        if more:
            return Verdict.UNKNOWN, f"it sees {names} too; the mode of its Node is not known"
        return Verdict.PASS, f"{', '.join(sorted(there.values()))} alone"

    yield from _inside(facts, sysfs_rdma.parse, judged)


def gid_mtu(facts: Facts) -> Iterator[Answer]:
    """Granted devices have a routable GID, and their interfaces the MTU."""
    wanted = facts.expected.rdma_mtu_bytes + ROCE_DEVICE_HEADERS_BYTES
    links = inside(facts, ip_link.parse)

    def judged(pod: PodAttachments, view: Snapshot) -> Judged:
        granted = _addresses(pod)
        devices = [one for one in view.devices if one.pci and one.pci[0].address in granted]
        if not devices:
            words = "none of its devices is seen" if granted else "no device was granted"
            return Verdict.FAIL if granted else Verdict.SKIP, words
        ethernet = [
            (device.name, port)
            for device in devices
            for port in device.ports
            if port.values.get("link_layer") == "Ethernet"
        ]
        bare = [name for name, port in ethernet if not _routable(port)]
        if bare:
            return Verdict.FAIL, f"no routable RoCE v2 entry at {', '.join(bare)}"
        if not ethernet:
            return Verdict.SKIP, "the link layer is not Ethernet"
        reading = links(pod)
        own = None if reading is None else reading.parsed.value
        names = {one.interface for one in _devices(pod)}
        if own is None or names - {one.ifname for one in own}:
            return Verdict.UNKNOWN, "GIDs are there; the MTU of an interface is not told"
        small = [
            f"{one.ifname} {one.mtu}" for one in own if one.ifname in names and one.mtu < wanted
        ]
        if small:
            return Verdict.FAIL, f"MTU of {', '.join(small)} bytes, {wanted} are needed"
        return Verdict.PASS, f"{len(ethernet)} ports with a GID, MTU of {wanted} bytes and more"

    yield from _inside(facts, sysfs_rdma.parse, judged)


def _routable(port: RdmaPort) -> bool:
    return any(
        one.type == "RoCE v2" and not one.gid.lower().startswith("fe80") for one in port.gids
    )


def memlock(facts: Facts) -> Iterator[Answer]:
    """No limit of locked memory inside."""

    def judged(_pod: PodAttachments, limits: Mapping[str, Limit]) -> Judged:
        limit = limits.get(LOCKED)
        if limit is None:
            return Verdict.UNKNOWN, f"{LOCKED} is not told"
        if limit.soft is None:
            return Verdict.PASS, "locked memory is unlimited"
        return Verdict.FAIL, f"locked memory is {limit.soft} bytes"

    yield from _inside(facts, proc_limits.parse, judged, "limits")


def libraries(facts: Facts) -> Iterator[Answer]:
    """Programs inside find the library of RDMA verbs, or that of libfabric."""

    def judged(_pod: PodAttachments, found: frozenset[str]) -> Judged:
        there = sorted(VERBS & found)
        if not there:
            return Verdict.FAIL, f"neither {' nor '.join(sorted(VERBS))} is found"
        return Verdict.PASS, f"{', '.join(there)} is found"

    yield from _inside(facts, ldconfig.parse, judged, spared=_without_devices)


def _without_devices(pod: PodAttachments) -> str:
    return "no device was granted" if not _addresses(pod) else ""


def gpus(facts: Facts) -> Iterator[Answer]:
    """As many GPUs inside as were asked for."""

    def judged(pod: PodAttachments, found: Matrix) -> Judged:
        if pod.pod.devices is None:
            return Verdict.UNKNOWN, "requests were not kept"
        asked = pod.pod.devices.get(GPU, 0)
        there = sum(one.startswith("GPU") for one in found.names)
        words = f"{there} GPUs, {asked} asked for"
        if there < asked:
            return Verdict.FAIL, words
        return (Verdict.PASS if there == asked else Verdict.WARN), words

    yield from _inside(facts, nvidia_topo.parse, judged, spared=_without_gpus)


def near(facts: Facts) -> Iterator[Answer]:
    """Each GPU inside has an adapter inside behind PCIe bridges alone."""

    def judged(_pod: PodAttachments, found: Matrix) -> Judged:
        each_gpu = {one: nearest_of(found, one) for one in found.names if one.startswith("GPU")}
        far = [f"{name}: {words}" for name, (verdict, words) in each_gpu.items() if verdict is FAR]
        lost = [name for name, (verdict, _) in each_gpu.items() if verdict is Verdict.UNKNOWN]
        if far:
            return Verdict.FAIL, "; ".join(far)
        if lost or not each_gpu:
            return Verdict.UNKNOWN, f"no adapter or no GPU is seen in it, {len(each_gpu)} GPUs"
        return Verdict.PASS, f"{len(each_gpu)} GPUs with an adapter at PIX or PXB"

    yield from _inside(facts, nvidia_topo.parse, judged, spared=_without_gpus)


def _without_gpus(pod: PodAttachments) -> str:
    devices = pod.pod.devices
    return "it asked for no GPU" if devices is not None and not devices.get(GPU) else ""


def shm(facts: Facts) -> Iterator[Answer]:
    """More shared memory than a runtime's default."""

    def judged(_pod: PodAttachments, mounts: Mapping[str, df.FileSystem]) -> Judged:
        there = mounts.get(SHM)
        if there is None:
            return Verdict.UNKNOWN, f"{SHM} is not told of"
        words = f"{there.size_bytes // 2**20} MiB at {SHM}"
        return (Verdict.PASS if there.size_bytes > DEFAULT_SHM_BYTES else Verdict.FAIL), words

    yield from _inside(facts, df.parse, judged)


def reached(facts: Facts) -> Iterator[Answer]:
    """Something went over RDMA from inside each Pod that was granted a device."""
    if lacks := lacking(facts, pod_networks.parse):
        yield from lacks
        return
    pods = latest(facts, pod_networks.parse)
    runs: dict[str, list[Reading[Any]]] = {}
    pings: tuple[Reading[Any], ...] = facts.of(rping.parse, pods=True)
    for one in (*pings, *facts.of(perftest.parse, pods=True)):
        runs.setdefault(one.host, []).append(one)
    for pod in pods.parsed.value:
        subject = subjects.pod(pod.pod.namespace, pod.pod.name)
        own = [one for host in pod.hosts for one in runs.get(host, ())]
        if not _devices(pod):
            words = "no network of it has a device"
            yield said(Verdict.SKIP, words, subject, pods)
        elif not own:
            yield said(
                Verdict.UNKNOWN, f"{missing(rping.parse).found} from inside it", subject, pods
            )
        else:
            yield said(*_transfers(own), subject, pods, *own)
    if not pods.parsed.value:
        yield said(Verdict.SKIP, "no Pod asks for networks", place(pods), pods)


def _transfers(runs: list[Reading[Any]]) -> Judged:
    """Return whether any of the runs went wrong, or none shows that it went well."""
    wrong = [one for one in runs if one.format == "rping" and one.parsed.value.errors]
    if wrong:
        return Verdict.FAIL, wrong[0].parsed.value.errors[0]
    unsound = [words for one in runs if (words := trouble(one))]
    if unsound:
        return Verdict.UNKNOWN, unsound[0]
    return Verdict.PASS, f"{len(runs)} runs from it over RDMA"
