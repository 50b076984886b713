"""Collecting over real sshd at IPv6 addresses and other ports, and with marked host keys."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fabric_site import SUNK
from tests.support.ssh_fleet import OTHER_PORT, Daemon, SshFleet

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

DOOR, INNER = "fd77::1", "fd77::2"
HOSTS = (
    Daemon(0, {"10.77.1.1": "door", DOOR: "door"}),
    Daemon(1, {"10.77.2.1": "inner", INNER: "inner"}),
)


@pytest.fixture(scope="module")
def fleet(slurm_rootfs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshFleet]:
    with SshFleet(slurm_rootfs, tmp_path_factory.mktemp("fleet"), HOSTS) as made:
        yield made


@pytest.fixture
def collect(fleet: SshFleet, tmp_path: Path):
    """Collect with a known_hosts file of these lines; return how it ended and each host's end."""

    def made(lines: list[str], *words: str):
        options = fleet.write_user_files(tmp_path / "user")
        (tmp_path / "user" / "known_hosts").write_text("".join(f"{one}\n" for one in lines))
        command = [SUNK, "fabric", "collect", str(tmp_path / "out"), *options, *words]
        done = subprocess.run(
            fleet.inside(*command, "--output", "json"),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.stdout, done.stderr
        return json.loads(done.stdout)["hosts"]

    return made


def test_an_ipv6_address_is_a_host(collect):
    lines = [f"{DOOR} {HOSTS[0].host_key}", f"{INNER} {HOSTS[1].host_key}"]
    found = {one["host"]: (one["outcome"], one["called"]) for one in collect(lines, INNER, DOOR)}
    assert found == {DOOR: ("collected", "door"), INNER: ("collected", "inner")}


@pytest.mark.parametrize(
    ("jump", "entry"),
    [
        (DOOR, DOOR),
        (f"[{DOOR}]", DOOR),
        (f"root@[{DOOR}]:{OTHER_PORT}", f"[{DOOR}]:{OTHER_PORT}"),
        (f"door:{OTHER_PORT}", f"[door]:{OTHER_PORT}"),
    ],
)
def test_a_jump_host_may_be_one_with_a_port_of_its_own(collect, jump, entry):
    lines = [f"{entry} {HOSTS[0].host_key}", f"{INNER} {HOSTS[1].host_key}"]
    (one,) = collect(lines, INNER, "--jump", jump)
    assert (one["outcome"], one["called"]) == ("collected", "inner"), one["words"]
    assert one["over"].startswith("ssh through ")


def test_a_key_of_another_port_is_not_this_ones(collect):
    (one,) = collect([f"[{DOOR}]:{OTHER_PORT} {HOSTS[0].host_key}"], DOOR)
    assert (one["outcome"], one["reason"]) == ("unreachable", "host key unknown")


@pytest.mark.parametrize("names", ["door", "*", f"door,{DOOR}"])
def test_a_revoked_key_is_refused_though_another_line_knows_it(collect, names):
    key = HOSTS[0].host_key
    (one,) = collect([f"door {key}", f"@revoked {names} {key}"], "door")
    assert (one["outcome"], one["reason"]) == ("unreachable", "host key changed")
    assert " is revoked" in one["words"]


def test_a_certificate_authority_makes_no_key_good_and_is_named(collect):
    key = HOSTS[0].host_key
    (one,) = collect([f"@cert-authority * {key}"], "door")
    assert (one["outcome"], one["reason"]) == ("unreachable", "host key unknown")
    assert "one has a certificate authority for it, which is not asked here" in one["words"]
