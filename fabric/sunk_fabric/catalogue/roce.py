"""Checks of RDMA over Ethernet."""

from __future__ import annotations

from sunk.assess.check import Check, Proof
from sunk.assess.verdict import Domain
from sunk_fabric.catalogue.row import DERIVED, KERNEL, NCCL_DOCS, VENDOR_LOSSLESS, rows_of

_row = rows_of("roce", Domain.FABRIC)

CHECKS: tuple[Check, ...] = (
    _row(
        "gid.v2",
        "A routable GID",
        proves="RoCE v2 packets have an address that switches route",
        reads="ibv_devinfo -v or sysfs_rdma",
        rule="no RoCE v2 entry is FAIL; only link-local ones are FAIL for routed fabrics",
        remedy="give the network device an address",
        source=KERNEL,
        depends_on=("rdma.port.state",),
        proof=Proof.RECORDED,
    ),
    _row(
        "gid.index",
        "No fixed GID index",
        proves="every rank finds its own GID",
        reads="NCCL log with ENV, sysfs_rdma",
        rule="NCCL_IB_GID_INDEX set is WARN; one that points to an unfit entry is FAIL",
        remedy="unset it",
        source=NCCL_DOCS,
    ),
    _row(
        "gid.table_space",
        "Virtual functions have GIDs",
        proves="a Pod's function has an address",
        reads="sysfs_rdma",
        rule="none is FAIL",
        remedy="an address on its network device; fewer virtual functions",
        source=KERNEL,
    ),
    _row(
        "mtu.path",
        "MTU carries the RDMA MTU",
        proves="devices, functions and switches pass the largest packet",
        reads="ip -d -j link, ibv_devinfo -v",
        rule="network device below RDMA MTU + 58 bytes of headers is FAIL",
        remedy="MTU of 9000 on switch, policy and attachment",
        source=DERIVED,
        proof=Proof.RECORDED,
    ),
    _row(
        "trust",
        "DSCP is trusted",
        proves="switches and cards see the same class",
        reads="mlnx_qos",
        rule="pcp is FAIL",
        remedy="mlnx_qos --trust dscp",
        source=VENDOR_LOSSLESS,
    ),
    _row(
        "pfc",
        "Flow control on one priority",
        proves="only the lossless class pauses",
        reads="mlnx_qos",
        rule="another set of priorities than the declared one is FAIL; none declared is UNKNOWN",
        remedy="mlnx_qos --pfc",
        source=VENDOR_LOSSLESS,
    ),
    _row(
        "ecn",
        "Congestion control is on",
        proves="senders slow down before pauses",
        reads="ecn/roce_np and ecn/roce_rp in sysfs (kernel_files)",
        rule="off on the lossless priority is FAIL",
        remedy="write 1, and keep it over a boot",
        source=VENDOR_LOSSLESS,
    ),
    _row(
        "dscp.mapping",
        "DSCP leads to the lossless class",
        proves="RDMA traffic is in the class that is protected",
        reads="mlnx_qos",
        rule="another mapping than declared is FAIL",
        remedy="dscp2prio",
        source=VENDOR_LOSSLESS,
    ),
    _row(
        "tclass",
        "Jobs mark their traffic",
        proves="what jobs send is in the lossless class",
        reads="default_roce_tos (kernel_files), NCCL log with ENV",
        rule="NCCL_IB_TC / 4, 0 where it is not set, or default_roce_tos / 4 other than the "
        "declared DSCP is FAIL",
        remedy="set NCCL_IB_TC",
        source=NCCL_DOCS,
    ),
    _row(
        "pause",
        "No pause storm",
        proves="flow control is seldom needed",
        reads="ethtool -S, twice",
        rule="growth of discards is FAIL; pausing above 1 % of the time is WARN; of one reading, "
        "zeros alone say something",
        remedy="buffers; watchdog of the switch",
    ),
    _row(
        "congestion.loop",
        "Marks slow senders down",
        proves="the congestion loop is closed",
        reads="sysfs_rdma, twice, under load",
        rule="marks without notifications are FAIL; no marks is UNKNOWN",
        remedy="see roce.ecn",
    ),
    _row(
        "neighbour",
        "Answers come from the right card",
        proves="several cards in one subnet do not answer for each other",
        reads="arp_ignore and arp_announce (kernel_files), sysfs_rdma",
        rule="arp_ignore other than 1 or 2, or arp_announce other than 2, is WARN; fewer than two"
        " RDMA devices on Ethernet is SKIP",
        remedy="sysctl net.ipv4.conf.all.arp_ignore=1 and arp_announce=2; a subnet for each rail",
    ),
    _row(
        "ip.unique",
        "Addresses are unique",
        proves="no two Pods share an address on a rail",
        reads="annotations network-status",
        rule="the same address twice is FAIL",
        remedy="an address manager for the whole cluster",
    ),
)
