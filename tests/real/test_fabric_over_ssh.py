"""A simulated fabric as an operator meets it: `sunk fabric collect` over SSH, then `check`.

The hosts are real sshd in network namespaces, their tools the real ones. Faults are injected
between two collections, and each is one red line.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.examples import profile
from tests.support.fabric_faults import (
    FAULTS,
    SCENES,
    Red,
    Scene,
    clone_guid,
    count_errors,
    first_host,
    host_ports,
    kill_spine,
    made_of,
    pull_cable,
    repair_cable,
    reset_errors,
)
from tests.support.fabric_site import SUNK, FabricSite, fabric_site
from tests.support.simulated_fabric import Simulated

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

OF_THE_MACHINE = {"host.limits.memlock"}
"""What this machine may truly lack: its hosts have its limits."""
ALSO = {clone_guid: ("evidence.identity", "rdma.port.state")}
"""Two hosts that both say one GUID may be one that answers twice, so both are named as well."""
NIGHTLY = [
    pytest.param(scene, fault, id=f"{scene}-{fault.__name__}")
    for scene in SCENES
    for fault in FAULTS
    if profile() == "nightly"
]


def logins(made: Simulated, scene: Scene) -> tuple[str, ...]:
    """Return hosts to log into: the manager's, and some at the leaves that faults are at."""
    ports = [host_ports(made, leaf)[at] for leaf in (scene.leaf, scene.other_leaf) for at in (0, 2)]
    adapters = {first_host(made), *(made.peers[one].node for one in ports)}
    return tuple(sorted({one.partition(" ")[0] for one in adapters}))


class Operator:
    """Collects from a site into one folder after the other, and checks each.

    Args:
        site: with a manager.
        scene: what it was made of.
        folder: for what is collected.
    """

    def __init__(self, site: FabricSite, scene: str, folder: Path) -> None:
        self.site, self.scene, self.folder = site, SCENES[scene], folder
        self.plan, self.declared = folder / "plan.txt", folder / "site.yaml"
        self.plan.write_bytes(made_of(scene).text())
        self.declared.write_text("routing_engine: ftree\n")
        self.times = 0

    def found(self) -> list[dict[str, str]]:
        """Collect and check; return the findings."""
        self.times += 1
        out = self.folder / f"collected-{self.times}"
        logs = [one.folder / "opensm.log" for one in self.site.subnet.managers.values()]
        texts = [word for one in logs for word in ("--text", f"opensm_log={one}")]
        done = self.site.collect(out, *texts, "--output", "json")
        assert done.returncode == 0, done.stderr
        return self.check(out)

    def check(self, folder: Path) -> list[dict[str, str]]:
        command = [
            *(SUNK, "fabric", "check", str(folder), "--output", "json"),
            *("--intended", str(self.plan), "--expect", str(self.declared)),
        ]
        said = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert said.returncode in {0, 1, 5}, said.stderr
        findings: list[dict[str, str]] = json.loads(said.stdout)["findings"]
        return findings

    def red(self) -> set[Red]:
        return red(self.found())


def red(findings: list[dict[str, str]]) -> set[Red]:
    """Return what FAILs, but for what this machine lacks."""
    return {
        (one["check"], one["subject"])
        for one in findings
        if one["verdict"] == "FAIL" and one["check"] not in OF_THE_MACHINE
    }


@contextmanager
def operating(
    slurm_rootfs: Path, fabric_rootfs: Path, folder: Path, scene: str
) -> Iterator[Operator]:
    made = made_of(scene)
    hosts = logins(made, SCENES[scene])
    with fabric_site(slurm_rootfs, fabric_rootfs, folder, made, hosts) as site:
        site.subnet.manage("sm", first_host(made), "-R", "ftree")
        yield Operator(site, scene, folder)


@pytest.fixture
def operate(slurm_rootfs: Path, fabric_rootfs: Path, tmp_path: Path):
    return lambda scene: operating(slurm_rootfs, fabric_rootfs, tmp_path, scene)


def test_faults_between_collections_are_each_found_and_named_once(operate):
    with operate("two") as operator:
        subnet, scene = operator.site.subnet, operator.scene
        healthy = operator.found()
        count_errors(subnet, scene)
        after_errors = operator.red()
        reset_errors(subnet, scene)
        pull_cable(subnet, scene)
        after_cable = operator.red()
        repair_cable(subnet, scene)
        kill_spine(subnet, scene)
        after_spine = operator.red()
    assert red(healthy) == set()
    known = {one["check"] for one in healthy if one["verdict"] == "PASS"}
    assert {"ib.nodes.complete", "ib.sm.master", "ib.counters.fabric", "rdma.port.state"} < known
    expected = [FAULTS[one]["two"][1] for one in (count_errors, pull_cable, kill_spine)]
    assert [after_errors, after_cable, after_spine] == [{one} for one in expected]


@pytest.mark.nightly
@pytest.mark.parametrize(("scene", "fault"), NIGHTLY)
def test_every_fault_of_every_fabric_is_found_and_named_once(operate, scene, fault):
    with operate(scene) as operator:
        before = operator.red()
        fault(operator.site.subnet, operator.scene)
        after = operator.red()
    expected = FAULTS[fault][scene][1]
    beside = {one for one in after if one[0] in ALSO.get(fault, ())}
    assert (before, after - beside) == (set(), {expected} if expected else set())
