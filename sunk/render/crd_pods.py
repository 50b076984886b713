"""What the API server checks by itself of Pod overlays: forms, closed lists, ranges, simple rules.

What a rule would need a whole Pod or the cluster for, `sunk.render.pod_checks` finds: names and
paths of ours, Pod Security. Lists that Kubernetes joins by a key refuse a key that is there twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sunk.model.overlay import (
    Capabilities,
    EnvSource,
    EnvVar,
    KeyRef,
    PodOverlay,
    PodSecurityContext,
    Resources,
    Sidecar,
    SidecarPort,
    SidecarSecurity,
    Sysctl,
    Toleration,
    TopologySpread,
)
from sunk.model.volumes import ClaimVolume, EmptyDir, HostPath, Volume, VolumeMount
from sunk.render import forms, pod_forms
from sunk.render.ours import OURS


def _form(form: re.Pattern[str], most: int = 253) -> dict[str, Any]:
    return {"pattern": forms.anchored(form), "maxLength": most}


def _by(key: str) -> dict[str, Any]:
    return {
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": [key],
        "maxItems": pod_forms.MOST_ITEMS,
    }


def _range(least: int, most: int) -> dict[str, Any]:
    return {"minimum": least, "maximum": most}


_LIST = {"maxItems": pod_forms.MOST_ITEMS}
_SET = {**_LIST, "x-kubernetes-list-type": "set"}
_LINE = {"pattern": r"^[^\x00-\x1f\x7f]*$", "maxLength": 16384}
"""Text on one line: a newline would end up in a Pod, but never in one line of a message."""
_NAME = _form(forms.SUBDOMAIN)
_LABELS = {
    "additionalProperties": {"type": "string", **_form(pod_forms.LABEL_VALUE, 63)},
    "maxProperties": pod_forms.MOST_ITEMS,
}
_NOTES = {
    "additionalProperties": {"type": "string", **_LINE},
    "maxProperties": pod_forms.MOST_ITEMS,
}
_AMOUNTS = {
    "additionalProperties": {"type": "string", **_form(forms.QUANTITY, 40)},
    "maxProperties": pod_forms.MOST_ITEMS,
}
_ONE_LINE_EACH = {**_LIST, "items": {"type": "string", **_LINE}}

POD_EXTRAS: Mapping[tuple[type, str], Mapping[str, Any]] = MappingProxyType(
    {
        (Resources, "requests"): _AMOUNTS,
        (Resources, "limits"): _AMOUNTS,
        (Toleration, "key"): _form(pod_forms.KEY, 317),
        (Toleration, "operator"): {"enum": list(pod_forms.OPERATORS)},
        (Toleration, "value"): _form(pod_forms.LABEL_VALUE, 63),
        (Toleration, "effect"): {"enum": list(pod_forms.EFFECTS)},
        (Toleration, ""): {
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.key) || self.operator == 'Exists'",
                    "message": "without a key the operator is Exists",
                },
                {
                    "rule": "!has(self.value) || self.value == '' || self.operator == 'Equal'",
                    "message": "a value needs operator Equal",
                },
                {
                    "rule": "!has(self.tolerationSeconds) "
                    "|| (has(self.effect) && self.effect == 'NoExecute')",
                    "message": "tolerationSeconds needs effect NoExecute",
                },
            ]
        },
        (TopologySpread, "topology_key"): _form(pod_forms.KEY, 317),
        (TopologySpread, "max_skew"): _range(1, forms.MOST_REPLICAS),
        (TopologySpread, "min_domains"): _range(1, forms.MOST_REPLICAS),
        (TopologySpread, ""): {
            "x-kubernetes-validations": [
                {
                    "rule": "!has(self.minDomains) || self.whenUnsatisfiable == 'DoNotSchedule'",
                    "message": "minDomains needs whenUnsatisfiable DoNotSchedule",
                }
            ]
        },
        (EmptyDir, "medium"): {"enum": list(pod_forms.MEDIUMS)},
        (EmptyDir, "size_limit"): _form(forms.QUANTITY, 40),
        (HostPath, "path"): _form(pod_forms.HOST_PATH, 512),
        (HostPath, "type"): {"enum": list(pod_forms.HOST_PATH_TYPES)},
        (ClaimVolume, "claim_name"): _NAME,
        (Volume, "name"): _form(forms.LABEL, 63),
        # A name and exactly one source.
        (Volume, ""): {"minProperties": 2, "maxProperties": 2},
        (VolumeMount, "name"): _form(forms.LABEL, 63),
        (VolumeMount, "mount_path"): _form(pod_forms.ABSOLUTE_PATH, 512),
        (VolumeMount, "sub_path"): _form(pod_forms.RELATIVE_PATH, 512),
        (VolumeMount, "mount_propagation"): {"enum": list(pod_forms.PROPAGATIONS)},
        (KeyRef, "name"): _NAME,
        (KeyRef, "key"): _form(pod_forms.DATA_KEY),
        (EnvSource, ""): {"minProperties": 1, "maxProperties": 1},
        (EnvVar, "name"): _form(pod_forms.ENV_NAME, 128),
        (EnvVar, "value"): _LINE,
        (EnvVar, ""): {
            "x-kubernetes-validations": [
                {
                    "rule": "!(has(self.value) && has(self.valueFrom))",
                    "message": "value or valueFrom, not both",
                }
            ]
        },
        (Capabilities, "add"): {
            **_SET,
            "items": {"type": "string", **_form(pod_forms.CAPABILITY, 32)},
        },
        (SidecarSecurity, "run_as_user"): _range(0, pod_forms.HIGHEST_ID),
        (SidecarSecurity, "run_as_group"): _range(0, pod_forms.HIGHEST_ID),
        (Sysctl, "name"): _form(pod_forms.SYSCTL),
        (Sysctl, "value"): _LINE,
        (PodSecurityContext, "supplemental_groups"): {
            **_SET,
            "items": {
                "type": "integer",
                "format": "int64",
                **_range(1, pod_forms.HIGHEST_ID),
            },
        },
        (PodSecurityContext, "sysctls"): _by("name"),
        (SidecarPort, "name"): _form(pod_forms.PORT_NAME, 15),
        (SidecarPort, "container_port"): _range(1, 65535),
        (Sidecar, "name"): _form(forms.LABEL, 63),
        (Sidecar, "image"): _form(forms.IMAGE, 255),
        (Sidecar, "command"): _ONE_LINE_EACH,
        (Sidecar, "args"): _ONE_LINE_EACH,
        (Sidecar, "env"): _by("name"),
        (Sidecar, "ports"): _by("name"),
        (Sidecar, "volume_mounts"): _by("mountPath"),
        (PodOverlay, "annotations"): _NOTES,
        (PodOverlay, "env"): _by("name"),
        (PodOverlay, "labels"): _LABELS,
        (PodOverlay, "node_selector"): _LABELS,
        (PodOverlay, "priority_class_name"): _NAME,
        (PodOverlay, "pull_secrets"): {**_SET, "items": {"type": "string", **_NAME}},
        (PodOverlay, "runtime_class_name"): _NAME,
        (PodOverlay, "service_account_name"): _NAME,
        (PodOverlay, "sidecars"): {**_by("name"), "maxItems": 16},
        (PodOverlay, "termination_grace_period_seconds"): _range(
            30, pod_forms.LONGEST_GRACE_SECONDS
        ),
        (PodOverlay, "tolerations"): _LIST,
        (PodOverlay, "topology_spread_constraints"): {**_LIST, "maxItems": 16},
        (PodOverlay, "volume_mounts"): _by("mountPath"),
        (PodOverlay, "volumes"): _by("name"),
    }
)
"""Keywords for the classes of an overlay, as `sunk.render.schema` takes them."""

_NOT_IN_POD = "cpu, memory and devices of a worker are fields of the NodeSet itself"
NODE_SET_RULES: tuple[dict[str, str], ...] = (
    *(
        {
            "rule": "!has(self.pod) || !has(self.pod.resources) "
            f"|| !has(self.pod.resources.{part}) "
            f"|| !('cpu' in self.pod.resources.{part} || 'memory' in self.pod.resources.{part} "
            f"|| self.gpuResource in self.pod.resources.{part})",
            "message": _NOT_IN_POD,
            "fieldPath": ".pod.resources",
        }
        for part in ("requests", "limits")
    ),
    {
        "rule": "!has(self.shmSize) "
        "|| quantity(self.shmSize).compareTo(quantity(self.memory)) <= 0",
        "message": "at most memory, which it counts as",
        "fieldPath": ".shmSize",
    },
    {
        "rule": "!self.rdma || self.gpus == 0 || self.rdmaResource != self.gpuResource",
        "message": "not that of the GPUs",
        "fieldPath": ".rdmaResource",
    },
    {
        "rule": "!has(self.pod) || !has(self.pod.terminationGracePeriodSeconds) "
        f"|| self.pod.terminationGracePeriodSeconds >= {OURS['slurmd'].grace_seconds}",
        "message": f"at least the {OURS['slurmd'].grace_seconds} s that a worker needs to stop",
        "fieldPath": ".pod.terminationGracePeriodSeconds",
    },
)
"""Rules of a NodeSet about its Pods."""
