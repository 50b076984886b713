"""Whether a Kubernetes cluster can carry a Slurm cluster: asked through its API, judged here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from sunk.assess.verdict import Finding, Verdict
from sunk.clients.kube.protocol import Kube
from sunk.errors import RemoteError, SunkError
from sunk.model.kube import STORAGE_CLASS, KubeObject, name_of

LEAST_VERSION = (1, 30)
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_RIGHTS = (
    ("create", "", "namespaces"),
    ("create", "", "secrets"),
    ("create", "apps", "statefulsets"),
    ("create", "", "persistentvolumeclaims"),
    ("create", "", "pods/portforward"),
    ("get", "", "services/proxy"),
)


def check_cluster(kube: Kube, namespace: str) -> tuple[Finding, ...]:
    """Return one finding for each requirement; nothing is changed on the cluster."""
    try:
        version = kube.version()
    except RemoteError as exc:
        unknown = Finding(
            check="cluster.api",
            verdict=Verdict.FAIL,
            found=exc.message,
            remedy=exc.hint or "check the kubeconfig and the network",
        )
        return (unknown, *_blocked())
    return (
        Finding(check="cluster.api", verdict=Verdict.PASS, found=f"Kubernetes {version}"),
        _version(version),
        _asked("cluster.nodes", lambda: _nodes(kube)),
        _asked("cluster.storage", lambda: _storage(kube)),
        _asked("cluster.rights", lambda: _rights(kube, namespace)),
    )


def default_class(classes: tuple[KubeObject, ...]) -> str | None:
    """Return the name of the default StorageClass, or nothing."""
    for one in classes:
        annotations: Mapping[str, str] = one["metadata"].get("annotations") or {}
        if annotations.get(_DEFAULT_CLASS) == "true":
            return name_of(one)
    return None


def _blocked() -> tuple[Finding, ...]:
    names = ("cluster.version", "cluster.nodes", "cluster.storage", "cluster.rights")
    return tuple(
        Finding(check=name, verdict=Verdict.BLOCKED, found="cluster.api is not PASS")
        for name in names
    )


def _asked(check: str, ask: Callable[[], Finding]) -> Finding:
    try:
        return ask()
    except SunkError as exc:
        return Finding(check=check, verdict=Verdict.UNKNOWN, found=exc.message)


def _version(version: str) -> Finding:
    try:
        major, minor = (int(part) for part in version.lstrip("v").split(".")[:2])
    except ValueError:
        return Finding(check="cluster.version", verdict=Verdict.UNKNOWN, found=version)
    fine = (major, minor) >= LEAST_VERSION
    return Finding(
        check="cluster.version",
        verdict=Verdict.PASS if fine else Verdict.FAIL,
        found=version,
        remedy="" if fine else "use Kubernetes 1.30 or newer",
    )


def _nodes(kube: Kube) -> Finding:
    nodes = kube.nodes()
    usable = [node.name for node in nodes if node.ready and not node.cordoned]
    return Finding(
        check="cluster.nodes",
        verdict=Verdict.PASS if usable else Verdict.FAIL,
        found=f"{len(usable)} of {len(nodes)} ready",
        remedy="" if usable else "kubectl describe nodes",
    )


def _storage(kube: Kube) -> Finding:
    name = default_class(kube.list(STORAGE_CLASS))
    return Finding(
        check="cluster.storage",
        verdict=Verdict.PASS if name else Verdict.WARN,
        found=f"default StorageClass {name}" if name else "no default StorageClass",
        remedy=""
        if name
        else "name one in the description (storage.home.storageClass must be ReadWriteMany)",
    )


def _rights(kube: Kube, namespace: str) -> Finding:
    refused = [
        f"{verb} {resource}"
        for verb, group, resource in _RIGHTS
        if not _may(kube, namespace, verb, group, resource)
    ]
    return Finding(
        check="cluster.rights",
        verdict=Verdict.FAIL if refused else Verdict.PASS,
        found="may not " + ", ".join(refused) if refused else f"enough for namespace {namespace}",
        remedy="ask the cluster's owner for these rights" if refused else "",
    )


def _may(kube: Kube, namespace: str, verb: str, group: str, resource: str) -> bool:
    plural, _, subresource = resource.partition("/")
    attributes = {"verb": verb, "group": group, "resource": plural, "subresource": subresource}
    if plural != "namespaces":
        attributes["namespace"] = namespace
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = kube.request(
        "POST",
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        body=json.dumps(review).encode(),
    )
    document = json.loads(answer.body) if answer.status < 300 else {}
    return bool(document.get("status", {}).get("allowed"))
