"""Collecting over a real Kubernetes: in Pods that are there, and in those of a DaemonSet."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sunk.assess.bundle import unpack
from sunk.cli import app
from sunk.clients import evidence_files
from sunk.errors import NotFound
from sunk.model.kube import DAEMON_SET, NAMESPACE, POD
from tests.support.cluster import RunningSite
from tests.support.eventually import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

WORKERS = "app.kubernetes.io/name=slurmd"


@pytest.fixture
def collect(site: RunningSite, tmp_path, capsys):
    """Collect over this cluster; return the exit code, what was printed, and the texts."""

    def collected(*words: str):
        folder = tmp_path / "out"
        asked = ["fabric", "collect", str(folder), "--over", "kubernetes", "--output", "json"]
        code = app.run([*asked, "--kubeconfig", str(site.local.layout.kubeconfig), *words])
        opened = unpack(evidence_files.read(folder))
        assert opened.faults == ()
        texts = {(one.evidence.host, one.evidence.name): one for one in opened.kept}
        return code, json.loads(capsys.readouterr().out), texts

    return collected


@pytest.fixture
def namespace(site: RunningSite) -> Iterator[str]:
    name = f"collect-{uuid.uuid4().hex[:6]}"
    site.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    site.kube.delete(NAMESPACE, name)


def test_workers_pods_are_asked_and_kubernetes_with_them(site, collect):
    code, told, texts = collect("--namespace", site.namespace, "--selector", WORKERS)
    assert code == 0
    nodes = {one.name for one in site.kube.nodes()}
    assert {one["host"]: one["outcome"] for one in told["hosts"]} == dict.fromkeys(
        nodes, "collected"
    )
    for one in told["hosts"]:
        assert one["over"] == f"exec in Pod {site.namespace}/{one['called']}"
        assert texts[one["host"], "proc_limits.slurmd"].evidence.exit_code == 0
        assert texts[one["host"], "uname"].output.split()[1].decode() == one["called"]
    assert {each["metadata"]["name"] for each in items(texts["", "nodes"])} == nodes
    assert texts["", "sriov_state"].evidence.exit_code == 404


def items(kept):
    return json.loads(kept.output)["items"]


def test_a_daemon_set_asks_the_nodes_themselves_and_is_gone_after(site, collect, namespace):
    pod = site.kube.list(POD, site.namespace, WORKERS)[0]
    image = pod["spec"]["containers"][0]["image"]
    code, told, texts = collect("--namespace", namespace, "--image", image)
    assert code == 0
    for one in told["hosts"]:
        assert one["over"].startswith(f"DaemonSet {namespace}/sunk-collect-")
        assert texts[one["host"], "uname"].output.split()[1].decode() == one["host"]
    name = told["hosts"][0]["over"].rpartition("/")[2]
    with pytest.raises(NotFound):
        site.kube.get(DAEMON_SET, name, namespace)
    eventually(lambda: not site.kube.pods(namespace), 60, what="no Pod of it")


def test_an_image_that_is_not_there_is_said_for_each_node(site, collect, namespace):
    words = ("--image", "nosuch.invalid/x:1", "--pod-seconds", "5")
    code, told, _ = collect("--namespace", namespace, *words)
    assert code == 4
    assert {one["reason"] for one in told["hosts"]} == {"no Pod"}
    eventually(lambda: not site.kube.list(DAEMON_SET, namespace), 60)


def test_a_dry_run_makes_nothing(site, capsys, tmp_path, namespace):
    folder = Path(tmp_path / "out")
    asked = ["fabric", "collect", str(folder), "--over", "kubernetes", "--dry-run"]
    words = [
        "--kubeconfig",
        str(site.local.layout.kubeconfig),
        "--namespace",
        namespace,
        "--image",
        "x",
    ]
    assert app.run([*asked, *words]) == 0
    assert "GET /api/v1/nodes" in capsys.readouterr().out
    assert site.kube.list(DAEMON_SET, namespace) == ()
    assert not folder.exists()
