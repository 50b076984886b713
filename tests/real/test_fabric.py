"""The real opensm and infiniband-diags on simulated fabrics: healthy, and with every fault.

A healthy fabric has no finding. A fault is injected into the running subnet; it is one red line,
with and without a plan, and whatever hangs together with it waits for that line.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sunk.assess.judge import is_unjudged
from sunk.assess.verdict import Finding, Verdict
from sunk_fabric import service
from sunk_fabric.expected import Expected
from sunk_fabric.parse import dump_lfts, ibdmchk, ibnetdiscover
from sunk_fabric.parse.link_list import IntendedLink
from sunk_fabric.topology.audit import audit
from sunk_fabric.topology.routes import follow
from tests.support import ibsim
from tests.support.eventually import eventually
from tests.support.examples import profile
from tests.support.fabric_collection import FABRIC, collect
from tests.support.fabric_faults import (
    FAULTS,
    SCENES,
    Red,
    asking,
    first_host,
    host_ports,
    kill_leaf,
    made_of,
    plan_of,
    swap_hosts,
    swept,
    unlink,
)
from tests.support.simulated_fabric import Place, ring, two_level, with_aggregation

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

ASKED = ("ib", "sharp.an", "evidence")
SAMPLE = {"two": tuple(FAULTS), "rail": (kill_leaf, swap_hosts), "three": ()}
"""What every run tries; the nights try all. The three-level fabric is healthy in every run."""
CASES = [
    pytest.param(scene, fault, id=f"{scene}-{fault.__name__}")
    for scene in SCENES
    for fault in (FAULTS if profile() == "nightly" else SAMPLE[scene])
]


def found_in(folder: Path, plan: tuple[IntendedLink, ...] | None) -> list[Finding]:
    # Collected by the test itself, which keeps no record of hosts.
    apart = {"evidence.hosts": "no hosts were collected from"}
    expected = Expected(routing_engine="ftree", not_applicable=apart)
    findings = service.check(folder, expected, plan, ASKED)
    return [one for one in findings if not is_unjudged(one)]


def of(verdict: Verdict, findings: list[Finding]) -> set[Red]:
    return {(one.check, one.subject) for one in findings if one.verdict is verdict}


NO_TABLES = tuple(one for one in FABRIC if one != ("dump_lfts",))
"""The three-level fabric ends at LID 1216, which dump_lfts leaves out; opensm's dump has it."""


WITHOUT_A_TOOL = (
    "ib.cable.ddm",
    "ib.fw.switch",
    "ib.ibdiagnet",
    "ib.link.ber",
    "ib.pkey",
    "ib.shield.enabled",
)
"""UNKNOWN here: mlxlink, ibdiagnet and ibv_devinfo have nothing to ask in a simulated fabric, and
settings of opensm are not collected."""


@pytest.mark.parametrize("scene", SCENES)
def test_healthy_fabric_has_no_finding(fabric_rootfs: Path, tmp_path: Path, scene: str):
    made = made_of(scene)
    three = scene == "three"
    with ibsim.running(fabric_rootfs, tmp_path, made) as subnet:
        subnet.manage("sm", first_host(made), "-R", "ftree", *(("-D", "0x43") if three else ()))
        folder = collect(
            subnet,
            asking(made),
            tmp_path / "collected",
            commands=NO_TABLES if three else FABRIC,
            adapters=[asking(made)],
        )
        scan = subnet.run("ibnetdiscover", host=asking(made)).stdout
    findings = found_in(folder, plan_of(scene))
    good = {Verdict.PASS, Verdict.SKIP}
    said = {(one.check, one.subject) for one in findings if one.verdict not in good}
    assert said == {("ib.sm.standby", "fabric"), *((one, "") for one in WITHOUT_A_TOOL)}
    scanned = tmp_path / "scan.txt"
    scanned.write_bytes(scan)
    rebuilt = service.topology(scanned, plan_of(scene))
    assert (rebuilt.defects, rebuilt.notes) == ((), ())


@pytest.mark.parametrize(("scene", "fault"), CASES)
def test_fault_is_one_red_line(fabric_rootfs: Path, tmp_path: Path, scene: str, fault):
    made = made_of(scene)
    with ibsim.running(fabric_rootfs, tmp_path, made) as subnet:
        subnet.manage("sm", first_host(made), "-R", "ftree")
        fault(subnet, SCENES[scene])
        folder = collect(subnet, asking(made), tmp_path / "collected")
    for plan, red in zip((None, plan_of(scene)), FAULTS[fault][scene], strict=True):
        findings = found_in(folder, plan)
        assert of(Verdict.FAIL, findings) == ({red} if red else set())
        blocked = [one for one in findings if one.verdict is Verdict.BLOCKED]
        assert {name for one in blocked for name in one.blocked_by} <= ({red[0]} if red else set())


def test_aggregation_node_without_a_link_is_named(fabric_rootfs: Path, tmp_path: Path):
    made = with_aggregation(two_level(4, 2, 8))
    inside = made.peers[Place("leaf2 aggregation", 1)]
    with ibsim.running(fabric_rootfs, tmp_path, made) as subnet:
        subnet.manage("sm", first_host(made))
        whole = collect(subnet, asking(made), tmp_path / "whole")
        swept(subnet, lambda: subnet.console(unlink(made, inside)))
        broken = collect(subnet, asking(made), tmp_path / "broken")
    for folder, verdict, words in (
        (whole, Verdict.PASS, "6 aggregation nodes, 6 switches"),
        (broken, Verdict.FAIL, "5 aggregation nodes, 6 switches; none at leaf2"),
    ):
        findings = service.check(folder, Expected(sharp=True), None, ["sharp.an", "ib.topology"])
        (found,) = [one for one in findings if one.check == "sharp.an.count"]
        assert (found.verdict, found.found) == (verdict, words)
        assert of(Verdict.FAIL, list(findings)) <= {("sharp.an.count", "fabric")}


@pytest.mark.parametrize("scene", ["two", "ring"])
def test_ibdmchk_follows_the_routes_to_the_same_end(
    fabric_rootfs: Path, tmp_path: Path, scene: str
):
    """Another program, written by others, counts the same pairs and finds the same circles."""
    made = ring() if scene == "ring" else made_of("two")
    dumps = f"{ibsim.SHARED}/sm/opensm"
    files = ("-s", f"{dumps}-subnet.lst", "-f", f"{dumps}.fdbs", "-m", f"{dumps}.mcfdbs")
    with ibsim.running(fabric_rootfs, tmp_path, made) as subnet:
        manager = subnet.manage("sm", first_host(made), "-R", "minhop", "-D", "0x43")
        said = ibdmchk.parse(subnet.run("ibdmchk", *files, host="").stdout)
        scan = ibnetdiscover.parse(subnet.run("ibnetdiscover", host=asking(made)).stdout).value
        tables = dump_lfts.parse((manager.folder / "opensm-lfts.dump").read_bytes()).value
    found = audit(scan)
    routes = follow(scan, found.fabric, found.levels, tables)
    assert said.trouble == ""
    # It counts cables from adapter to adapter; we count switches.
    assert {hops - 1: pairs for hops, pairs in said.value.hops.items()} == routes.hops
    assert (said.value.pairs, said.value.loops) == (routes.pairs, bool(routes.deadlock))
    assert said.value.loops is (scene == "ring")


def test_standby_is_seen_and_takes_over(fabric_rootfs: Path, tmp_path: Path):
    """Two managers are what a site wants: one rules, one waits, and rules when the first dies."""
    made = made_of("two")
    quick = tmp_path / "quick.conf"
    quick.write_text("sminfo_polling_timeout 200\npolling_retry_number 2\nrouting_engine ftree\n")
    with ibsim.running(fabric_rootfs, tmp_path, made) as subnet:
        subnet.manage("sm", first_host(made), "-R", "ftree", "-p", "3")
        waiting = subnet.manage("standby", "node0020 mlx5_0", "-F", f"{ibsim.SHARED}/quick.conf")
        place = host_ports(made, "leaf7")[0]
        swept(subnet, lambda: subnet.console(unlink(made, place)))  # it asks the other's state
        both = collect(subnet, asking(made), tmp_path / "both")
        subnet.end("sm")
        eventually(lambda: "SUBNET UP" in waiting.log, 10, what="the standby to rule")
        # Its host has no power. The simulator would let its port say on that it runs a manager.
        ruled = waiting.sweeps()
        subnet.console(unlink(made, made.peers[Place(first_host(made), 1)]))
        subnet.swept("standby", ruled)
        after = collect(subnet, asking(made), tmp_path / "after")
    findings = {one.check: one for one in found_in(both, None)}
    assert (findings["ib.sm.standby"].verdict, findings["ib.sm.master"].verdict) == ("PASS", "PASS")
    assert "2 managers, standby at lid" in findings["ib.sm.standby"].found
    assert findings["ib.sm.routing"].found == "ftree routes, ftree declared"
    later = {one.check: one for one in found_in(after, None)}
    assert (later["ib.sm.standby"].verdict, later["ib.sm.master"].verdict) == ("WARN", "PASS")
    assert later["ib.sm.master"].found != findings["ib.sm.master"].found


@pytest.mark.parametrize("rate", ["4xSDR", "4xQDR", "4xFDR", "4xEDR", "4xHDR", "4xNDR"])
def test_rates_of_every_generation_come_back(fabric_rootfs: Path, tmp_path: Path, rate: str):
    made = two_level(leaves=2, spines=1, hosts_per_leaf=2)
    made.rate = rate
    with ibsim.running(fabric_rootfs, tmp_path, made) as subnet:
        subnet.manage("sm", first_host(made))
        text = subnet.run("ibnetdiscover", host=first_host(made)).stdout
    scan = ibnetdiscover.parse(text)
    rates = {
        f"{one.rate.width}x{one.rate.generation}" for node in scan.value.nodes for one in node.ports
    }
    assert (scan.trouble, rates) == ("", {rate})
