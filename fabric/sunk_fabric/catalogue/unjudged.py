"""Checks without a judge function, and why: each is UNKNOWN, never PASS."""

from __future__ import annotations

from collections.abc import Mapping

_DRILL = "needs somebody to break a part on purpose; no text that was collected shows it"
_LOAD = "needs a run of the workload itself; no program of it is known to every site"
_UFM = "told by the vendor's fabric manager alone, which is not asked"
_IBDIAGNET = "told by tables of ibdiagnet that have no parser yet"

WHY: Mapping[str, str] = {
    "accept.cost": "the plan's own ledger tells it; the fabric's texts do not",
    "accept.failure.link": _DRILL,
    "accept.failure.manager": _DRILL,
    "accept.failure.node": _DRILL,
    "accept.operator": "people sign it; no machine tells",
    "accept.upgrade": "compares two bundles; one folder is one of them",
    "app.infer.batch": _LOAD,
    "app.infer.realtime": _LOAD,
    "app.infer.stream": _LOAD,
    "app.server.ready": _LOAD,
    "app.train.step": _LOAD,
    "ib.ar.enabled": _IBDIAGNET,
    "ib.congestion": "how long one tick of PortXmitWait is, ports do not tell",
    "ib.fw.switch": _IBDIAGNET,
    "k8s.pod.rping": "needs a run between Pods; sunk fabric test measures hosts",
    "loc.rank.nic": "the reader of NCCL's log keeps the kind of a channel, and not its adapter",
    "loc.task.cpu": "the processors that a task may use are in no text that is collected",
    "nccl.bandwidth.variance": "needs the figures of single iterations, which text has not",
    "nccl.hang": "needs a budget of time for a run",
    "rdma.loopback.bandwidth": "needs a run between two adapters of one host",
    "rdma.loopback.scope": "needs a run between two adapters of one host",
    "rdma.pair.gdr": "needs the same pair twice, with GPU memory and without",
    "runtime.pmi": "needs a job at size",
    "sched.drain_loop": _DRILL,
    "sched.gang": "needs a job of the promised size",
    "sharp.dtype": "which types a plugin can reduce, it does not tell",
    "sharp.failover": _DRILL,
    "sharp.mpi": "whether MPI reduced in the network, the text of a benchmark does not tell",
    "sharp.reservation": _UFM,
}
"""Check -> what is missing for a judge function."""
