"""The custom resources SlurmCluster and NodeSet of sunk.dev/v1alpha1, as Kubernetes wants them.

Schemas come from `sunk.model.cluster`. Here is what the API server checks by itself before anything
of ours sees a resource: ranges, patterns, and rules between fields (CEL). What needs the whole
cluster or a list of Slurm's keys, `sunk.render.checks` finds; the bridge says it in a condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sunk.model.cluster import Images, Login, NodeSet, Partition, SlurmCluster, User, UsersFrom
from sunk.model.storage import Claim, ExternalDatabase
from sunk.render import forms, pod_forms
from sunk.render.crd_pods import NODE_SET_RULES, POD_EXTRAS
from sunk.render.schema import Schema, object_schema
from sunk.wellknown import API_GROUP

VERSION = "v1alpha1"
_QUANTITY = {"pattern": forms.anchored(forms.QUANTITY), "maxLength": 40}
_NAMES_LIST = {"x-kubernetes-list-type": "set", "maxItems": 64}
# One line of printable ASCII; quotes, # and backslash would end or join lines in Slurm's files.
_CONF_VALUE = {"type": "string", "maxLength": 1024, "pattern": forms.anchored(forms.CONF_VALUE)}
_SETTINGS = {"additionalProperties": _CONF_VALUE, "maxProperties": 200}
_EXTRAS: dict[tuple[type, str], Mapping[str, Any]] = {
    **POD_EXTRAS,
    (User, "name"): {"pattern": forms.anchored(forms.USER)},
    (User, "uid"): {"minimum": 1000, "maximum": forms.ID_LIMIT},
    (User, "gid"): {"minimum": 1000, "maximum": forms.ID_LIMIT},
    (User, "account"): {"pattern": forms.anchored(forms.ACCOUNT)},
    (User, "shell"): {"pattern": forms.anchored(forms.SHELL)},
    (User, "ssh_keys"): {
        "items": {"type": "string", "pattern": forms.anchored(forms.SSH_KEY), "maxLength": 4096}
    },
    (UsersFrom, "config_map"): {"pattern": forms.anchored(forms.SUBDOMAIN)},
    (UsersFrom, "secret"): {"pattern": forms.anchored(forms.SUBDOMAIN)},
    (UsersFrom, "key"): {"pattern": forms.anchored(forms.CONFIG_KEY)},
    (UsersFrom, "account"): {"pattern": forms.anchored(forms.ACCOUNT)},
    (Partition, "name"): {"pattern": forms.anchored(forms.LABEL), "maxLength": 63},
    (Partition, "node_sets"): _NAMES_LIST,
    (Partition, "max_time"): {"pattern": forms.anchored(forms.TIME)},
    (Partition, "parameters"): _SETTINGS,
    (Images, "slurm"): {"pattern": forms.anchored(forms.IMAGE)},
    (Images, "login"): {"pattern": forms.anchored(forms.IMAGE)},
    (Images, "registry"): {"pattern": forms.anchored(pod_forms.REGISTRY)},
    (Images, "tag"): {"pattern": forms.anchored(pod_forms.TAG)},
    (Images, "slurm_digest"): {"pattern": forms.anchored(pod_forms.DIGEST)},
    (Images, "login_digest"): {"pattern": forms.anchored(pod_forms.DIGEST)},
    (Images, "pull_policy"): {"enum": list(forms.PULL_POLICIES)},
    (ExternalDatabase, "host"): {"pattern": forms.anchored(forms.DATABASE_HOST)},
    (ExternalDatabase, "name"): {"pattern": forms.anchored(forms.DATABASE_NAME)},
    (ExternalDatabase, "user"): {"pattern": forms.anchored(forms.DATABASE_USER)},
    (ExternalDatabase, "port"): {"minimum": 1, "maximum": 65535},
    (ExternalDatabase, "password_secret"): {"pattern": forms.anchored(forms.SUBDOMAIN)},
    (ExternalDatabase, "password_key"): {"pattern": forms.anchored(forms.CONFIG_KEY)},
    (ExternalDatabase, "parameters"): {
        "additionalProperties": {"type": "string", "pattern": forms.anchored(forms.STORAGE_VALUE)},
        "maxProperties": len(forms.STORAGE_PARAMETERS),
    },
    (Claim, "size"): _QUANTITY,
    (Claim, "storage_class"): {"pattern": forms.anchored(forms.SUBDOMAIN)},
    (Login, "service_type"): {"enum": list(forms.SERVICE_TYPES)},
    (Login, "node_port"): {"minimum": 30000, "maximum": 32767},
    (NodeSet, "replicas"): {"minimum": 0, "maximum": forms.MOST_REPLICAS, "format": "int32"},
    (NodeSet, "cpu"): _QUANTITY,
    (NodeSet, "memory"): _QUANTITY,
    (NodeSet, "memory_overhead"): _QUANTITY,
    (NodeSet, "cpu_request"): _QUANTITY,
    (NodeSet, "memory_request"): _QUANTITY,
    (NodeSet, "gpus"): {"minimum": 0, "maximum": 64},
    (NodeSet, "gpu_resource"): {"pattern": forms.anchored(forms.GPU_RESOURCE)},
    (NodeSet, "shm_size"): _QUANTITY,
    (NodeSet, "rdma_resource"): {"pattern": forms.anchored(forms.GPU_RESOURCE)},
    (NodeSet, "rdma_count"): {"minimum": 1, "maximum": 64},
    (NodeSet, "features"): {
        **_NAMES_LIST,
        "items": {"type": "string", "pattern": forms.anchored(forms.FEATURE)},
    },
    (SlurmCluster, "users"): {
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "maxItems": 2000,
    },
    (SlurmCluster, "partitions"): {
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "maxItems": 200,
    },
    (SlurmCluster, "slurm_conf"): _SETTINGS,
    (SlurmCluster, "topology"): {"maxLength": 500_000},
}


def render_crds() -> tuple[dict[str, Any], ...]:
    """Return both CustomResourceDefinitions, NodeSet first."""
    return (_node_set(), _slurm_cluster())


def _rule(rule: str, message: str, path: str | None = None) -> dict[str, str]:
    made = {"rule": rule, "message": message}
    return made | ({"fieldPath": path} if path else {})


def _slurm_cluster() -> dict[str, Any]:
    spec = object_schema(
        SlurmCluster, _EXTRAS, without=frozenset({"name", "namespace", "node_sets"})
    )
    spec["x-kubernetes-validations"] = [
        _rule(
            "self.partitions.filter(p, p.default).size() <= 1",
            "only one partition can be the default",
            ".partitions",
        ),
        _rule(
            "!has(self.login.nodePort) || self.login.serviceType == 'NodePort'",
            "nodePort needs serviceType NodePort",
            ".login.nodePort",
        ),
        _rule(
            "!has(self.usersFrom) || has(self.usersFrom.configMap) != has(self.usersFrom.secret)",
            "one of configMap and secret",
            ".usersFrom",
        ),
        _rule(
            "!has(self.database.external) || !has(self.database.pod)",
            "with an external database no MariaDB is made",
            ".database.pod",
        ),
        _rule(
            "self.partitions.all(p, p.name != 'default')",
            "Slurm takes a partition called default for the defaults of all",
            ".partitions",
        ),
    ]
    status = {"type": "object", "properties": _common_status()}
    columns = [
        _column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
        _column("Reason", ".status.conditions[?(@.type=='Ready')].reason"),
        _column("Message", ".status.conditions[?(@.type=='Ready')].message", priority=1),
    ]
    rule = _rule(
        "self.metadata.name.size() <= 40",
        "at most 40 characters: the name begins every table of the accounting database",
    )
    names = _names("SlurmCluster", "slurmclusters", "slc")
    return _crd(names, _whole(spec, status, [rule]), columns, {})


def _node_set() -> dict[str, Any]:
    spec = object_schema(NodeSet, _EXTRAS, without=frozenset({"name"}))
    spec["x-kubernetes-validations"] = [
        _rule(
            "quantity(self.cpu).compareTo(quantity('1')) >= 0",
            "Slurm counts whole CPUs: set 1 or more",
            ".cpu",
        ),
        _rule(
            "quantity(self.memory).sub(quantity(self.memoryOverhead))"
            ".compareTo(quantity('1Mi')) >= 0",
            "less memoryOverhead this leaves less than 1 MiB for jobs",
            ".memory",
        ),
        _rule(
            "!has(self.cpuRequest) || quantity(self.cpuRequest).compareTo(quantity(self.cpu)) <= 0",
            "at most the limit, cpu",
            ".cpuRequest",
        ),
        _rule(
            "!has(self.memoryRequest) "
            "|| quantity(self.memoryRequest).compareTo(quantity(self.memory)) <= 0",
            "at most the limit, memory",
            ".memoryRequest",
        ),
        *NODE_SET_RULES,
    ]
    count = {"type": "integer", "format": "int32"}
    words = {
        "replicas": "Worker Pods that exist.",
        "readyReplicas": "Worker Pods that are ready.",
        "idle": "Slurm nodes that take jobs and have none.",
        "allocated": "Slurm nodes with jobs.",
        "drained": "Slurm nodes that take no jobs.",
        "down": "Slurm nodes that are down or do not answer.",
        "unknown": "Workers whose state in Slurm is not known.",
    }
    properties = _common_status() | {
        name: {**count, "description": text} for name, text in words.items()
    }
    properties["selector"] = {
        "type": "string",
        "description": "Label selector of the worker Pods, for autoscalers.",
    }
    columns = [
        _column("Wanted", ".spec.replicas", kind="integer"),
        _column("Ready", ".status.readyReplicas", kind="integer"),
        _column("Idle", ".status.idle", kind="integer"),
        _column("Allocated", ".status.allocated", kind="integer"),
        _column("Drained", ".status.drained", kind="integer"),
        _column("Down", ".status.down", kind="integer"),
        _column("Reason", ".status.conditions[?(@.type=='Ready')].reason", priority=1),
    ]
    daemons = ", ".join(f"'{name}'" for name in sorted(forms.DAEMON_NAMES))
    rules = [
        _rule(
            "self.metadata.name.matches('^[a-z][a-z0-9-]*$') && self.metadata.name.size() <= 52",
            "lower-case letters, digits and inner hyphens, a letter first, at most 52",
        ),
        _rule(f"!(self.metadata.name in [{daemons}])", "a daemon of the cluster has this name"),
    ]
    scale = {
        "scale": {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        }
    }
    status = {"type": "object", "properties": properties}
    names = _names("NodeSet", "nodesets", "nset")
    return _crd(names, _whole(spec, status, rules), columns, scale)


def _common_status() -> Schema:
    text = {"type": "string"}
    condition: Schema = {
        "type": "object",
        "required": ["type", "status", "lastTransitionTime", "reason", "message"],
        "properties": {
            "type": {**text, "maxLength": 316},
            "status": {**text, "enum": ["True", "False", "Unknown"]},
            "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
            "lastTransitionTime": {**text, "format": "date-time"},
            "reason": {**text, "maxLength": 1024, "minLength": 1},
            "message": {**text, "maxLength": 32768},
        },
    }
    return {
        "observedGeneration": {
            "type": "integer",
            "format": "int64",
            "description": "Generation of the spec that this status speaks of.",
        },
        "conditions": {
            "type": "array",
            "items": condition,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
        },
    }


def _column(name: str, path: str, *, kind: str = "string", priority: int = 0) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "type": kind, "jsonPath": path}
    return made | ({"priority": priority} if priority else {})


def _names(kind: str, plural: str, short: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "shortNames": [short],
    }


def _whole(spec: Schema, status: Schema, rules: list[dict[str, str]]) -> Schema:
    return {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
        "x-kubernetes-validations": rules,
    }


def _crd(
    names: dict[str, Any],
    schema: Schema,
    columns: list[dict[str, Any]],
    further: dict[str, Any],
) -> dict[str, Any]:
    age = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}, **further},
        "additionalPrinterColumns": [*columns, age],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{API_GROUP}"},
        "spec": {
            "group": API_GROUP,
            "names": names,
            "scope": "Namespaced",
            "versions": [version],
        },
    }
