"""The chart under the real Helm: lint, golden files, refusals. Golden files are rewritten by

SUNK_REWRITE_GOLDEN=1 .venv/bin/pytest tests/real/test_chart.py
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sunk.render import forms
from sunk.wellknown import LABEL_INSTANCE, LABEL_MANAGED_BY, LABEL_NAME
from tests.support.chart import CHART, helm
from tests.support.golden import FOLDER, check_golden

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
EVERYTHING = FOLDER / "chart" / "everything-values.yaml"
LEAST = ("--kube-version", "1.30.0")


def rendered(*words: str | Path) -> str:
    done = helm("template", "sunk", CHART, "--namespace", "slurm", *LEAST, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(text: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(text) if one]


@pytest.mark.parametrize("words", [(), ("--values", EVERYTHING)], ids=["default", "everything"])
def test_lint_finds_nothing(words):
    told = ("--set", "metrics.service.enabled=true") if words else ()
    done = helm("lint", "--strict", CHART, *words, *told)
    assert done.returncode == 0, done.stdout + done.stderr


def test_default_values_make_these_objects():
    check_golden("chart/default.yaml", rendered())


def test_every_value_set_makes_these_objects():
    switches = ("rbac.create", "serviceAccount.create", "podDisruptionBudget.enabled")
    on = [
        word for one in (*switches, "metrics.service.enabled") for word in ("--set", f"{one}=true")
    ]
    check_golden("chart/everything.yaml", rendered("--values", EVERYTHING, *on))


def test_parts_that_are_switched_off_are_not_made():
    off = ("--set", "metrics.serviceMonitor.enabled=false")
    made = objects(rendered("--values", EVERYTHING, *off))
    assert [one["kind"] for one in made] == ["Deployment"]
    assert made[0]["spec"]["template"]["spec"]["serviceAccountName"] == "given"


def test_notes_say_the_next_step_with_commands_of_this_release():
    done = helm(
        *("install", "sunk", CHART, "--namespace", "hpc", "--dry-run=client"),
    )
    assert done.returncode == 0, done.stderr
    _, _, notes = done.stdout.partition("NOTES:\n")
    check_golden("chart/notes.txt", notes)


REFUSED = [
    ("replicas=-1", "replicas"),
    ("replicas=two", "replicas"),
    ("replica=2", "replica"),
    ("image.tagg=x", "tagg"),
    ("image.tag=a b", "tag"),
    ("image.digest=sha256:12", "digest"),
    ("image.pullPolicy=Sometimes", "pullPolicy"),
    ("bridge.port=80", "port"),
    ("bridge.listenAddress=localhost", "listenAddress"),
    ("bridge.dryRun=maybe", "dryRun"),
    ("runAsUser=0", "runAsUser"),
    ("podDisruptionBudget.maxUnavailable=0", "maxUnavailable"),
    ("metrics.serviceMonitor.interval=often", "interval"),
    ("extraLabels.app\\.kubernetes\\.io/name=slurmd", "extraLabels"),
    ("podLabels.app\\.kubernetes\\.io/instance=lab", "podLabels"),
    ("rbac.nodes=true", "nodes"),
    ("resources.request.cpu=1", "request"),
    ("affinity.nodeAfinity.x=1", "nodeAfinity"),
    ("global.imagePullSecrets=site", "imagePullSecrets"),
    ("fullnameOverride=Keeper", "fullnameOverride"),
]


@pytest.mark.parametrize(("setting", "named"), REFUSED)
def test_wrong_value_is_refused_and_named(setting, named):
    done = helm("template", "sunk", CHART, *LEAST, "--set", setting)
    assert done.returncode != 0
    assert named in done.stderr


def test_service_monitor_without_a_service_is_refused():
    words = ("--set", "metrics.serviceMonitor.enabled=true,metrics.service.enabled=false")
    done = helm("template", "sunk", CHART, *LEAST, *words)
    assert done.returncode != 0
    assert "metrics.serviceMonitor.enabled needs metrics.service.enabled" in done.stderr


def test_kubernetes_that_is_too_old_is_refused():
    done = helm("template", "sunk", CHART, "--kube-version", "1.29.9")
    assert done.returncode != 0
    assert "1.30" in done.stderr


def test_values_of_an_umbrella_charts_global_are_let_through():
    assert objects(rendered("--set", "global.storageClass=fast"))


@pytest.mark.parametrize("release", ["sunk", "lab", "slurm-bridge", "a.b", "b" * 53])
def test_no_object_can_be_taken_for_one_of_a_slurm_cluster(release):
    done = helm("template", release, CHART, *LEAST)
    pods = [one["spec"]["template"] for one in objects(done.stdout) if one["kind"] == "Deployment"]
    for one in [*objects(done.stdout), *pods]:
        labels = one["metadata"]["labels"]
        assert labels[LABEL_MANAGED_BY] != "sunk"
        assert labels[LABEL_NAME] not in forms.DAEMON_NAMES
        assert re.fullmatch(forms.SUBDOMAIN, labels[LABEL_INSTANCE]) is None
        assert all(len(value) <= 63 for value in labels.values())
        assert re.fullmatch(r"[a-z0-9-]{1,63}(:[a-z0-9-]{1,63})?", one["metadata"].get("name", "x"))


def test_pod_fits_the_restricted_pod_security_standard():
    (deployment,) = [one for one in objects(rendered()) if one["kind"] == "Deployment"]
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 64033,
        "runAsGroup": 64033,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert set(spec) & {"hostNetwork", "hostPID", "hostIPC"} == set()
