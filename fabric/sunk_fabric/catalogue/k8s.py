"""Checks of Multus and the data plane of Pods."""

from __future__ import annotations

from sunk.assess.check import Check
from sunk.assess.verdict import Domain
from sunk_fabric.catalogue.row import KUBERNETES, MULTI_NETWORK, NCCL_DOCS, rows_of

_row = rows_of("k8s", Domain.DATA_PLANE)

CHECKS: tuple[Check, ...] = (
    _row(
        "chain",
        "Every rail is proved from policy to measurement",
        proves="the rail that was bought is the one that jobs get, hop by hop",
        reads="declaration, SriovNetworkNodePolicy, SriovNetworkNodeState, sysfs, Node allocatable,"
        " NetworkAttachmentDefinition, networks of Pods, sysfs in the Pod, NCCL log, perftest",
        rule="a broken hop is FAIL, and the first one is named; a hop without evidence is UNKNOWN,"
        " and so is a rate over a path that is not proved",
        remedy="mend the hop that is named; later ones follow from it",
        source=MULTI_NETWORK,
    ),
    _row(
        "nad.valid",
        "Attachments can be read",
        proves="a definition parses and its plugin is installed",
        reads="NetworkAttachmentDefinition, /opt/cni/bin",
        rule="bad JSON or a missing plugin is FAIL",
        remedy="mend the definition",
        source=MULTI_NETWORK,
    ),
    _row(
        "nad.resource",
        "Attachments name a resource that exists",
        proves="a Pod with it can be scheduled",
        reads="NetworkAttachmentDefinition, Node allocatable",
        rule="a resource that no Node has is FAIL",
        remedy="name of the resource",
        source=MULTI_NETWORK,
    ),
    _row(
        "nad.rdma_chain",
        "RDMA device moves with the interface",
        proves="in exclusive mode the Pod gets the device",
        reads="NetworkAttachmentDefinition",
        rule="no rdma plugin in the chain is FAIL",
        remedy="add the rdma plugin",
    ),
    _row(
        "pod.request_match",
        "Pods ask once for each network",
        proves="requests and attachments agree",
        reads="Pods' networks and requests, NetworkAttachmentDefinition",
        rule="other counts, or an attachment that does not exist, are FAIL",
        remedy="the resources injector, or the Pod's own limits",
        source=MULTI_NETWORK,
    ),
    _row(
        "pod.network_status",
        "Every network is attached",
        proves="the Pod has the interfaces that it asked for",
        reads="annotations networks and network-status",
        rule="a missing one is FAIL; one without device information, in a Pod that asks for "
        "devices, is WARN",
        remedy="the plugin's log on the node",
        source=MULTI_NETWORK,
    ),
    _row(
        "pod.device_env",
        "One device by three names",
        proves="environment, annotation and interface name the same device",
        reads="PCIDEVICE_* and sysfs_rdma in the Pod, network-status",
        rule="a difference is FAIL",
        remedy="versions of device plugin and CNI plugin",
        source=MULTI_NETWORK,
    ),
    _row(
        "pod.rdma_visible",
        "Exactly the granted devices",
        proves="a Pod can open its RDMA devices and no others",
        reads="sysfs_rdma in the Pod, network-status, rdma -j system show of its Node",
        rule="a granted one that is not there is FAIL; more in exclusive mode is FAIL, in shared "
        "mode WARN",
        remedy="mode of RDMA in namespaces; the rdma plugin of the attachment",
        source="iproute2, rdma-system(8)",
    ),
    _row(
        "pod.gid_mtu",
        "GID and MTU inside the Pod",
        proves="what holds on the host holds in the Pod",
        reads="sysfs_rdma and ip -d -j link in the Pod, network-status",
        rule="as roce.gid.v2 and roce.mtu.path, of the granted devices",
        remedy="as there",
    ),
    _row(
        "pod.memlock",
        "Memory may be locked in the Pod",
        proves="jobs in the Pod can register memory",
        reads="/proc/self/limits in the Pod",
        rule="a limit is FAIL, whatever it is",
        remedy="capability IPC_LOCK, or the runtime's limit",
        source=NCCL_DOCS,
        explained_by=("host.limits.memlock",),
    ),
    _row(
        "pod.shm",
        "Enough shared memory",
        proves="several processes of a job can share",
        reads="df -Pk /dev/shm in the Pod",
        rule="64 MiB, what runtimes give unless told otherwise, or less is FAIL",
        remedy="emptyDir of medium Memory; shmSize of the NodeSet",
        source=NCCL_DOCS,
    ),
    _row(
        "pod.stack",
        "The image has the RDMA libraries",
        proves="programs find verbs",
        reads="ldconfig -p inside the Pod",
        rule="neither libibverbs nor libfabric in a Pod that was granted a device is FAIL",
        remedy="the image",
        owner=Domain.RUNTIME,
    ),
    _row(
        "pod.rping",
        "Pods reach each other with RDMA",
        proves="the path works, not only the interface",
        reads="rping -v or ib_write_bw inside the Pod, and the Pods' list",
        rule="an error of rping is FAIL; a run of ib_write_bw that is not whole is UNKNOWN; a Pod "
        "without a device is SKIP",
        remedy="namespace mode, GID",
    ),
    _row(
        "dra.claims",
        "Claims tell the truth",
        proves="attributes of claimed devices are those of the hardware",
        reads="ResourceSlice, sysfs_rdma",
        rule="an attribute rdma, rdmaDevice or numaNode other than sysfs has it is FAIL",
        remedy="restart the driver",
        source=KUBERNETES,
    ),
    _row(
        "operator.state",
        "Operators are ready",
        proves="what configures the nodes has finished",
        reads="NicClusterPolicy",
        rule="a state or a part that is not ready is FAIL",
        remedy="its log",
        source="NVIDIA network operator, API types",
    ),
    _row(
        "control_vs_hardware",
        "Kubernetes counts what is there",
        proves="labels and allocatable agree with the hardware",
        reads="Node capacity nvidia.com/gpu, lspci",
        rule="another number than the PCI bus has is FAIL",
        remedy="drain the node; device plugin's log, then driver",
        source=KUBERNETES,
    ),
)
