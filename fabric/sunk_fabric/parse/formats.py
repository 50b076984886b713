"""All formats by name: what a folder of texts may hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sunk_fabric.parse import (
    iblinkinfo,
    ibnetdiscover,
    ibqueryerrors,
    ibstat,
    ibv_devinfo,
    ip_link,
    lspci,
    nccl_log,
    nccl_tests,
    network_status,
    nvidia_topo,
    perfquery,
    perftest,
    rdma_link,
    rdma_system,
    saquery,
    sminfo,
    smpquery,
    sriov_state,
    sysfs_rdma,
)
from sunk_fabric.parse.text import Content, Parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format.

    Attributes:
        name: the module's, ``ibnetdiscover``; a file of that name holds it.
        command: what prints it.
        parse: from bytes to the outcome.
    """

    name: str
    command: str
    parse: Callable[[Content], Parsed[Any]]


FORMATS = (
    Format(name="iblinkinfo", command="iblinkinfo", parse=iblinkinfo.parse),
    Format(name="ibnetdiscover", command="ibnetdiscover", parse=ibnetdiscover.parse),
    Format(name="ibqueryerrors", command="ibqueryerrors --skip-sl", parse=ibqueryerrors.parse),
    Format(name="ibstat", command="ibstat", parse=ibstat.parse),
    Format(name="ibv_devinfo", command="ibv_devinfo -v", parse=ibv_devinfo.parse),
    Format(name="ip_link", command="ip -d -j link", parse=ip_link.parse),
    Format(name="lspci", command="lspci -vv", parse=lspci.parse),
    Format(name="nccl_log", command="NCCL_DEBUG=INFO", parse=nccl_log.parse),
    Format(name="nccl_tests", command="all_reduce_perf", parse=nccl_tests.parse),
    Format(
        name="network_status",
        command="annotation k8s.v1.cni.cncf.io/network-status",
        parse=network_status.parse,
    ),
    Format(name="nvidia_topo", command="nvidia-smi topo -m", parse=nvidia_topo.parse),
    Format(name="perfquery", command="perfquery", parse=perfquery.parse),
    Format(name="perftest", command="ib_write_bw --report_gbits", parse=perftest.parse),
    Format(name="rdma_link", command="rdma -j link", parse=rdma_link.parse),
    Format(name="rdma_system", command="rdma -j system show", parse=rdma_system.parse),
    Format(name="saquery", command="saquery", parse=saquery.parse),
    Format(name="sminfo", command="sminfo", parse=sminfo.parse),
    Format(name="smpquery", command="smpquery portinfo LID PORT", parse=smpquery.parse),
    Format(
        name="sriov_state",
        command="kubectl get sriovnetworknodestates -A -o json",
        parse=sriov_state.parse,
    ),
    Format(name="sysfs_rdma", command="python -m sunk_jobs.sysfs_rdma", parse=sysfs_rdma.parse),
)
BY_NAME = {one.name: one for one in FORMATS}
