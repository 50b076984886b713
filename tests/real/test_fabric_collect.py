"""Collecting over real sshd: many names, some dead in every way that hosts are.

A usual run has a fixed sample; a night has 1,000 names on 50 sshd.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from sunk.assess.bundle import JOURNAL, unpack
from sunk.assess.verdict import Verdict
from sunk.clients import evidence_files
from sunk_fabric import service
from tests.support.eventually import eventually
from tests.support.examples import profile
from tests.support.ssh_site import IBSTAT, WHOLE, SshSite, site

pytestmark = [pytest.mark.real, pytest.mark.timeout(1800)]

SUNK = str(Path(sys.executable).parent / "sunk")
SAMPLE = {"sshd": 10, "names": 60, "dead_of_each": 1}
SIZE = SAMPLE if profile() == "default" else WHOLE
AT_ONCE = 32


@pytest.fixture(scope="module")
def fleet(slurm_rootfs, tmp_path_factory) -> Iterator[SshSite]:
    with site(slurm_rootfs, tmp_path_factory.mktemp("fleet"), **SIZE) as made:
        yield made


@pytest.fixture(scope="module")
def collected(fleet, tmp_path_factory):
    """Return the folder of a whole collection, what was printed, and the peak of connections."""
    folder = tmp_path_factory.mktemp("collected") / "out"
    with fleet.fleet.counted() as peak:
        done = fleet.collect(folder, "--at-once", str(AT_ONCE), "--output", "json")
    assert done.returncode == 4, done.stderr
    return folder, json.loads(done.stdout), peak.value


def test_every_host_gets_its_outcome_and_no_other(fleet, collected):
    _, told, _ = collected
    found = {one["host"]: (one["outcome"], one["reason"]) for one in told["hosts"]}
    assert found == fleet.expected
    assert told["counts"] == Counter(outcome for outcome, _ in fleet.expected.values())


def test_no_more_connections_at_once_than_allowed(collected):
    _, _, peak = collected
    assert 1 < peak <= AT_ONCE


def test_every_healthy_host_says_what_it_is_and_nobody_elses(fleet, collected):
    folder, told, _ = collected
    opened = unpack(evidence_files.read(folder))
    assert opened.faults == ()
    texts = {(one.evidence.host, one.evidence.name): one for one in opened.kept}
    healthy = {host for host, found in fleet.expected.items() if found == ("collected", "")}
    assert {host for host, name in texts if name == "uname"} == healthy
    for host in healthy:
        assert texts[host, "uname"].output.split()[1] == host.encode()
        assert texts[host, "ibstat"].output == IBSTAT.read_bytes()
        assert texts[host, "lspci"].evidence.exit_code == 127
        assert json.loads(texts[host, "sysfs_rdma"].output)["devices"] == []
    assert {one["called"] for one in told["hosts"]} == {*healthy, "impostor", ""}


def test_check_names_every_dead_host_and_takes_none_for_good(fleet, collected):
    folder, _, _ = collected
    said = {one.subject: one for one in service.check(folder, None, None, ["evidence.hosts"])}
    verdicts = {
        host: Verdict.PASS if found[0] == "collected" else Verdict.UNKNOWN
        for host, found in fleet.expected.items()
    }
    assert {host: said[f"node/{host}"].verdict for host in verdicts} == verdicts
    for host, (outcome, reason) in fleet.expected.items():
        if reason:
            assert said[f"node/{host}"].found.startswith(f"{outcome}, {reason}: ")


def test_hosts_behind_a_jump_host_are_reached_over_one_connection(fleet, tmp_path):
    door, *behind = [name for name in fleet.names if name.startswith("n")][:9]
    with fleet.fleet.counted() as peak:
        done = subprocess.run(
            fleet.command(tmp_path / "out", *behind, "--jump", door, "--output", "json"),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["hosts"]
    assert [one["over"] for one in told] == [f"ssh through {door}"] * len(behind)
    assert peak.value == 1


def test_behind_a_dead_jump_host_every_host_says_so(fleet, tmp_path):
    names = [name for name in fleet.names if name.startswith("n")][:3]
    (dead,) = fleet.dead["gone"][:1]
    done = subprocess.run(
        fleet.command(tmp_path / "out", *names, "--jump", dead, "--output", "json"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    found = {one["host"]: one["reason"] for one in json.loads(done.stdout)["hosts"]}
    assert found == dict.fromkeys(names, "jump host not reached")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_was_there_when_it_was_stopped_stays_and_the_rest_is_taken_later(
    fleet, tmp_path, number
):
    folder = tmp_path / "out"
    names = [name for name in fleet.names if name.startswith("n")][:24]
    started = subprocess.Popen(
        fleet.command(folder, *names, "--at-once", "2"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually(lambda: len([*(folder / "raw").glob("*.out")]) > 60, 60, what="some texts")
        started.send_signal(number)
        _, said = started.communicate(timeout=120)
    finally:
        started.kill()
        started.wait()
    if number == signal.SIGKILL:
        assert (folder / JOURNAL).exists()
    else:
        assert started.returncode == 130, said
        assert f"hint: sunk fabric collect {folder} --resume" in said
        assert "run the same command again" not in said
        assert unpack(evidence_files.read(folder)).faults == ()
    before = {one.name for one in (folder / "raw").glob("*.out")}
    again = subprocess.run(
        fleet.command(folder, "--resume", "--output", "json"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    told = json.loads(again.stdout)
    assert {one["host"]: one["outcome"] for one in told["hosts"]} == dict.fromkeys(
        names, "collected"
    )
    opened = unpack(evidence_files.read(folder))
    assert opened.faults == ()
    stayed = before & {f"{one.evidence.id}.out" for one in opened.kept}
    assert len(stayed) > 50


def test_hostile_start_up_files_and_output_stay_out_of_the_terminal(fleet, tmp_path):
    (name,) = fleet.odd["noisy"]
    folder = tmp_path / "out"
    done = subprocess.run(
        fleet.command(folder, name), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert unpack(evidence_files.read(folder)).faults == ()
