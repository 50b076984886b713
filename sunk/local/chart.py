"""Install our chart in a namespace with the real Helm; what is there already costs one question."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sunk.clients import process
from sunk.clients.kube.protocol import Kube
from sunk.errors import EnvironmentFault, NotFound
from sunk.local.software.cache import Cache
from sunk.model.kube import CUSTOM_RESOURCE_DEFINITION, DEPLOYMENT
from sunk.render.crds import render_crds
from sunk.resources import data_folder
from sunk.wellknown import API_GROUP

RELEASE = "sunk"
BRIDGE = f"{RELEASE}-bridge"
"""Name of the Deployment that the chart makes."""
_ANNOTATION = f"{API_GROUP}/chart"
"""On the bridge's Pods: digest of the chart and values that they come from."""
_HELM_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartPlace:
    """How to install the chart.

    Attributes:
        helm: the program.
        kubeconfig: leads to the cluster.
        context: in it; the current one when absent.
        scratch: folder for what Helm keeps for itself.
        image: the bridge's image.
    """

    helm: Path
    kubeconfig: Path
    context: str | None
    scratch: Path
    image: str


def find_helm(cache: Cache, search_path: str | None) -> Path:
    """Return Helm from the search path, or the one that was built for local clusters.

    Raises:
        EnvironmentFault: there is none.
    """
    found = shutil.which("helm", path=search_path)
    if found is not None:
        return Path(found)
    built = cache.newest("go-helm")
    if built is None:
        raise EnvironmentFault(
            "find helm: it is not on PATH, and none was built here",
            hint="install Helm 3.14 or later, or build ours: sunk local software",
        )
    return built.content / "helm"


def install_chart(kube: Kube, namespace: str, place: ChartPlace) -> bool:
    """Bring resources and chart to this version; returns whether anything had to be done.

    The custom resource definitions are applied by us: Helm makes them once and never changes them.

    Raises:
        CommandError: Helm refused.
        RemoteError: Kubernetes did not answer.
    """
    for crd in render_crds():
        kube.apply(crd)
    chart = data_folder("deploy") / "chart" / "sunk"
    values = _values(place.image, chart)
    if _installed(kube, namespace) == values["podAnnotations"][_ANNOTATION]:
        return False
    homes = {
        f"HELM_{name}_HOME": str(place.scratch / name.lower())
        for name in ("CACHE", "CONFIG", "DATA")
    }
    context = () if place.context is None else ("--kube-context", place.context)
    process.run(
        [
            *(place.helm, "upgrade", "--install", RELEASE, chart, "--namespace", namespace),
            *("--kubeconfig", place.kubeconfig, *context, "--skip-crds", "--values", "-"),
        ],
        input_text=json.dumps(values),
        env=homes,
        timeout_seconds=_HELM_SECONDS,
    )
    return True


def crds_established(kube: Kube) -> bool:
    """Return whether the API server serves our resources."""
    for crd in render_crds():
        found = kube.get(CUSTOM_RESOURCE_DEFINITION, crd["metadata"]["name"])
        conditions = found.get("status", {}).get("conditions", ())
        if not any(one["type"] == "Established" and one["status"] == "True" for one in conditions):
            return False
    return True


def _values(image: str, chart: Path) -> dict[str, Any]:
    """Return the chart's values: one bridge of this image, with little of a small machine."""
    path, _, tag = image.rpartition(":")
    registry, _, repository = path.rpartition("/")
    values: dict[str, Any] = {
        "image": {"registry": registry, "repository": repository, "tag": tag},
        "replicas": 1,
        "rbac": {"nodeConditions": True},
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
    }
    content = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
    for file in sorted(one for one in chart.rglob("*") if one.is_file()):
        content.update(str(file.relative_to(chart)).encode())
        content.update(file.read_bytes())
    return {**values, "podAnnotations": {_ANNOTATION: content.hexdigest()[:16]}}


def _installed(kube: Kube, namespace: str) -> str | None:
    try:
        found = kube.get(DEPLOYMENT, BRIDGE, namespace)
    except NotFound:
        return None
    notes = found["spec"]["template"]["metadata"].get("annotations", {})
    return str(notes.get(_ANNOTATION))
