"""All formats by name: what a folder of texts may hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sunk_fabric.parse import (
    chronyc,
    collection,
    collectives,
    df,
    dmesg,
    dump_lfts,
    ethtool,
    ibdiagnet_db,
    ibdiagnet_screen,
    ibdiagnet_sharp,
    ibdmchk,
    iblinkinfo,
    ibnetdiscover,
    ibqueryerrors,
    ibstat,
    ibv_devinfo,
    ip_link,
    iperf3,
    kernel_files,
    lspci,
    mlnx_qos,
    mlxlink,
    nccl_log,
    nccl_tests,
    network_attachments,
    network_status,
    nic_cluster_policies,
    nodes,
    nvidia_smi,
    nvidia_topo,
    ofed_version,
    opensm_log,
    pair,
    pcidevice_env,
    perfquery,
    perftest,
    pod_networks,
    proc_limits,
    proc_modules,
    proc_mounts,
    rdma_link,
    rdma_system,
    resource_slices,
    saquery,
    sharp_hello,
    sharp_manager,
    slurm_nodes,
    slurm_topology,
    sminfo,
    smpquery,
    sriov_policies,
    sriov_state,
    subnet_lst,
    sysfs_rdma,
    timedatectl,
    traffic_record,
    uname,
)
from sunk_fabric.parse.text import Content, Parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format.

    Attributes:
        name: the module's, ``ibnetdiscover``; a file of that name holds it.
        command: what prints it.
        words: how a command of evidence begins, options left out; the format's name otherwise.
        parse: from bytes to the outcome.
    """

    name: str
    command: str
    words: tuple[tuple[str, ...], ...] = ()
    parse: Callable[[Content], Parsed[Any]]


_PERFTEST = tuple(
    (f"ib_{verb}_{what}",) for verb in ("write", "read", "send") for what in ("bw", "lat")
)
_NCCL_TESTS = tuple(
    (f"{one}_perf",)
    for one in ("all_gather", "all_reduce", "alltoall", "broadcast", "reduce_scatter", "sendrecv")
)

FORMATS = (
    Format(
        name="collection",
        command="sunk fabric collect",
        words=(("sunk", "fabric", "collect"),),
        parse=collection.parse,
    ),
    Format(
        name="traffic_record",
        command="sunk fabric test",
        words=(("sunk", "fabric", "test"),),
        parse=traffic_record.parse,
    ),
    Format(
        name="collectives",
        command="python3 -m sunk_jobs.collectives",
        words=tuple(
            (python, *(f"sunk_jobs.{one}" for one in names))
            for python in ("python", "python3")
            for names in (
                ("collectives",),
                ("torch_collectives",),
                ("torchrun", "torch_collectives"),
            )
        ),
        parse=collectives.parse,
    ),
    Format(name="df", command="df -Pk /dev/shm", parse=df.parse),
    Format(
        name="dump_lfts",
        command="dump_lfts",
        words=(("dump_lfts",), ("dump_fts",), ("ibroute",), ("opensm-lfts.dump",)),
        parse=dump_lfts.parse,
    ),
    Format(
        name="ibdiagnet_db",
        command="ibdiagnet, its file ibdiagnet2.db_csv",
        words=(("ibdiagnet2.db_csv",),),
        parse=ibdiagnet_db.parse,
    ),
    Format(
        name="ibdiagnet_sharp",
        command="ibdiagnet --sharp, its file ibdiagnet2.sharp",
        words=(("ibdiagnet2.sharp",),),
        parse=ibdiagnet_sharp.parse,
    ),
    Format(name="ibdmchk", command="ibdmchk on the dumps of opensm -D 0x43", parse=ibdmchk.parse),
    Format(name="iblinkinfo", command="iblinkinfo", parse=iblinkinfo.parse),
    Format(name="ibnetdiscover", command="ibnetdiscover", parse=ibnetdiscover.parse),
    Format(name="ibqueryerrors", command="ibqueryerrors --skip-sl", parse=ibqueryerrors.parse),
    Format(name="ibstat", command="ibstat", parse=ibstat.parse),
    Format(name="ibv_devinfo", command="ibv_devinfo -v", parse=ibv_devinfo.parse),
    Format(name="ip_link", command="ip -d -j link", words=(("ip", "link"),), parse=ip_link.parse),
    Format(
        name="iperf3",
        command="iperf3 --json --client HOST",
        words=(("iperf3",),),
        parse=iperf3.parse,
    ),
    Format(name="lspci", command="lspci -vv", parse=lspci.parse),
    Format(name="nccl_log", command="NCCL_DEBUG=INFO", parse=nccl_log.parse),
    Format(name="nccl_tests", command="all_reduce_perf", words=_NCCL_TESTS, parse=nccl_tests.parse),
    Format(
        name="network_attachments",
        command="GET /apis/k8s.cni.cncf.io/v1/network-attachment-definitions",
        words=(
            ("GET", "/apis/k8s.cni.cncf.io/v1/network-attachment-definitions"),
            ("kubectl", "get", "net-attach-def"),
        ),
        parse=network_attachments.parse,
    ),
    Format(
        name="network_status",
        command="annotation k8s.v1.cni.cncf.io/network-status",
        parse=network_status.parse,
    ),
    Format(
        name="nic_cluster_policies",
        command="GET /apis/mellanox.com/v1alpha1/nicclusterpolicies",
        words=(
            ("GET", "/apis/mellanox.com/v1alpha1/nicclusterpolicies"),
            ("kubectl", "get", "nicclusterpolicies"),
        ),
        parse=nic_cluster_policies.parse,
    ),
    Format(
        name="nodes",
        command="GET /api/v1/nodes",
        words=(("GET", "/api/v1/nodes"), ("kubectl", "get", "nodes")),
        parse=nodes.parse,
    ),
    Format(
        name="nvidia_topo",
        command="nvidia-smi topo -m",
        words=(("nvidia-smi", "topo"),),
        parse=nvidia_topo.parse,
    ),
    Format(name="opensm_log", command="log of opensm", parse=opensm_log.parse),
    Format(
        name="pair",
        command="python3 -m sunk_jobs.pair send",
        words=(("python", "sunk_jobs.pair"), ("python3", "sunk_jobs.pair")),
        parse=pair.parse,
    ),
    Format(
        name="pcidevice_env",
        command="grep PCIDEVICE_ in /proc/1/environ",
        parse=pcidevice_env.parse,
    ),
    Format(name="perfquery", command="perfquery", parse=perfquery.parse),
    Format(
        name="perftest", command="ib_write_bw --report_gbits", words=_PERFTEST, parse=perftest.parse
    ),
    Format(
        name="pod_networks",
        command="GET /api/v1/pods, of which networks and Node are kept",
        parse=pod_networks.parse,
    ),
    Format(
        name="proc_limits",
        command="cat /proc/PID/limits",
        parse=proc_limits.parse,
    ),
    Format(
        name="proc_modules",
        command="cat /proc/modules",
        words=(("cat", "/proc/modules"),),
        parse=proc_modules.parse,
    ),
    Format(
        name="rdma_link", command="rdma -j link", words=(("rdma", "link"),), parse=rdma_link.parse
    ),
    Format(
        name="rdma_system",
        command="rdma -j system show",
        words=(("rdma", "system"),),
        parse=rdma_system.parse,
    ),
    Format(
        name="resource_slices",
        command="GET /apis/resource.k8s.io/v1/resourceslices",
        words=(
            ("GET", "/apis/resource.k8s.io/v1/resourceslices"),
            ("kubectl", "get", "resourceslices"),
        ),
        parse=resource_slices.parse,
    ),
    Format(name="saquery", command="saquery", parse=saquery.parse),
    Format(
        name="sharp_hello",
        command="sharp_hello -d DEVICE:1 -v 3",
        parse=sharp_hello.parse,
    ),
    Format(name="sminfo", command="sminfo", parse=sminfo.parse),
    Format(name="smpquery", command="smpquery portinfo LID PORT", parse=smpquery.parse),
    Format(
        name="sriov_policies",
        command="GET /apis/sriovnetwork.openshift.io/v1/sriovnetworknodepolicies",
        words=(
            ("GET", "/apis/sriovnetwork.openshift.io/v1/sriovnetworknodepolicies"),
            ("kubectl", "get", "sriovnetworknodepolicies"),
        ),
        parse=sriov_policies.parse,
    ),
    Format(
        name="sriov_state",
        command="kubectl get sriovnetworknodestates -A -o json",
        words=(("kubectl", "get", "sriovnetworknodestates"),),
        parse=sriov_state.parse,
    ),
    Format(
        name="sysfs_rdma",
        command="python -m sunk_jobs.sysfs_rdma",
        words=(("python", "sunk_jobs.sysfs_rdma"), ("python3", "sunk_jobs.sysfs_rdma")),
        parse=sysfs_rdma.parse,
    ),
    Format(
        name="chronyc",
        command="chronyc tracking",
        parse=chronyc.parse,
    ),
    Format(
        name="dmesg",
        command="dmesg --time-format iso",
        parse=dmesg.parse,
    ),
    Format(
        name="ethtool",
        command="ethtool -S NETDEV, for each network device of an adapter",
        parse=ethtool.parse,
    ),
    Format(
        name="kernel_files",
        command="small files of /proc and /sys, by grep -H",
        parse=kernel_files.parse,
    ),
    Format(
        name="mlnx_qos",
        command="mlnx_qos -i NETDEV, for each network device of an adapter",
        parse=mlnx_qos.parse,
    ),
    Format(
        name="nvidia_smi",
        command="nvidia-smi -q -x",
        words=(("nvidia-smi",),),
        parse=nvidia_smi.parse,
    ),
    Format(
        name="ofed_version",
        command="ofed_info -s",
        words=(("ofed_info",),),
        parse=ofed_version.parse,
    ),
    Format(
        name="timedatectl",
        command="timedatectl show",
        parse=timedatectl.parse,
    ),
    Format(
        name="uname",
        command="uname -a",
        parse=uname.parse,
    ),
    Format(
        name="ibdiagnet_screen",
        command="ibdiagnet, its screen or its file ibdiagnet2.log",
        words=(("ibdiagnet",), ("ibdiagnet2.log",)),
        parse=ibdiagnet_screen.parse,
    ),
    Format(
        name="mlxlink",
        command="mlxlink -d DEVICE -m -c -e --json, for each adapter",
        parse=mlxlink.parse,
    ),
    Format(
        name="proc_mounts",
        command="cat /proc/mounts",
        words=(("cat", "/proc/mounts"),),
        parse=proc_mounts.parse,
    ),
    Format(
        name="sharp_manager",
        command="systemctl is-active sharp_am",
        words=(("systemctl", "is-active", "sharp_am"),),
        parse=sharp_manager.parse,
    ),
    Format(
        name="slurm_nodes",
        command="scontrol --oneliner show nodes",
        words=(("scontrol", "show", "nodes"), ("scontrol", "show", "node")),
        parse=slurm_nodes.parse,
    ),
    Format(
        name="slurm_topology",
        command="scontrol show topology",
        words=(("scontrol", "show", "topology"),),
        parse=slurm_topology.parse,
    ),
    Format(
        name="subnet_lst",
        command="log folder of opensm, its file opensm-subnet.lst",
        words=(("opensm-subnet.lst",), ("ibdiagnet2.lst",)),
        parse=subnet_lst.parse,
    ),
)
BY_NAME = {one.name: one for one in FORMATS}

WHOLE_FABRIC = frozenset(
    {
        *("iblinkinfo", "ibnetdiscover", "ibqueryerrors", "opensm_log", "saquery", "sminfo"),
        *("ibdiagnet_screen", "slurm_nodes", "slurm_topology", "subnet_lst"),
    }
)
"""Formats that are about more than the host where they were collected."""

FOR_PEOPLE: Mapping[str, str] = {
    "rdma_statistic": "rdma -j statistic show",
}
"""Texts that are collected and that no check reads yet: name -> command."""


def of_command(command: tuple[str, ...]) -> Format | None:
    """Return the format that a command prints; nothing when no parser knows it."""
    plain = tuple(word for word in command if not word.startswith("-"))
    if not plain:
        return None
    words = (plain[0].rpartition("/")[2], *plain[1:])
    for one in FORMATS:
        for start in one.words or ((one.name,),):
            if words[: len(start)] == start or words == (one.name,):
                return one
    return None
