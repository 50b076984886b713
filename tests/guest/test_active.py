"""Real perftest over soft-RoCE, and TCP tools, between guests with the product's own runner."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sunk.assess.bundle import unpack
from sunk.clients import evidence_files
from sunk_fabric.parse import formats
from tests.support.guests import DEVICE, NIC, Guests

pytestmark = [pytest.mark.guest, pytest.mark.timeout(900)]

SUNK = str(Path(sys.executable).parent / "sunk")
RATE_MBIT = 20
"""What a translated guest sends with ease; unshaped, figures would be the processor's."""
RDMA = ("--rail", DEVICE, "--seconds", "20", "--effect", "0.9", "--noise", "0.3")
"""perftest's messages are 8 MiB: on a busy machine, few get through in less time. Rates are the
processor's, and differ from one transfer to the next."""
TCP = ("--seconds", "5", "--megabytes", "5", "--effect", "0.5", "--noise", "0.1")


@contextmanager
def shaped(guests: Guests) -> Iterator[str]:
    """Links of a known rate while the block runs; yields what a site declares."""
    limit = f"rate {RATE_MBIT}mbit burst 64k latency 50ms"
    for name in guests.names:
        guests.does(name, f"tc qdisc replace dev {NIC} root tbf {limit}")
    try:
        yield f"port_gbit_per_s: {RATE_MBIT / 1000}\n"
    finally:
        for name in guests.names:
            guests.does(name, f"tc qdisc del dev {NIC} root")


def run(guests: Guests, tmp_path: Path, tool: str, declared: str, *more: str):
    """Run the command; return exit code, findings and the parsed outputs of the tool."""
    addresses = tmp_path / "addresses"
    lines = [f"{one.rdma} {one.name} {one.name}/{DEVICE}\n" for one in guests.guests]
    addresses.write_text("".join(lines))
    site = tmp_path / "site.yaml"
    site.write_text(declared)
    folder = tmp_path / "found"
    words = guests.in_network(
        *(SUNK, "fabric", "test", ",".join(guests.names), "--tool", tool),
        *("--run", f"ssh -F {guests.user / 'config'} {{host}} {{shell}}"),
        *("--addresses", str(addresses), "--expect", str(site), "--folder", str(folder)),
        *("--connect-seconds", "20", "--yes", "--output", "json", *more),
    )
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    assert done.stdout, done.stderr
    findings = [
        (one["verdict"], one["check"], one["subject"])
        for one in json.loads(done.stdout)["findings"]
    ]
    form = {"ib_write_bw": "perftest", "ib_write_lat": "perftest"}.get(tool, tool)
    opened = unpack(evidence_files.read(folder))
    outputs = [
        formats.BY_NAME[form].parse(one.output)
        for one in opened.kept
        if tool in " ".join(one.evidence.command) or (tool == "pair" and b"gbit" in one.output)
    ]
    return done.returncode, findings, outputs


def verdicts(findings, *checks):
    return {(check, verdict) for verdict, check, _ in findings if check in checks}


def failed(findings):
    return [one for one in findings if one[0] == "FAIL"]


PROVED = {("pair.whole", "PASS"), ("pair.cleanup", "PASS"), ("pair.reach", "PASS")}
PROVED |= {("pair.path", "PASS"), ("pair.settings", "PASS")}


def test_bandwidth_over_rdma_is_measured_both_ways_and_read(guests, tmp_path):
    _, findings, outputs = run(guests, tmp_path, "ib_write_bw", "{}\n", *RDMA)
    assert failed(findings) == []
    assert verdicts(findings, *dict(PROVED)) == PROVED
    assert len(outputs) >= 2
    assert {one.trouble for one in outputs} == {""}
    for one in outputs:
        assert (one.value.test, one.value.mtu_bytes) == ("RDMA_Write BW Test", 4096)
        assert (one.value.settings["Device"], one.value.settings["Link type"]) == (
            DEVICE,
            "Ethernet",
        )
        (row,) = one.value.bandwidth
        assert row.average_gbit_per_s > 0


def test_latency_over_rdma_is_measured_both_ways_and_read(guests, tmp_path):
    _, findings, outputs = run(guests, tmp_path, "ib_write_lat", "{}\n", *RDMA)
    assert failed(findings) == []
    assert verdicts(findings, *dict(PROVED)) == PROVED
    assert len(outputs) >= 2
    assert {one.trouble for one in outputs} == {""}
    for one in outputs:
        (row,) = one.value.latency
        assert 0 < row.typical_us <= (row.p99_us or 0)


@pytest.mark.parametrize("tool", ["pair", "iperf3"])
def test_tcp_tools_find_the_rate_of_the_link(guests, tmp_path, tool):
    with shaped(guests) as declared:
        _, findings, outputs = run(guests, tmp_path, tool, declared, *TCP)
    assert failed(findings) == []
    assert verdicts(findings, *dict(PROVED), "pair.class.rate") == {
        *PROVED,
        ("pair.class.rate", "PASS"),
    }
    assert len(outputs) >= 2


def test_pair_that_rdma_does_not_get_through_is_named(guests, tmp_path):
    """The receiver's RDMA device has no address any more: TCP to its login network works on."""
    broken = guests.guests[-1]
    guests.does(broken.name, f"ip link set {NIC} down")
    try:
        code, findings, _ = run(guests, tmp_path, "ib_write_lat", "{}\n", *RDMA)
    finally:
        up = f"ip link set {NIC} up; ip addr replace {broken.rdma}/24 dev {NIC}"
        guests.does(broken.name, up)
    assert code == 1
    assert {one[1] for one in failed(findings)} == {"pair.reach"}
