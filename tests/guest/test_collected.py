"""Real RDMA and SR-IOV of guests: collected over SSH, checked, and broken one thing at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from sunk.assess.bundle import Kept, pack, unpack
from sunk.assess.evidence import evidence_of
from sunk.clients import evidence_files
from sunk_fabric.parse import formats
from sunk_jobs.sysfs_rdma import SriovCard
from tests.support.guests import DEVICE, MTU_BYTES, NIC, Guests

pytestmark = [pytest.mark.guest, pytest.mark.timeout(900)]

SUNK = str(Path(sys.executable).parent / "sunk")
CARD = "0000:01:00.0"
FUNCTIONS = ("0000:01:10.0", "0000:01:10.2")
DECLARED = "adapters_per_host: 1\nrdma_netns: shared\n"


def collect(guests: Guests, folder: Path) -> Path:
    """Collect from all guests with the product's own command, as a user would."""
    options = ("--ssh-config", str(guests.user / "config"))
    known = ("--known-hosts", str(guests.user / "known_hosts"))
    words = guests.in_network(
        *(SUNK, "fabric", "collect", str(folder), *guests.names, *options, *known)
    )
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def parsed(folder: Path, host: str, name: str):
    opened = unpack(evidence_files.read(folder))
    assert opened.faults == ()
    (one,) = [
        each for each in opened.kept if (each.evidence.host, each.evidence.name) == (host, name)
    ]
    return formats.BY_NAME[name].parse(one.output)


def node_states(names: tuple[str, ...], wanted: int) -> bytes:
    """What an operator asks of every guest's NIC, and believes to be there."""
    listed = [{"vfID": number, "pciAddress": one} for number, one in enumerate(FUNCTIONS)]
    card = {"pciAddress": CARD, "name": NIC, "totalvfs": 7, "numVfs": wanted, "linkType": "ETH"}
    items = [
        {
            "kind": "SriovNetworkNodeState",
            "metadata": {"name": name},
            "spec": {"interfaces": [{"pciAddress": CARD, "numVfs": wanted}]},
            "status": {"syncStatus": "Succeeded", "interfaces": [{**card, "Vfs": listed}]},
        }
        for name in names
    ]
    return json.dumps({"kind": "List", "items": items}).encode()


def check(guests: Guests, tmp_path: Path) -> list[tuple[str, str, str]]:
    """Collect, add what a Kubernetes cluster would say, and judge with the product's command."""
    opened = unpack(evidence_files.read(collect(guests, tmp_path / "collected")))
    states = node_states(guests.names, len(FUNCTIONS))
    command = ("kubectl", "get", "sriovnetworknodestates", "-A", "-o", "json")
    kept = Kept(evidence=evidence_of(states, command=command, exit_code=0), output=states)
    whole = tmp_path / "whole"
    evidence_files.write(whole, pack([*opened.kept, kept]))
    site = tmp_path / "site.yaml"
    site.write_text(DECLARED)
    done = subprocess.run(
        [SUNK, "fabric", "check", str(whole), "--expect", str(site), "--all", "--output", "json"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    findings = json.loads(done.stdout)["findings"]
    return [(one["verdict"], one["check"], one["subject"]) for one in findings]


def bad(findings: list[tuple[str, str, str]]) -> list[tuple[str, str]]:
    return [(name, subject) for verdict, name, subject in findings if verdict in {"FAIL", "WARN"}]


SOUND = (
    *("ibstat", "ibv_devinfo", "ip_link", "lspci", "proc_modules"),
    *("rdma_link", "rdma_system", "sysfs_rdma"),
)


def test_everything_that_guests_say_is_read_whole_and_agrees(guests, tmp_path):
    folder = collect(guests, tmp_path / "out")
    for guest in guests.guests:
        found = {name: parsed(folder, guest.name, name) for name in SOUND}
        assert {name: one.trouble for name, one in found.items()} == dict.fromkeys(SOUND, "")
        (device,) = found["ibv_devinfo"].value
        (port,) = device.ports
        assert (device.name, port.state, port.active_mtu_bytes) == (DEVICE, "PORT_ACTIVE", 4096)
        assert port.gids[1].gid == f"::ffff:{guest.rdma}"
        (link,) = found["rdma_link"].value
        assert (link.ifname, link.state, link.netdev) == (DEVICE, "ACTIVE", NIC)
        nets = {one.ifname: one for one in found["ip_link"].value}
        assert nets[NIC].mtu == MTU_BYTES
        assert [one.vf for one in nets[NIC].vfinfo_list] == [0, 1]
        snapshot = found["sysfs_rdma"].value
        assert snapshot.cards == [
            SriovCard(CARD, netdevs=[NIC], total_vfs=7, num_vfs=2, vfs=list(FUNCTIONS))
        ]
        (known,) = snapshot.devices
        assert (known.name, known.pci, known.ports[0].counters) == (DEVICE, [], {})
        assert [one.gid[-9:] for one in known.ports[0].gids][1:] == [
            "{:02x}{:02x}:{:02x}{:02x}".format(*map(int, guest.rdma.split(".")))
        ]


HEALTHY = {
    "host.inventory.match": "node/{}",
    "host.limits.memlock": "node/{}/limits/slurmd",
    "rdma.device.present": "node/{}",
    "rdma.mtu.active": f"node/{{}}/{DEVICE}/1",
    "rdma.netns": "node/{}",
    "rdma.port.rate": f"node/{{}}/{DEVICE}/1",
    "rdma.port.state": f"node/{{}}/{DEVICE}/1",
    "rdma.port.uniform": "node/{}",
    "roce.gid.v2": f"node/{{}}/{DEVICE}/1",
    "roce.mtu.path": f"node/{{}}/{DEVICE}/1",
    "sriov.vf.count": f"node/{{}}/{CARD}",
    "sriov.vf.total": f"node/{{}}/{CARD}",
}
"""Check -> subject of each guest: what must PASS, and not only not FAIL."""


def test_healthy_guests_give_no_finding_and_pass_what_they_prove(guests, tmp_path):
    found = check(guests, tmp_path)
    assert bad(found) == []
    wanted = {
        ("PASS", name, subject.format(host))
        for name, subject in HEALTHY.items()
        for host in guests.names
    }
    assert wanted - set(found) == set()


@dataclass(frozen=True)
class Case:
    """A fault of the last guest, how it is mended, and the one finding that it gives."""

    name: str
    breaks: str
    mends: str
    finding: tuple[str, str]


UP = f"ip link set {NIC} mtu {MTU_BYTES} up; ip addr replace {{address}}/24 dev {NIC}"
SLURMD = "prlimit --pid $(pgrep -o -x slurmd) --memlock="
CASES = (
    Case(
        "no functions",
        f"echo 0 > /sys/class/net/{NIC}/device/sriov_numvfs",
        f"echo 2 > /sys/class/net/{NIC}/device/sriov_numvfs",
        ("sriov.vf.count", f"node/n2/{CARD}"),
    ),
    Case("link down", f"ip link set {NIC} down", UP, ("rdma.port.state", f"node/n2/{DEVICE}/1")),
    Case(
        "small packets",
        f"ip link set {NIC} mtu 1500",
        UP,
        ("roce.mtu.path", f"node/n2/{DEVICE}/1"),
    ),
    Case(
        "memory cannot be locked",
        f"{SLURMD}65536:65536",
        f"{SLURMD}unlimited:unlimited",
        ("host.limits.memlock", "node/n2/limits/slurmd"),
    ),
    Case("no address", f"ip -4 addr flush dev {NIC}", UP, ("roce.gid.v2", f"node/n2/{DEVICE}/1")),
)


@pytest.mark.parametrize("case", CASES, ids=lambda one: one.name)
def test_each_real_fault_is_named_once(guests, tmp_path, case):
    broken = guests.guests[-1]
    guests.does(broken.name, case.breaks)
    try:
        assert bad(check(guests, tmp_path)) == [case.finding]
    finally:
        guests.does(broken.name, case.mends.format(address=broken.rdma))


LISTENS = """
for n in 1 2 3 4 5 6 7 8 9; do
  ss -Hltn | grep -q :18515 && exit
  sleep 1
done
exit 1
"""
"""Waits until perftest's server is there; its client does not wait."""


def test_memory_that_cannot_be_locked_is_why_perftest_fails(guests):
    """What host.limits.memlock warns of, done for real: a limit as Pods have it."""
    sender, receiver = guests.guests
    test = f"ib_write_bw -d {DEVICE} -F"
    guests.does(receiver.name, f"timeout 60 {test} > /tmp/server 2>&1 &")
    guests.does(receiver.name, LISTENS)
    bare = "timeout 30 setpriv --bounding-set -ipc_lock --inh-caps -ipc_lock"
    done = guests.ssh(sender.name, f"ulimit -l 64; {bare} {test} {receiver.rdma} 2>&1")
    guests.ssh(receiver.name, "pkill ib_write_bw")
    assert done.returncode != 0
    assert "Couldn't allocate MR" in done.stdout
