"""Join what a site adds to a Pod with what the renderers put there; ours wins, pure.

Lists keep the site's order where it means something (variables may use earlier ones); mappings are
sorted, so that equal descriptions give equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Any

from sunk.errors import InputError
from sunk.model.file_form import camel
from sunk.model.overlay import Capabilities, PodOverlay, Resources, Sidecar
from sunk.model.quantity import parse_quantity
from sunk.render.ours import clashes, ours_of
from sunk.wellknown import LABEL_MANAGED_BY

Object = dict[str, Any]


def overlaid(template: Object, overlay: PodOverlay) -> Object:
    """Return a Pod template with what a site adds to it; the given one stays as it is.

    Args:
        template: what the renderers made; its first container is the main one.
        overlay: what a site adds; has no fault of its own (`sunk.render.pod_checks`).

    Raises:
        InputError: something would take the place of what holds the cluster together.
    """
    for clash in clashes((), overlay, ours_of(template)):
        key = ".".join(str(part) for part in clash.path)
        raise InputError(
            f"add {key} to a Pod of sunk: {clash.value!r} is not allowed",
            hint=f"allowed: {clash.allowed}",
        )
    metadata = template["metadata"]
    return {
        **template,
        "metadata": {
            **metadata,
            "annotations": {**_sorted(overlay.annotations), **metadata["annotations"]},
            "labels": {**_sorted(overlay.labels), **metadata["labels"]},
        },
        "spec": {
            **template["spec"],
            **_scheduling(overlay, metadata["labels"]),
            **_identity(overlay),
            **_lists(template["spec"], overlay),
        },
    }


def _scheduling(overlay: PodOverlay, labels: Mapping[str, str]) -> Object:
    """Return the keys of a Pod that say where it runs."""
    made: Object = {}
    if overlay.affinity is not None:
        made["affinity"] = _plain(overlay.affinity)
    if overlay.node_selector:
        made["nodeSelector"] = _sorted(overlay.node_selector)
    if overlay.priority_class_name is not None:
        made["priorityClassName"] = overlay.priority_class_name
    if overlay.runtime_class_name is not None:
        made["runtimeClassName"] = overlay.runtime_class_name
    if overlay.tolerations:
        made["tolerations"] = _plain(overlay.tolerations)
    if overlay.topology_spread_constraints:
        # What is spread are the Pods of this component; nobody has to know the labels for it.
        chosen = {key: text for key, text in labels.items() if key != LABEL_MANAGED_BY}
        made["topologySpreadConstraints"] = [
            {**_plain(one), "labelSelector": {"matchLabels": chosen}}
            for one in overlay.topology_spread_constraints
        ]
    return made


def _identity(overlay: PodOverlay) -> Object:
    """Return the keys of a Pod that say who it is, to the machine and to the API server."""
    made: Object = {}
    if overlay.automount_service_account_token:
        made["automountServiceAccountToken"] = True
    if overlay.host_users is not None:
        made["hostUsers"] = overlay.host_users
    if overlay.service_account_name is not None:
        made["serviceAccountName"] = overlay.service_account_name
    if overlay.termination_grace_period_seconds is not None:
        made["terminationGracePeriodSeconds"] = overlay.termination_grace_period_seconds
    return made


def _lists(spec: Object, overlay: PodOverlay) -> Object:
    """Return the keys of a Pod to which an overlay adds something."""
    main, *others = spec["containers"]
    made: Object = {
        "containers": [_main(main, overlay), *others],
        "volumes": sorted(
            [*spec["volumes"], *_plain(overlay.volumes)], key=lambda one: str(one["name"])
        ),
    }
    if overlay.pod_security_context is not None:
        made["securityContext"] = {
            **spec["securityContext"],
            **_plain(overlay.pod_security_context),
        }
    if overlay.pull_secrets:
        names = [one["name"] for one in spec.get("imagePullSecrets", ())]
        every = dict.fromkeys((*names, *overlay.pull_secrets))
        made["imagePullSecrets"] = [{"name": name} for name in every]
    if overlay.sidecars:
        made["initContainers"] = [
            *spec.get("initContainers", ()),
            *(_sidecar(one) for one in overlay.sidecars),
        ]
    return made


def _main(container: Object, overlay: PodOverlay) -> Object:
    made = {
        **container,
        "env": [*container["env"], *_plain(overlay.env)],
        "volumeMounts": [*container["volumeMounts"], *_plain(overlay.volume_mounts)],
    }
    if overlay.resources is not None:
        made["resources"] = _resources(container["resources"], overlay.resources)
    security = overlay.security_context
    if security is not None:
        context = {**container["securityContext"]}
        ours = tuple(context["capabilities"].get("add", ()))
        made["securityContext"] = {
            **context,
            **_rights(
                ours,
                security.capabilities,
                privileged=security.privileged or context.get("privileged", False),
            ),
        }
    return made


def _rights(ours: tuple[str, ...], more: Capabilities | None, *, privileged: bool) -> Object:
    """Return what a container may do: our capabilities, more of them, or everything."""
    add = sorted({*ours, *(more.add if more is not None else ())})
    # The API server takes no container that has these and may not gain any privilege.
    gains = privileged or "SYS_ADMIN" in add
    made: Object = {
        "allowPrivilegeEscalation": gains,
        "capabilities": {"drop": ["ALL"], **({"add": add} if add else {})},
    }
    return made | ({"privileged": True} if privileged else {})


def _resources(ours: Mapping[str, Mapping[str, str]], theirs: Resources) -> Object:
    """Return the resources of both; a limit below our own request takes the request with it."""
    requests = {**ours.get("requests", {}), **theirs.requests}
    limits = {**ours.get("limits", {}), **theirs.limits}
    for name, limit in theirs.limits.items():
        request = requests.get(name)
        if request is not None and parse_quantity(request) > parse_quantity(limit):
            requests[name] = limit
    made = {"limits": _sorted(limits), "requests": _sorted(requests)}
    return {key: value for key, value in made.items() if value}


def _sidecar(sidecar: Sidecar) -> Object:
    made: Object = _plain(sidecar)
    context = made.pop("securityContext", {})
    security = sidecar.security_context
    rights = _rights(
        (),
        security.capabilities if security is not None else None,
        privileged=security is not None and security.privileged,
    )
    return {**made, "restartPolicy": "Always", "securityContext": {**context, **rights}}


def _sorted(words: Mapping[str, str]) -> dict[str, str]:
    return {key: words[key] for key in sorted(words)}


def _plain(value: Any) -> Any:
    """Return a part of an overlay as Kubernetes has it, without what is absent, empty or false.

    A class without anything set stays: ``emptyDir: {}`` says something.
    """
    if isinstance(value, StrEnum):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        pairs = {camel(one.name): getattr(value, one.name) for one in fields(value)}
        return {
            key: _plain(one)
            for key, one in pairs.items()
            if one is not None and one is not False and one not in ((), {})
        }
    if isinstance(value, Mapping):
        return {key: _plain(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
