"""Which function answers which check, and the catalogue that a site is judged by."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from sunk.assess.check import Check
from sunk.assess.graph import with_dependencies
from sunk.assess.judge import Answer, Catalogue, JudgeFunction
from sunk.assess.verdict import Verdict
from sunk.errors import InputError
from sunk_fabric.catalogue.all import CHECKS
from sunk_fabric.catalogue.unjudged import WHY
from sunk_fabric.checks import (
    active,
    aer,
    aggregation,
    amounts,
    chain,
    collectives,
    copies,
    drains,
    endings,
    evidence,
    fabric,
    flaps,
    functions,
    gain,
    gpus,
    grace,
    host,
    in_network,
    kernel_log,
    locality,
    loopbacks,
    lossless,
    machine,
    mpi,
    optics,
    pairs,
    pci_tree,
    pcie,
    pods,
    policies,
    ports,
    rates,
    roce,
    routes,
    scale,
    scheduler,
    servers,
    site,
    sriov,
    storage,
    subnet,
    workloads,
)
from sunk_fabric.facts import Facts
from sunk_fabric.parse import collection

JUDGES: Mapping[str, JudgeFunction[Facts]] = {
    "app.infer.batch": workloads.batch,
    "app.infer.realtime": workloads.realtime,
    "app.infer.stream": workloads.stream,
    "app.server.ready": servers.transport,
    "app.train.step": workloads.trained,
    "evidence.hosts": evidence.hosts,
    "evidence.identity": evidence.identity,
    "evidence.known": evidence.known,
    "evidence.sound": evidence.sound,
    "host.clock.sync": machine.clock,
    "host.cpu.governor": machine.governor,
    "host.dmesg.mlx5": kernel_log.mlx5,
    "host.dmesg.xid": kernel_log.xid,
    "host.gdr.path": gpus.direct,
    "host.gdr.grace": grace.option,
    "host.gpu.dcgm": copies.diagnostic,
    "host.gpu.rowremap": gpus.memory,
    "host.hugepages": machine.hugepages,
    "host.inventory.match": machine.parts,
    "host.kernel.uniform": machine.software,
    "host.limits.memlock": host.memlock,
    "host.modules": host.modules,
    "host.numa.balancing": machine.balancing,
    "ib.cable.ddm": optics.module,
    "ib.counters.fabric": subnet.errors,
    "ib.fw.switch": fabric.firmware,
    "ib.guid.unique": fabric.guids,
    "ib.ibdiagnet": site.vendor_tool,
    "ib.lft.balance": routes.balance,
    "ib.lft.deadlock": routes.deadlock,
    "ib.lft.reach": routes.reach,
    "ib.link.ber": optics.bit_errors,
    "ib.link.degraded": fabric.degraded,
    "ib.link.state": subnet.states,
    "ib.nodedesc.sane": fabric.descriptions,
    "ib.nodes.complete": fabric.complete,
    "ib.pkey": site.partitions,
    "ib.shield.enabled": subnet.shield,
    "ib.sm.master": subnet.master,
    "ib.sm.routing": subnet.routing,
    "ib.sm.standby": subnet.standby,
    "ib.switches.complete": fabric.switches,
    "ib.topology.intended": fabric.intended,
    "ib.topology.levels": fabric.levels,
    "ib.topology.nonblocking": fabric.nonblocking,
    "ib.topology.planes": fabric.planes,
    "ib.topology.rails": fabric.rails,
    "ib.topology.uniform": fabric.uniform,
    "k8s.chain": chain.proved,
    "k8s.control_vs_hardware": amounts.hardware,
    "k8s.dra.claims": amounts.claims,
    "k8s.nad.rdma_chain": chain.rdma,
    "k8s.nad.resource": chain.resource,
    "k8s.nad.valid": chain.valid,
    "k8s.operator.state": policies.operators,
    "k8s.pod.device_env": pods.device_env,
    "k8s.pod.gid_mtu": pods.gid_mtu,
    "k8s.pod.memlock": pods.memlock,
    "k8s.pod.network_status": pods.network_status,
    "k8s.pod.rdma_visible": pods.visible,
    "k8s.pod.request_match": pods.request_match,
    "k8s.pod.rping": pods.reached,
    "k8s.pod.shm": pods.shm,
    "k8s.pod.stack": pods.libraries,
    "loc.numa": locality.numa,
    "loc.nvlink.fabric": gpus.domain,
    "loc.pod.gpu_nic": pods.near,
    "loc.rank.nic": locality.ranks,
    "loc.task.cpu": locality.tasks,
    "loc.topo.matrix": locality.matrix,
    "loc.topo.sysfs": pci_tree.agrees,
    "nccl.bandwidth.node": scale.within_host,
    "nccl.bandwidth.scale": scale.bandwidth,
    "nccl.bandwidth.variance": scale.variance,
    "nccl.env.clean": collectives.environment,
    "nccl.errors": collectives.errors,
    "nccl.hang": endings.ended,
    "nccl.mpi.bandwidth": mpi.bandwidth,
    "nccl.mpi.latency": mpi.latency,
    "nccl.path.algorithm": collectives.algorithm,
    "nccl.path.gdr": collectives.gdr,
    "nccl.path.hcas": collectives.adapters,
    "nccl.path.network": collectives.network,
    "nccl.values": collectives.values,
    "pair.class.rate": rates.class_rate,
    "pair.cleanup": active.cleanup,
    "pair.congestion": rates.congestion,
    "pair.host.rate": rates.host_rate,
    "pair.leaf.rate": rates.leaf_rate,
    "pair.link.rate": rates.link_rate,
    "pair.loss": rates.loss,
    "pair.path": active.path,
    "pair.reach": active.reach,
    "pair.settings": active.settings,
    "pair.whole": active.whole,
    "pcie.acs": pcie.access_control,
    "pcie.aer": aer.errors,
    "pcie.h2d_bandwidth": copies.from_host,
    "pcie.kernel.limited": kernel_log.slots,
    "pcie.link.gpu": gpus.link,
    "pcie.link.hca": pcie.link,
    "pcie.max_read_request": pcie.read_request,
    "pcie.p2p_bandwidth": copies.to_each_other,
    "pcie.relaxed_ordering": pcie.relaxed_ordering,
    "rdma.counters.delta": ports.counters,
    "rdma.device.present": ports.present,
    "rdma.fw.uniform": ports.firmware,
    "rdma.loopback.bandwidth": loopbacks.bandwidth,
    "rdma.loopback.scope": loopbacks.scope,
    "rdma.mtu.active": ports.mtu,
    "rdma.netns": ports.netns,
    "rdma.pair.bandwidth": pairs.bandwidth,
    "rdma.pair.gdr": pairs.direct,
    "rdma.pair.latency": pairs.latency,
    "rdma.port.flaps": flaps.links,
    "rdma.port.rate": ports.rate,
    "rdma.port.state": ports.state,
    "rdma.port.uniform": ports.uniform,
    "roce.congestion.loop": lossless.loop,
    "roce.dscp.mapping": lossless.mapping,
    "roce.ecn": lossless.ecn,
    "roce.gid.index": lossless.gid_index,
    "roce.gid.table_space": lossless.table_space,
    "roce.gid.v2": roce.gid,
    "roce.ip.unique": roce.unique,
    "roce.mtu.path": roce.mtu,
    "roce.neighbour": lossless.neighbour,
    "roce.pause": lossless.pause,
    "roce.pfc": lossless.pfc,
    "roce.tclass": lossless.tclass,
    "roce.trust": lossless.trust,
    "runtime.gpu_container": pods.gpus,
    "runtime.imex": gpus.memory_domain,
    "runtime.pmi": scheduler.launcher,
    "sched.drain_loop": drains.loop,
    "sched.gang": scheduler.gang,
    "sched.gres": scheduler.gres,
    "sched.state": scheduler.state,
    "sched.topology": scheduler.topology,
    "sched.topology_address": scheduler.address,
    "sharp.am.running": site.aggregation_manager,
    "sharp.an.count": aggregation.count,
    "sharp.dtype": in_network.types,
    "sharp.hello": aggregation.hello,
    "sharp.mpi": in_network.mpi,
    "sharp.nccl.gain": gain.sharp,
    "sharp.nccl.used": in_network.nccl,
    "sharp.per_rail": aggregation.per_rail,
    "sharp.prereq": aggregation.able,
    "sharp.trees": aggregation.trees,
    "sriov.eswitch": policies.eswitch,
    "sriov.numa.advertised": policies.numa,
    "sriov.policy.selects": policies.selects,
    "sriov.resource.advertised": amounts.advertised,
    "sriov.resource.health": amounts.health,
    "sriov.state.sync": sriov.sync,
    "sriov.vf.count": sriov.count,
    "sriov.vf.ib_guid": functions.guids,
    "sriov.vf.link": functions.link,
    "sriov.vf.mtu": sriov.mtu,
    "sriov.vf.rdma": functions.rdma,
    "sriov.vf.total": sriov.total,
    "sriov.vf.trust": functions.trust,
    "storage.bandwidth": storage.bandwidth,
    "storage.fabric_separate": storage.separate,
    "storage.gds": storage.direct,
    "storage.metadata": storage.metadata,
    "storage.mount": site.mounts,
}


def catalogue(facts: Facts, only: Collection[str] = ()) -> Catalogue[Facts]:
    """Return the questions that a site is asked.

    Args:
        facts: what the site says that it does not have is SKIP with its reason.
        only: prefixes of ids; with what those checks wait for, and with whether all hosts were
            collected. All when empty.

    Raises:
        InputError: a prefix begins no id.
    """
    # Whoever asks about some hosts must hear of those that could not be asked.
    always = ("evidence.hosts",) if facts.of(collection.parse) else ()
    checks = CHECKS if not only else with_dependencies(CHECKS, _matching(CHECKS, (*only, *always)))
    judges = dict(JUDGES)
    for prefix, reason in sorted(facts.expected.not_applicable.items()):
        for name in _matching(CHECKS, [prefix]):
            judges[name] = _skip(reason)
    names = {one.id for one in checks}
    return Catalogue(checks, {name: one for name, one in judges.items() if name in names}, WHY)


def _matching(checks: Iterable[Check], prefixes: Iterable[str]) -> tuple[str, ...]:
    names = [one.id for one in checks]
    found: list[str] = []
    for prefix in prefixes:
        matching = [one for one in names if one == prefix or one.startswith(f"{prefix}.")]
        if not matching:
            groups = ", ".join(sorted({one.partition(".")[0] for one in names}))
            raise InputError(
                f"choose checks: none is called {prefix!r}, and none begins with it",
                hint=f"groups are {groups}; sunk fabric catalogue list shows all",
            )
        found += matching
    return tuple(sorted(set(found)))


def _skip(reason: str) -> JudgeFunction[Facts]:
    def answer(_facts: Facts) -> Iterator[Answer]:
        yield Answer(verdict=Verdict.SKIP, found=reason)

    return answer
