"""Checks of SR-IOV: from policy to virtual function."""

from __future__ import annotations

from sunk.assess.check import Check, Proof
from sunk.assess.verdict import Domain
from sunk_fabric.catalogue.row import IBTA, KUBERNETES, SRIOV_OPERATOR, rows_of

_row = rows_of("sriov", Domain.DATA_PLANE)

CHECKS: tuple[Check, ...] = (
    _row(
        "policy.selects",
        "Policies select cards",
        proves="each policy has a card on each node that it means",
        reads="SriovNetworkNodePolicy, SriovNetworkNodeState, Node",
        rule="a policy that selects no card of a Node it means, or means no Node, is FAIL; two "
        "policies for one function are FAIL",
        remedy="selector or priority of the policy",
        source=SRIOV_OPERATOR,
    ),
    _row(
        "state.sync",
        "Nodes are in the state that was asked for",
        proves="the operator has done its work on the node",
        reads="SriovNetworkNodeState",
        rule="Failed, or an error, is FAIL; InProgress is UNKNOWN; no state is UNKNOWN",
        remedy="look at the operator's log on the node; a drain may be refused",
        source=SRIOV_OPERATOR,
    ),
    _row(
        "vf.count",
        "As many functions as asked for",
        proves="spec, status and list of functions agree, and sysfs of the host where it was read",
        reads="SriovNetworkNodeState, sysfs_rdma",
        rule="any difference is FAIL",
        remedy="firmware: NUM_OF_VFS and SRIOV_EN; then a reboot",
        source=SRIOV_OPERATOR,
        depends_on=("sriov.state.sync",),
        explained_by=("sriov.vf.total",),
        proof=Proof.SIMULATED,
    ),
    _row(
        "vf.total",
        "The firmware allows them",
        proves="the card can have as many functions as asked for",
        reads="SriovNetworkNodeState",
        rule="more asked for than allowed is FAIL",
        remedy="mstconfig: NUM_OF_VFS",
        source=SRIOV_OPERATOR,
        proof=Proof.SIMULATED,
    ),
    _row(
        "vf.rdma",
        "Functions have RDMA devices",
        proves="a Pod that gets one can use verbs",
        reads="SriovNetworkNodePolicy, SriovNetworkNodeState, sysfs_rdma of the host and its Pods",
        rule="a function without one is FAIL where the policy wants RDMA; one in a Pod that was "
        "not collected is UNKNOWN",
        remedy="rebind the driver",
        source=SRIOV_OPERATOR,
        depends_on=("sriov.state.sync",),
    ),
    _row(
        "vf.ib_guid",
        "Functions have GUIDs",
        proves="the subnet manager can configure them",
        reads="ip -d -j link",
        rule="all zero is FAIL; one that the tool does not tell is UNKNOWN",
        remedy="ib-kubernetes, or the operator's setting; rebind",
        source=IBTA,
    ),
    _row(
        "vf.link",
        "Functions are up",
        proves="the Pod's port is active",
        reads="ip -d -j link, sysfs_rdma in the Pod",
        rule="one that its card switched off is FAIL, and a granted port that is not active",
        remedy="virtualization in the subnet manager; link state of the function",
    ),
    _row(
        "vf.mtu",
        "Functions have the policy's MTU",
        proves="Pods send packets of the designed size",
        reads="SriovNetworkNodeState",
        rule="below the policy's is FAIL",
        remedy="policy; rebind",
        source=SRIOV_OPERATOR,
        depends_on=("sriov.state.sync",),
    ),
    _row(
        "vf.trust",
        "Trust and spoof check as designed",
        proves="Pods cannot pose as others",
        reads="ip -d -j link",
        rule="other than declared is FAIL; nothing declared is UNKNOWN",
        remedy="trust and spoofChk of the SriovNetwork",
        source=SRIOV_OPERATOR,
    ),
    _row(
        "eswitch",
        "Mode of the embedded switch",
        proves="offloads work as designed",
        reads="SriovNetworkNodePolicy, SriovNetworkNodeState",
        rule="other than the policy's, legacy where it says none, is FAIL",
        remedy="eSwitchMode of the policy; the mode changes when the operator has drained the node",
        source=SRIOV_OPERATOR,
        depends_on=("sriov.state.sync",),
    ),
    _row(
        "resource.advertised",
        "Kubernetes offers all functions",
        proves="every function can be given to a Pod",
        reads="SriovNetworkNodeState, Node capacity",
        rule="fewer than functions, or none, is FAIL; more is WARN: a stale plugin",
        remedy="selector of the device plugin; restart it",
        source=KUBERNETES,
        depends_on=("sriov.state.sync",),
        explained_by=("sriov.vf.count",),
    ),
    _row(
        "resource.health",
        "No function is hidden as unhealthy",
        proves="capacity is usable",
        reads="Node capacity and allocatable",
        rule="a difference is FAIL",
        remedy="link of the function; the device plugin's log",
        source=KUBERNETES,
    ),
    _row(
        "numa.advertised",
        "Locality reaches the kubelet",
        proves="the kubelet can align cards with cores",
        reads="SriovNetworkNodePolicy",
        rule="a policy that excludes it is WARN",
        remedy="excludeTopology of the policy",
        source=SRIOV_OPERATOR,
    ),
)
