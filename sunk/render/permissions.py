"""What the bridge may do in Kubernetes, as one table, and the chart's roles made from it.

Server-side apply is ``patch``, and ``create`` too where the object is not there yet. ``watch`` lets
nobody see more than ``list``, so the two go together.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sunk.wellknown import API_GROUP, BRIDGE_LEASE, CONTROLLER_POD, LOGIN_POD


class Scope(StrEnum):
    """Where a permission holds."""

    NAMESPACE = "namespace"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One row: verbs on resources of one API group.

    Attributes:
        group: API group; empty for the core.
        resources: plural names, subresources after a slash.
        verbs: as RBAC calls them.
        reason: why the bridge needs it.
        scope: in the bridge's namespace, or in the whole cluster.
        names: only on objects of these names; on any when empty.
        value: the chart's value that must be true for it; always granted when empty.
    """

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    reason: str
    scope: Scope = Scope.NAMESPACE
    names: tuple[str, ...] = ()
    value: str = ""


_FOLLOW = ("list", "watch")
_KEEP = ("create", "delete", "list", "patch")

PERMISSIONS = (
    Permission(
        group="",
        resources=("pods",),
        verbs=(*_FOLLOW, "create", "delete", "get", "patch"),
        reason="workers are Pods: it makes them and removes them, and annotates slurmctld's",
    ),
    Permission(
        group="",
        resources=("pods/status",),
        verbs=("patch",),
        reason="a worker's Pod shows Slurm's state of it as conditions",
    ),
    Permission(
        group="",
        resources=("pods/log",),
        verbs=("get",),
        reason="slurmctld's Pod says there which configuration is in force or refused",
        names=(CONTROLLER_POD,),
    ),
    Permission(
        group="",
        resources=("pods/exec",),
        verbs=("create", "get"),
        reason="Slurm's own commands run in the login node's sackd container",
        names=(LOGIN_POD,),
        value="bridge.slurmCommands",
    ),
    Permission(
        group="",
        resources=("configmaps", "services"),
        verbs=_KEEP,
        reason="configuration and names of the Slurm daemons",
    ),
    Permission(
        group="",
        resources=("secrets",),
        verbs=("create", "list", "patch"),
        reason="keys of the Slurm cluster",
    ),
    Permission(
        group="",
        resources=("persistentvolumeclaims",),
        verbs=("create", "patch"),
        reason="home, state and database; once made they are left alone",
    ),
    Permission(
        group="",
        resources=("persistentvolumeclaims",),
        verbs=("delete", "list"),
        reason="a SlurmCluster with deletionPolicy Delete takes its data along",
        value="rbac.deleteData",
    ),
    Permission(
        group="",
        resources=("secrets",),
        verbs=("delete",),
        reason="a SlurmCluster with deletionPolicy Delete takes its keys along",
        value="rbac.deleteData",
    ),
    Permission(
        group="",
        resources=("events",),
        verbs=("create",),
        reason="kubectl describe shows what was done, and why",
    ),
    Permission(
        group="apps",
        resources=("deployments", "statefulsets"),
        verbs=_KEEP,
        reason="the Slurm daemons beside the workers",
    ),
    Permission(
        group="coordination.k8s.io",
        resources=("leases",),
        verbs=("create",),
        reason="the first bridge makes the lease; RBAC cannot limit create to a name",
    ),
    Permission(
        group="coordination.k8s.io",
        resources=("leases",),
        verbs=("get", "patch"),
        reason="of several bridges the one that holds the lease acts",
        names=(BRIDGE_LEASE,),
    ),
    Permission(
        group=API_GROUP,
        resources=("nodesets", "slurmclusters"),
        verbs=(*_FOLLOW, "patch"),
        reason="what is wanted; finalizers are written to it",
    ),
    Permission(
        group=API_GROUP,
        resources=("nodesets/status", "slurmclusters/status"),
        verbs=("patch",),
        reason="what there is, and why it is not what is wanted",
    ),
    Permission(
        group="",
        resources=("nodes",),
        verbs=_FOLLOW,
        reason="a cordoned Node drains its workers; a lost one takes them down",
        scope=Scope.CLUSTER,
    ),
    Permission(
        group="",
        resources=("nodes/status",),
        verbs=("patch",),
        reason="a Node shows as a condition what Slurm says of its worker",
        scope=Scope.CLUSTER,
        value="rbac.nodeConditions",
    ),
)

_HEAD = """\
{{{{- /* Made from sunk/render/permissions.py by make golden; change it there. */ -}}}}
{{{{- if .Values.rbac.create }}}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {kind}
metadata:
  name: {{{{ include "sunk.{name}" . }}}}
{place}  labels:
    {{{{- include "sunk.labels" . | nindent 4 }}}}
rules:
"""
_PLACE = "  namespace: {{ .Release.Namespace }}\n"


def role_template(scope: Scope) -> str:
    """Return the chart's template of the Role (namespace) or ClusterRole (cluster)."""
    kind, name, place = {
        Scope.NAMESPACE: ("Role", "fullname", _PLACE),
        Scope.CLUSTER: ("ClusterRole", "clusterName", ""),
    }[scope]
    rules = "".join(_rule(one) for one in PERMISSIONS if one.scope is scope)
    return _HEAD.format(kind=kind, name=name, place=place) + rules + "{{- end }}\n"


def _rule(one: Permission) -> str:
    lines = [
        f"  # {one.reason}",
        f'  - apiGroups: ["{one.group}"]',
        f"    resources: [{', '.join(one.resources)}]",
        *([f"    resourceNames: [{', '.join(one.names)}]"] if one.names else []),
        f"    verbs: [{', '.join(one.verbs)}]",
    ]
    if one.value:
        lines = [f"  {{{{- if .Values.{one.value} }}}}", *lines, "  {{- end }}"]
    return "".join(f"{line}\n" for line in lines)
