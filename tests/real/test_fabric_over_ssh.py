"""A simulated fabric as an operator meets it: `sunk fabric collect` over SSH, then `check`.

The hosts are real sshd in network namespaces, their tools the real ones. Faults are injected
between two collections, and each is one red line.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.eventually import eventually
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
    unlink,
)
from tests.support.fabric_site import SUNK, FabricSite, fabric_site
from tests.support.ibsim import SHARED, SubnetManager
from tests.support.simulated_fabric import Place, Simulated

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
        site: its fabric.
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
    slurm_rootfs: Path, fabric_rootfs: Path, folder: Path, scene: str, managed: bool
) -> Iterator[Operator]:
    made = made_of(scene)
    hosts = logins(made, SCENES[scene])
    with fabric_site(slurm_rootfs, fabric_rootfs, folder, made, hosts) as site:
        if managed:
            site.subnet.manage("sm", first_host(made), "-R", "ftree")
        yield Operator(site, scene, folder)


@pytest.fixture
def operate(slurm_rootfs: Path, fabric_rootfs: Path, tmp_path: Path):
    def made(scene: str, *, managed: bool = True):
        return operating(slurm_rootfs, fabric_rootfs, tmp_path, scene, managed)

    return made


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


def manage(operator: Operator, name: str, adapter: str, *lines: str) -> SubnetManager:
    """Start a manager with lines of a configuration of its own."""
    subnet = operator.site.subnet
    (subnet.folder / f"{name}.conf").write_text("".join(f"{one}\n" for one in lines))
    return subnet.manage(name, adapter, "-F", f"{SHARED}/{name}.conf")


def about_managers(findings: list[dict[str, str]]) -> dict[str, tuple[str, str]]:
    """Return what is said of the managers, by the check's last word."""
    return {
        one["check"].rpartition(".")[2]: (one["verdict"], one["found"])
        for one in findings
        if one["check"] in {"ib.sm.master", "ib.sm.standby"}
    }


def test_standby_is_told_of_and_rules_when_the_master_dies(operate):
    with operate("two", managed=False) as operator:
        subnet, scene = operator.site.subnet, operator.scene
        quick = ("sminfo_polling_timeout 200", "polling_retry_number 2", "routing_engine ftree")
        manage(operator, "master", first_host(subnet.made), "sm_priority 3", quick[2])
        waiting = manage(operator, "standby", "node0020 mlx5_0", *quick)
        # The master asks the other's state anew when it sweeps.
        place = host_ports(subnet.made, scene.leaf)[2]
        before = subnet.managers["master"].sweeps()
        subnet.console(unlink(subnet.made, place))
        subnet.swept("master", before)
        both = about_managers(operator.found())
        subnet.end("master")
        eventually(lambda: "SUBNET UP" in waiting.log, 10, what="the standby to rule")
        # Its host has no power. The simulator would let its port say on that it runs a manager.
        ruled = subnet.managers["standby"].sweeps()
        dead = subnet.made.peers[Place(first_host(subnet.made), 1)]
        subnet.console(unlink(subnet.made, dead))
        subnet.swept("standby", ruled)
        after = about_managers(operator.found())
    assert [one[0] for one in both.values()] == ["PASS", "PASS"]
    assert both["standby"][1].startswith("2 managers, standby at lid ")
    assert [one[0] for one in after.values()] == ["PASS", "WARN"]
    assert after["master"][1] != both["master"][1]


def test_two_masters_of_one_fabric_are_one_red_line_and_so_is_the_loss_of_one(operate):
    """Managers with unlike keys take no notice of each other; ports obey whoever came last."""
    with operate("two", managed=False) as operator:
        subnet = operator.site.subnet
        made = subnet.made
        places = {"one": first_host(made), "other": "node0010 mlx5_0"}
        guids = {name: f"{made.guids[place] + 1:016x}" for name, place in places.items()}
        manage(operator, "one", places["one"], "sm_key 0x1", "routing_engine ftree")
        second = manage(operator, "other", places["other"], "sm_key 0x2", "routing_engine ftree")
        eventually(lambda: "non-matching sm_key" in second.log, 10, what="both to meet")
        split = operator.found()
        answer = subnet.run("sminfo", host=places["one"]).stdout.decode()
        (obeyed,) = [name for name, guid in guids.items() if guid in answer]
        subnet.end(obeyed)
        lost = operator.found()
    assert red(split) == red(lost) == {("ib.sm.master", "fabric")}
    said = about_managers(split)["master"][1]
    assert said.startswith("2 masters: ")
    assert all(f"{guid} at lid " in said for guid in guids.values())
    assert about_managers(lost)["master"][1] == "nobody answers as subnet manager"


def test_second_master_at_a_host_that_nobody_logs_into_is_named_by_the_others(operate):
    """Only the subnet's administrator, and the port itself, can tell of it."""
    with operate("two", managed=False) as operator:
        subnet = operator.site.subnet
        made = subnet.made
        hidden = "node0015 mlx5_0"
        assert hidden.partition(" ")[0] not in operator.site.hosts
        manage(operator, "seen", first_host(made), "sm_key 0x1", "routing_engine ftree")
        second = manage(operator, "hidden", hidden, "sm_key 0x2", "routing_engine ftree")
        eventually(lambda: "non-matching sm_key" in second.log, 10, what="both to meet")
        split = operator.found()
        subnet.end("hidden")
        silent = about_managers(operator.found())
    assert red(split) == {("ib.sm.master", "fabric")}
    verdict, said = about_managers(split)["master"]
    assert (verdict, said[:11]) == ("FAIL", "2 masters: ")
    assert re.search(rf"{made.guids[hidden] + 1:016x} at lid \d+ \({hidden}\)", said)
    # A port that says it runs a manager, and does not answer, is not taken for none.
    assert silent["master"][0] != "PASS"
    assert silent["master"][0] == "FAIL" or hidden in silent["master"][1]


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
