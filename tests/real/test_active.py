"""Traffic between hosts in namespaces with shaped links: each fault found, and named once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from sunk.cli import app as app_module
from sunk.cli import exits
from tests.support.eventually import eventually
from tests.support.examples import sample
from tests.support.shaped_hosts import ShapedHosts, shaped_hosts

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
RATE_MBIT = 20
SLOW_MBIT = 6
EXPECT = f"port_gbit_per_s: {RATE_MBIT / 1000}\n"


@pytest.fixture
def hosts() -> Iterator[ShapedHosts]:
    with shaped_hosts(6, RATE_MBIT) as made:
        yield made


class Found:
    """What one run of the command said."""

    def __init__(self, code, out, folder):
        self.code = code
        self.folder = folder
        self.document = json.loads(out)

    def of(self, *verdicts):
        return [
            (one["check"], one["subject"])
            for one in self.document["findings"]
            if one["verdict"] in verdicts
        ]

    @property
    def rounds(self):
        (record,) = [
            json.loads(one.read_text())
            for one in (self.folder / "raw").glob("*.out")
            if b"fabric_test" in one.read_bytes()
        ]
        return max(one["round"] for one in record["attempts"])


def words_of(hosts, tmp_path, *more):
    table = tmp_path / "addresses"
    table.write_text(
        "".join(f"{hosts.address(at)} {name}\n" for at, name in enumerate(hosts.names))
    )
    declared = tmp_path / "site.yaml"
    declared.write_text(EXPECT)
    return [
        *("fabric", "test", f"{hosts.prefix}h[0-{hosts.count - 1}]"),
        *("--run", "ip netns exec {host} {command}", "--addresses", str(table)),
        *("--expect", str(declared), "--folder", str(tmp_path / "found")),
        *("--python", sys.executable, "--congestion", "cubic", "--effect", "0.2"),
        *("--noise", "0.03", "--seconds", "3", "--megabytes", "1.0", "--connect-seconds", "2"),
        *("--yes", "--output", "json", *more),
    ]


@pytest.fixture
def run(hosts, tmp_path, capsys):
    def made(*more) -> Found:
        code = app_module.run(words_of(hosts, tmp_path, *more))
        return Found(code, capsys.readouterr().out, tmp_path / "found")

    return made


def planned(found):
    plan = found.document["plan"]
    return plan["rounds"] + plan["repetition_rounds_at_most"]


def test_healthy_hosts_give_no_finding_and_nothing_is_left(hosts, run):
    found = run("--svg", "/dev/null")
    assert found.of("FAIL", "WARN", "UNKNOWN", "BLOCKED") == []
    assert found.code == exits.OK
    assert hosts.sockets() == {}


@dataclass(frozen=True)
class Case:
    """A fault, or several at once, and the only checks and subjects that may FAIL for it."""

    name: str
    breaks: Callable[[ShapedHosts], object]
    fails: tuple[tuple[str, str], ...]
    more: tuple[str, ...] = ()


CASES = (
    Case(
        "slow pair, and a cut host",
        lambda hosts: (hosts.slow_pair(1, 5, 8), hosts.cut(2)),
        (("pair.link.rate", "pair/{1}/{5}"), ("pair.reach", "node/{2}")),
    ),
    Case("slow sender", lambda hosts: hosts.sends(3, SLOW_MBIT), (("pair.host.rate", "node/{3}"),)),
    Case(
        "slow receiver",
        lambda hosts: hosts.receives(3, SLOW_MBIT),
        (("pair.host.rate", "node/{3}"),),
    ),
    Case(
        "slow host, both ways",
        lambda hosts: (hosts.sends(3, SLOW_MBIT), hosts.receives(3, SLOW_MBIT)),
        (("pair.host.rate", "node/{3}"),),
    ),
    Case(
        "slow pair", lambda hosts: hosts.slow_pair(1, 5, 8), (("pair.link.rate", "pair/{1}/{5}"),)
    ),
    Case("lossy pair", lambda hosts: hosts.lossy(1, 5, 30), (("pair.loss", "pair/{1}/{5}"),)),
    Case(
        "lossy pair that bbr hides",
        lambda hosts: hosts.lossy(1, 5, 30),
        (("pair.loss", "pair/{1}/{5}"),),
        ("--congestion", "bbr"),
    ),
    Case("cut host", lambda hosts: hosts.cut(2), (("pair.reach", "node/{2}"),)),
    Case("small packets", lambda hosts: hosts.mtu(4, 1400), (("pair.settings", "node/{4}"),)),
    Case("healthy, all at one", lambda _hosts: None, (), ("--pattern", "incast")),
)
USUAL = (0,)
"""Cases of a usual run; the nights try all."""


@pytest.mark.parametrize(
    "case", [CASES[at] for at in sample(USUAL, range(len(CASES)))], ids=lambda one: one.name
)
def test_each_fault_is_found_in_the_planned_rounds_and_named_once(hosts, run, case):
    case.breaks(hosts)
    found = run(*case.more)
    wanted = [(check, subject.format(*hosts.names)) for check, subject in case.fails]
    assert found.of("FAIL") == wanted
    assert found.code == (exits.FAILED_CHECK if wanted else exits.OK)
    assert found.rounds <= planned(found)
    assert hosts.sockets() == {}


@pytest.mark.parametrize("number", sample((signal.SIGTERM,), (signal.SIGTERM, signal.SIGINT)))
def test_signal_ends_the_test_and_what_it_started(hosts, tmp_path, number):
    words = words_of(hosts, tmp_path, "--seconds", "60", "--megabytes", "4000")
    with subprocess.Popen(
        [sys.executable, "-m", "sunk.cli.app", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stderr
        while "round 1 of" not in child.stderr.readline():
            assert child.poll() is None
        eventually(hosts.sockets, 30, what="a transfer")
        os.kill(child.pid, number)
        said = child.stderr.read()
    assert child.returncode == exits.INTERRUPTED
    assert "hosts afterwards: 6 " in said
    assert hosts.sockets() == {}
    assert (tmp_path / "found" / "manifest.json").exists()
