"""All formats by name: what a folder of texts may hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from sunk_fabric.parse import (
    chronyc,
    collection,
    collectives,
    dcgm_diag,
    df,
    dmesg,
    dump_lfts,
    ethtool,
    fio,
    gdscheck,
    ibdiagnet_db,
    ibdiagnet_screen,
    ibdiagnet_sharp,
    ibdmchk,
    iblinkinfo,
    ibnetdiscover,
    ibqueryerrors,
    ibstat,
    ibv_devinfo,
    imex,
    io500,
    ip_link,
    iperf3,
    job_places,
    kernel_files,
    ldconfig,
    lspci,
    mdtest,
    megatron_log,
    mlnx_qos,
    mlxlink,
    nccl_log,
    nccl_tests,
    network_attachments,
    network_status,
    nic_cluster_policies,
    nodes,
    nvbandwidth,
    nvidia_smi,
    nvidia_topo,
    ofed_version,
    opensm_conf,
    opensm_log,
    osu,
    pair,
    pci_tree,
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
    rping,
    saquery,
    sharp_coll,
    sharp_hello,
    sharp_manager,
    slurm_events,
    slurm_nodes,
    slurm_topology,
    sminfo,
    smpquery,
    sriov_policies,
    sriov_state,
    subnet_lst,
    sysfs_rdma,
    task_cpus,
    timedatectl,
    traffic_record,
    training,
    ucx_log,
    uname,
    vllm_bench,
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


def _format(parser: ModuleType, command: str, *words: str) -> Format:
    """Return the format that a module parses, which has its name."""
    return Format(
        name=parser.__name__.rpartition(".")[2],
        command=command,
        words=tuple(tuple(one.split()) for one in words),
        parse=parser.parse,
    )


_PERFTEST = tuple(
    f"ib_{verb}_{what}" for verb in ("write", "read", "send") for what in ("bw", "lat")
)
_NCCL_TESTS = tuple(
    f"{one}_perf"
    for one in ("all_gather", "all_reduce", "alltoall", "broadcast", "reduce_scatter", "sendrecv")
)
_OSU = ("osu_bw", "osu_latency", "osu_allreduce")

FORMATS = (
    _format(collection, "sunk fabric collect", "sunk fabric collect"),
    _format(traffic_record, "sunk fabric test", "sunk fabric test"),
    _format(
        collectives,
        "python3 -m sunk_jobs.collectives",
        "python sunk_jobs.collectives",
        "python sunk_jobs.torch_collectives",
        "python3 sunk_jobs.collectives",
        "python3 sunk_jobs.torch_collectives",
        "python sunk_jobs.torchrun sunk_jobs.torch_collectives",
        "python3 sunk_jobs.torchrun sunk_jobs.torch_collectives",
    ),
    _format(df, "df -Pk /dev/shm"),
    _format(fio, "fio --output-format=json", "fio"),
    _format(gdscheck, "gdscheck -p", "gdscheck", "gdscheck.py"),
    _format(io500, "io500"),
    _format(mdtest, "mdtest"),
    _format(imex, "nvidia-imex-ctl -N -j", "nvidia-imex-ctl"),
    _format(
        job_places,
        "srun python3 -m sunk_jobs.probe say",
        "python sunk_jobs.probe say",
        "python3 sunk_jobs.probe say",
        "srun python3 sunk_jobs.probe say",
    ),
    _format(
        training,
        "python3 -m sunk_jobs.train_fsdp2",
        "python sunk_jobs.train_fsdp2",
        "python3 sunk_jobs.train_fsdp2",
        "python sunk_jobs.train_ddp",
        "python3 sunk_jobs.train_ddp",
    ),
    _format(megatron_log, "log of Megatron-LM"),
    _format(
        vllm_bench,
        "vllm bench serve --save-result, or vllm bench throughput --output-json",
        "vllm bench serve",
        "vllm bench throughput",
    ),
    _format(ldconfig, "ldconfig -p"),
    _format(task_cpus, "devices that tasks have open, in /proc, with processors near them"),
    _format(ucx_log, "a program with UCX_LOG_LEVEL=info"),
    _format(pci_tree, "folders of GPUs and network cards in /sys/devices"),
    _format(osu, "osu_bw", *_OSU),
    _format(nvbandwidth, "nvbandwidth"),
    _format(dcgm_diag, "dcgmi diag -r 3 -j", "dcgmi diag"),
    _format(dump_lfts, "dump_lfts", "dump_lfts", "dump_fts", "ibroute", "opensm-lfts.dump"),
    _format(ibdiagnet_db, "ibdiagnet, its file ibdiagnet2.db_csv", "ibdiagnet2.db_csv"),
    _format(ibdiagnet_sharp, "ibdiagnet --sharp, its file ibdiagnet2.sharp", "ibdiagnet2.sharp"),
    _format(ibdmchk, "ibdmchk on the dumps of opensm -D 0x43"),
    _format(iblinkinfo, "iblinkinfo"),
    _format(ibnetdiscover, "ibnetdiscover"),
    _format(ibqueryerrors, "ibqueryerrors --skip-sl"),
    _format(ibstat, "ibstat"),
    _format(ibv_devinfo, "ibv_devinfo -v"),
    _format(ip_link, "ip -d -j link", "ip link"),
    _format(iperf3, "iperf3 --json --client HOST", "iperf3"),
    _format(lspci, "lspci -vv"),
    _format(nccl_log, "NCCL_DEBUG=INFO"),
    _format(nccl_tests, "all_reduce_perf", *_NCCL_TESTS),
    _format(
        network_attachments,
        "GET /apis/k8s.cni.cncf.io/v1/network-attachment-definitions",
        "GET /apis/k8s.cni.cncf.io/v1/network-attachment-definitions",
        "kubectl get net-attach-def",
    ),
    _format(network_status, "annotation k8s.v1.cni.cncf.io/network-status"),
    _format(
        nic_cluster_policies,
        "GET /apis/mellanox.com/v1alpha1/nicclusterpolicies",
        "GET /apis/mellanox.com/v1alpha1/nicclusterpolicies",
        "kubectl get nicclusterpolicies",
    ),
    _format(nodes, "GET /api/v1/nodes", "GET /api/v1/nodes", "kubectl get nodes"),
    _format(nvidia_topo, "nvidia-smi topo -m", "nvidia-smi topo"),
    _format(opensm_conf, "cat opensm.conf, where opensm runs"),
    _format(opensm_log, "log of opensm"),
    _format(
        pair, "python3 -m sunk_jobs.pair send", "python sunk_jobs.pair", "python3 sunk_jobs.pair"
    ),
    _format(pcidevice_env, "grep PCIDEVICE_ in /proc/1/environ"),
    _format(perfquery, "perfquery"),
    _format(perftest, "ib_write_bw --report_gbits", *_PERFTEST),
    _format(pod_networks, "GET /api/v1/pods, of which networks and Node are kept"),
    _format(proc_limits, "cat /proc/PID/limits"),
    _format(proc_modules, "cat /proc/modules", "cat /proc/modules"),
    _format(rdma_link, "rdma -j link", "rdma link"),
    _format(rdma_system, "rdma -j system show", "rdma system"),
    _format(
        resource_slices,
        "GET /apis/resource.k8s.io/v1/resourceslices",
        "GET /apis/resource.k8s.io/v1/resourceslices",
        "kubectl get resourceslices",
    ),
    _format(rping, "rping -v"),
    _format(saquery, "saquery"),
    _format(sharp_coll, "a program with SHARP_COLL_LOG_LEVEL=3"),
    _format(sharp_hello, "sharp_hello -d DEVICE:1 -v 3"),
    _format(sminfo, "sminfo"),
    _format(smpquery, "smpquery portinfo LID PORT"),
    _format(
        sriov_policies,
        "GET /apis/sriovnetwork.openshift.io/v1/sriovnetworknodepolicies",
        "GET /apis/sriovnetwork.openshift.io/v1/sriovnetworknodepolicies",
        "kubectl get sriovnetworknodepolicies",
    ),
    _format(
        sriov_state,
        "kubectl get sriovnetworknodestates -A -o json",
        "kubectl get sriovnetworknodestates",
    ),
    _format(
        sysfs_rdma,
        "python -m sunk_jobs.sysfs_rdma",
        "python sunk_jobs.sysfs_rdma",
        "python3 sunk_jobs.sysfs_rdma",
    ),
    _format(chronyc, "chronyc tracking"),
    _format(dmesg, "dmesg --time-format iso"),
    _format(ethtool, "ethtool -S NETDEV, for each network device of an adapter"),
    _format(kernel_files, "small files of /proc and /sys, by grep -H"),
    _format(mlnx_qos, "mlnx_qos -i NETDEV, for each network device of an adapter"),
    _format(nvidia_smi, "nvidia-smi -q -x", "nvidia-smi"),
    _format(ofed_version, "ofed_info -s", "ofed_info"),
    _format(timedatectl, "timedatectl show"),
    _format(uname, "uname -a"),
    _format(
        ibdiagnet_screen,
        "ibdiagnet, its screen or its file ibdiagnet2.log",
        "ibdiagnet",
        "ibdiagnet2.log",
    ),
    _format(mlxlink, "mlxlink -d DEVICE -m -c -e --json, for each adapter"),
    _format(proc_mounts, "cat /proc/mounts", "cat /proc/mounts"),
    _format(sharp_manager, "systemctl is-active sharp_am", "systemctl is-active sharp_am"),
    _format(
        slurm_nodes, "scontrol --oneliner show nodes", "scontrol show nodes", "scontrol show node"
    ),
    _format(
        slurm_events,
        "env SLURM_TIME_FORMAT=%s sacctmgr --noheader --parsable2 show event start=now-7days"
        " format=NodeName,TimeStart,TimeEnd,State,Reason,User",
    ),
    _format(slurm_topology, "scontrol show topology", "scontrol show topology"),
    _format(
        subnet_lst,
        "log folder of opensm, its file opensm-subnet.lst",
        "opensm-subnet.lst",
        "ibdiagnet2.lst",
    ),
)
BY_NAME = {one.name: one for one in FORMATS}

WHOLE_FABRIC = frozenset(
    {
        *("iblinkinfo", "ibnetdiscover", "ibqueryerrors", "opensm_log", "saquery", "sminfo"),
        *("ibdiagnet_screen", "slurm_events", "slurm_nodes", "slurm_topology", "subnet_lst"),
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
