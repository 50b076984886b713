"""Pieces that every object of a cluster is made of: metadata, Pods, containers, volumes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sunk.model.cluster import SlurmCluster
from sunk.model.overlay import PodOverlay
from sunk.render.kube.overlay import overlaid
from sunk.wellknown import (
    ANNOTATION_CONFIG_HASH,
    FIELD_MANAGER,
    LABEL_INSTANCE,
    LABEL_MANAGED_BY,
    LABEL_NAME,
)

Object = dict[str, Any]

SCRIPTS_FOLDER = "/etc/sunk/scripts"
SCRIPTS = "slurm-scripts"
SLURM_CONF = "slurm-conf"
USERS = "slurm-users"
"""ConfigMap with passwd, group and shadow."""
USERS_FOLDER = "/var/lib/extrausers"


def labels(cluster: SlurmCluster, component: str) -> dict[str, str]:
    """Return the labels of every object of a component."""
    return {
        LABEL_INSTANCE: cluster.name,
        LABEL_MANAGED_BY: FIELD_MANAGER,
        LABEL_NAME: component,
    }


def selector(cluster: SlurmCluster, component: str) -> dict[str, str]:
    """Return the labels that choose a component's Pods."""
    return {LABEL_INSTANCE: cluster.name, LABEL_NAME: component}


def metadata(cluster: SlurmCluster, component: str, name: str, **extra: str) -> Object:
    """Return the metadata of a namespaced object; `extra` are further labels, keys as they are."""
    return {
        "labels": {**labels(cluster, component), **extra},
        "name": name,
        "namespace": cluster.namespace,
    }


def digest(parts: Mapping[str, Any]) -> str:
    """Return a short digest of what a Pod is started with; the same for equal content."""
    text = json.dumps(parts, sort_keys=True, default=lambda value: value.hex())
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def service(
    cluster: SlurmCluster, component: str, port: tuple[str, int], *, name: str | None = None
) -> Object:
    """Return a headless Service: one DNS name for each Pod, also before it is ready.

    Without `publishNotReadyAddresses` daemons that wait for each other's names never get ready.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(cluster, component, name or component),
        "spec": {
            "clusterIP": "None",
            "ports": [{"name": port[0], "port": port[1], "protocol": "TCP"}],
            "publishNotReadyAddresses": True,
            "selector": selector(cluster, component),
        },
    }


def env(values: Mapping[str, str], facts: Mapping[str, str]) -> list[Object]:
    """Return environment variables, sorted: fixed values and fields of the Pod."""
    fixed = [{"name": name, "value": text} for name, text in values.items()]
    of_pod = [
        {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}
        for name, path in facts.items()
    ]
    return sorted([*fixed, *of_pod], key=lambda one: str(one["name"]))


def security(
    *,
    uid: int | None = None,
    gid: int | None = None,
    add: Sequence[str] = (),
    read_only: bool = True,
    privileged: bool = False,
) -> Object:
    """Return a container's securityContext: nothing beyond the capabilities in `add`.

    Args:
        uid: user of the process; root when absent.
        gid: its group; the same number as `uid` when absent.
        add: capabilities without CAP_.
        read_only: the root file system cannot be written.
        privileged: everything that root of the machine may do.
    """
    if privileged:
        everything: Object = {"capabilities": {}, "privileged": True}
        return everything | {"allowPrivilegeEscalation": True, "readOnlyRootFilesystem": read_only}
    context: Object = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"], **({"add": sorted(add)} if add else {})},
        "readOnlyRootFilesystem": read_only,
    }
    if uid is not None:
        group = uid if gid is None else gid
        context |= {"runAsGroup": group, "runAsNonRoot": True, "runAsUser": uid}
    return context


def requests(cpu: str, memory: str) -> Object:
    """Return resource requests of a daemon; without limits, which would stop it at its busiest."""
    return {"requests": {"cpu": cpu, "memory": memory}}


def probe(*command: str, period_seconds: int = 10) -> Object:
    """Return a probe that runs a command; our commands limit their own time below the probe's."""
    return {
        "exec": {"command": list(command)},
        "failureThreshold": 3,
        "periodSeconds": period_seconds,
        "timeoutSeconds": 8,
    }


def listens(port: int) -> Object:
    """Return a probe that opens a connection, which costs no process in the container."""
    return {"tcpSocket": {"port": port}, "timeoutSeconds": 8}


def script(name: str) -> list[str]:
    """Return the command that runs one of our scripts as the first process, under tini."""
    return ["tini", "--", "bash", f"{SCRIPTS_FOLDER}/{name}"]


def bash(name: str) -> tuple[str, str]:
    """Return the command of a hook or probe in one of our scripts."""
    return ("bash", f"{SCRIPTS_FOLDER}/{name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A volume and where a container sees it.

    Attributes:
        name: the volume's name in the Pod.
        path: mount point.
        source: the volume itself, for example ``{"emptyDir": {}}``.
        read_only: the container cannot write it.
    """

    name: str
    path: str
    source: Object
    read_only: bool = False

    def mount(self) -> Object:
        """Return the container's side."""
        side: Object = {"mountPath": self.path, "name": self.name}
        return side | ({"readOnly": True} if self.read_only else {})


def scratch(name: str, path: str) -> Mount:
    """Return an empty folder that lives as long as the Pod."""
    return Mount(name=name, path=path, source={"emptyDir": {}})


def config(name: str, path: str, *, volume: str | None = None, mode: int = 0o444) -> Mount:
    """Return a ConfigMap as a folder."""
    return Mount(
        name=volume or name,
        path=path,
        source={"configMap": {"defaultMode": mode, "name": name}},
        read_only=True,
    )


def claim(name: str, path: str, *, read_only: bool = False) -> Mount:
    """Return a persistent volume claim as a folder."""
    source = {"persistentVolumeClaim": {"claimName": name}}
    return Mount(name=name, path=path, source=source, read_only=read_only)


def joined(name: str, path: str, *sources: Object, mode: int) -> Mount:
    """Return several ConfigMaps and Secrets as one folder, all files with one mode."""
    return Mount(
        name=name,
        path=path,
        source={"projected": {"defaultMode": mode, "sources": list(sources)}},
        read_only=True,
    )


def of_secret(name: str, *files: str) -> Object:
    """Return the chosen files of a Secret as a source for `joined`."""
    return {"secret": {"items": [{"key": one, "path": one} for one in files], "name": name}}


def of_config(name: str) -> Object:
    """Return a ConfigMap as a source for `joined`."""
    return {"configMap": {"name": name}}


# Asked often until it is answered once. The entry scripts give up by themselves, with their reason
# in the log, before this limit of 15 minutes.
_UNTIL_STARTED: Object = {"failureThreshold": 450, "periodSeconds": 2}
_UNTIL_LISTENING: Object = {"failureThreshold": 900, "periodSeconds": 1}
"""The same for a probe without a process in the container, which is cheap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container and the volumes that it sees.

    Attributes:
        readiness: probe of a container that has started.
        startup: cheap probe until it has started; `readiness` where there is none.
        values: environment variables.
        facts: environment variables with a field of the Pod, such as ``metadata.uid``.
    """

    name: str
    image: str
    command: Sequence[str]
    mounts: Sequence[Mount]
    security: Object
    resources: Object
    readiness: Object
    startup: Object | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    port: tuple[str, int] | None = None
    lifecycle: Object | None = None

    def render(self, cluster: SlurmCluster) -> Object:
        """Return the container as a Pod holds it."""
        spec: Object = {
            "command": list(self.command),
            "env": env(self.values, self.facts),
            "image": self.image,
            "imagePullPolicy": cluster.images.pull_policy,
            "name": self.name,
            "readinessProbe": self.readiness,
            "resources": self.resources,
            "securityContext": self.security,
            "startupProbe": self._startup(),
            "volumeMounts": [one.mount() for one in self.mounts],
        }
        if self.port is not None:
            name, number = self.port
            spec["ports"] = [{"containerPort": number, "name": name, "protocol": "TCP"}]
        if self.lifecycle is not None:
            spec["lifecycle"] = self.lifecycle
        return spec

    def _startup(self) -> Object:
        if self.startup is None:
            return {**self.readiness, **_UNTIL_STARTED}
        return {**self.startup, **_UNTIL_LISTENING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What a workload's Pods look like.

    Attributes:
        component: the label's value.
        containers: in order; the first is the default of kubectl logs and exec.
        config_hash: digest of everything that a running Pod does not pick up by itself.
        fs_group: group that may write the claims; only for claims that belong to one daemon.
        grace_seconds: between preStop and SIGKILL.
        further_labels: beside the component's.
        further: further keys of the Pod's spec.
        overlay: what the description adds to all this.
    """

    component: str
    containers: Sequence[Container]
    config_hash: str
    fs_group: int | None = None
    grace_seconds: int = 30
    further_labels: Mapping[str, str] = field(default_factory=dict)
    further: Mapping[str, Any] = field(default_factory=dict)
    overlay: PodOverlay | None = None

    def template(self, cluster: SlurmCluster) -> Object:
        """Return the Pod template, with what the description adds to it."""
        own = self._own(cluster)
        made = own if self.overlay is None else overlaid(own, self.overlay)
        if made != own:
            marks = made["metadata"]["annotations"]
            marks[ANNOTATION_CONFIG_HASH] = digest({"config": self.config_hash, "pod": made})
        return made

    def _own(self, cluster: SlurmCluster) -> Object:
        context: Object = {"seccompProfile": {"type": "RuntimeDefault"}}
        if self.fs_group is not None:
            context |= {"fsGroup": self.fs_group, "fsGroupChangePolicy": "OnRootMismatch"}
        volumes = {one.name: one.source for c in self.containers for one in c.mounts}
        spec: Object = {
            "automountServiceAccountToken": False,
            "containers": [one.render(cluster) for one in self.containers],
            # slurmctld looks up the bare names of hosts that submit. Asked as a top level domain,
            # such a name may get no answer at all, and slurmctld stands still for ten seconds.
            "dnsConfig": {"options": [{"name": "no-tld-query"}]},
            "enableServiceLinks": False,
            "securityContext": context,
            "terminationGracePeriodSeconds": self.grace_seconds,
            "volumes": [{"name": name, **volumes[name]} for name in sorted(volumes)],
            **self.further,
        }
        if cluster.images.pull_secrets:
            spec["imagePullSecrets"] = [{"name": one} for one in cluster.images.pull_secrets]
        return {
            "metadata": {
                "annotations": {ANNOTATION_CONFIG_HASH: self.config_hash},
                "labels": {**labels(cluster, self.component), **self.further_labels},
            },
            "spec": spec,
        }


def stateful_set(
    cluster: SlurmCluster, pod: Pod, *, name: str | None = None, replicas: int = 1
) -> Object:
    """Return a StatefulSet whose Service has its own name.

    Parallel, because Pods do not wait for each other and because an ordered set never replaces a
    Pod that was broken by its own last template.
    """
    chosen = name or pod.component
    match = {**selector(cluster, pod.component), **pod.further_labels}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(cluster, pod.component, chosen, **pod.further_labels),
        "spec": {
            "podManagementPolicy": "Parallel",
            "replicas": replicas,
            "selector": {"matchLabels": match},
            "serviceName": chosen,
            "template": pod.template(cluster),
        },
    }
