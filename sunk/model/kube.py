"""Kubernetes nouns: kinds, their addresses, and the parts of Pods and Nodes we decide on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from sunk.errors import InputError

KubeObject = Mapping[str, Any]
"""An object as the API server speaks it: JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of object and where the API server keeps it.

    Attributes:
        api_version: ``v1`` or ``group/version``.
        name: ``Pod``.
        plural: ``pods``, as in paths.
        namespaced: whether objects live in a namespace.
    """

    api_version: str
    name: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """Return the path of the collection, or of one object."""
        root = "/api/v1" if self.api_version == "v1" else f"/apis/{self.api_version}"
        scope = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        leaf = f"/{quote(name, safe='')}" if name else ""
        return f"{root}{scope}/{self.plural}{leaf}"


def _kind(api_version: str, name: str, plural: str, *, namespaced: bool = True) -> Kind:
    return Kind(api_version=api_version, name=name, plural=plural, namespaced=namespaced)


RBAC = "rbac.authorization.k8s.io/v1"

NAMESPACE = _kind("v1", "Namespace", "namespaces", namespaced=False)
NODE = _kind("v1", "Node", "nodes", namespaced=False)
PERSISTENT_VOLUME = _kind("v1", "PersistentVolume", "persistentvolumes", namespaced=False)
PERSISTENT_VOLUME_CLAIM = _kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
POD = _kind("v1", "Pod", "pods")
SERVICE = _kind("v1", "Service", "services")
SERVICE_ACCOUNT = _kind("v1", "ServiceAccount", "serviceaccounts")
SECRET = _kind("v1", "Secret", "secrets")
CONFIG_MAP = _kind("v1", "ConfigMap", "configmaps")
EVENT = _kind("v1", "Event", "events")
STATEFUL_SET = _kind("apps/v1", "StatefulSet", "statefulsets")
DEPLOYMENT = _kind("apps/v1", "Deployment", "deployments")
DAEMON_SET = _kind("apps/v1", "DaemonSet", "daemonsets")
LEASE = _kind("coordination.k8s.io/v1", "Lease", "leases")
STORAGE_CLASS = _kind("storage.k8s.io/v1", "StorageClass", "storageclasses", namespaced=False)
ROLE = _kind(RBAC, "Role", "roles")
ROLE_BINDING = _kind(RBAC, "RoleBinding", "rolebindings")
CLUSTER_ROLE = _kind(RBAC, "ClusterRole", "clusterroles", namespaced=False)
CLUSTER_ROLE_BINDING = _kind(RBAC, "ClusterRoleBinding", "clusterrolebindings", namespaced=False)
CUSTOM_RESOURCE_DEFINITION = _kind(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    namespaced=False,
)
SLURM_CLUSTER = _kind("sunk.dev/v1alpha1", "SlurmCluster", "slurmclusters")
NODE_SET = _kind("sunk.dev/v1alpha1", "NodeSet", "nodesets")
NETWORK_ATTACHMENT = _kind(
    "k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition", "network-attachment-definitions"
)
SRIOV = "sriovnetwork.openshift.io/v1"
SRIOV_POLICY = _kind(SRIOV, "SriovNetworkNodePolicy", "sriovnetworknodepolicies")
SRIOV_STATE = _kind(SRIOV, "SriovNetworkNodeState", "sriovnetworknodestates")

KINDS = {
    (kind.api_version, kind.name): kind
    for kind in (
        *(NAMESPACE, NODE, PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, POD, SERVICE),
        *(SERVICE_ACCOUNT, SECRET, CONFIG_MAP, EVENT, STATEFUL_SET, DEPLOYMENT, LEASE, DAEMON_SET),
        *(STORAGE_CLASS, ROLE, ROLE_BINDING, CLUSTER_ROLE, CLUSTER_ROLE_BINDING),
        *(CUSTOM_RESOURCE_DEFINITION, SLURM_CLUSTER, NODE_SET),
        *(NETWORK_ATTACHMENT, SRIOV_POLICY, SRIOV_STATE),
    )
}


def kind_of(thing: KubeObject) -> Kind:
    """Return the kind of an object.

    Raises:
        InputError: it is not one of the kinds that we use.
    """
    key = (str(thing.get("apiVersion")), str(thing.get("kind")))
    if key not in KINDS:
        known = ", ".join(sorted(name for _, name in KINDS))
        raise InputError(f"find kind {key[1]} of {key[0]}: not one we use", hint=f"known: {known}")
    return KINDS[key]


def name_of(thing: KubeObject) -> str:
    """Return an object's name."""
    return str(thing["metadata"]["name"])


def namespace_of(thing: KubeObject) -> str | None:
    """Return an object's namespace, or nothing for one without."""
    found = thing["metadata"].get("namespace")
    return None if found is None else str(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition of a Pod.

    Attributes:
        status: True, False or Unknown.
        reason: one word.
        message: for people.
        since: when the status changed last, as the API server writes times; not compared.
    """

    type: str
    status: str
    reason: str = ""
    message: str = ""
    since: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A Pod as far as we decide on it.

    Attributes:
        created: when it was made, as the API server writes times; sorts by age.
        node: Kubernetes node it is bound to; nothing while pending.
        phase: Pending, Running, Succeeded, Failed, Unknown.
        ready: its Ready condition is True.
        deleting: a deletion is under way.
        trouble: why it does not become ready, in Kubernetes' words; empty when nothing is known.
        restarts: of all its containers together.
        conditions: by type.
    """

    name: str
    namespace: str
    uid: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    node: str | None = None
    ip: str | None = None
    phase: str = "Pending"
    ready: bool = False
    deleting: bool = False
    trouble: str = ""
    restarts: int = 0
    conditions: Mapping[str, Condition] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Taint:
    """What keeps Pods off a Node that do not tolerate it.

    Attributes:
        effect: NoSchedule, PreferNoSchedule or NoExecute.
    """

    key: str
    effect: str
    value: str = ""

    def __str__(self) -> str:
        """As kubectl writes it."""
        value = f"={self.value}" if self.value else ""
        return f"{self.key}{value}:{self.effect}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeNode:
    """A Kubernetes Node as far as we decide on it.

    Attributes:
        ready: condition Ready; nothing when it is Unknown or missing.
        cordoned: marked unschedulable.
        taints: what Pods have to tolerate there.
        allocatable: resource -> Kubernetes quantity.
        conditions: by type.
    """

    name: str
    uid: str
    labels: Mapping[str, str] = field(default_factory=dict)
    ready: bool | None = None
    cordoned: bool = False
    taints: tuple[Taint, ...] = ()
    allocatable: Mapping[str, str] = field(default_factory=dict)
    address: str | None = None
    conditions: Mapping[str, Condition] = field(default_factory=dict)
