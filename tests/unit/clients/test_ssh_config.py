from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from sunk.clients.known_hosts import DEFAULT_FILES
from sunk.clients.ssh_config import DEFAULT_KEYS, Login, Logins, Overrides
from sunk.errors import ConfigError

ME = getpass.getuser()


@pytest.fixture
def logins(tmp_path):
    def made(text: str = "", **overrides):
        file = tmp_path / "config"
        file.write_text(text)
        return Logins(file, Overrides(**overrides))

    return made


def plain(name: str, **changes) -> Login:
    whole = {
        "address": name,
        "port": 22,
        "user": ME,
        "keys": DEFAULT_KEYS,
        "trusted_as": name,
        **changes,
    }
    return Login(name=name, **whole)


def test_a_host_that_nobody_configured_is_reached_by_its_name(logins):
    assert logins().of("gpu1") == plain("gpu1")


def test_what_the_file_says_is_done(logins, tmp_path):
    found = logins(
        "Host gpu*\n  HostName %h.site.example\n  Port 2222\n  User admin\n"
        f"  IdentityFile {tmp_path}/a\n  IdentityFile {tmp_path}/b\n  IdentitiesOnly yes\n"
        f"  HostKeyAlias fleet\n  UserKnownHostsFile {tmp_path}/k1 {tmp_path}/k2\n"
    ).of("gpu1")
    assert found == Login(
        name="gpu1",
        address="gpu1.site.example",
        port=2222,
        user="admin",
        keys=(tmp_path / "a", tmp_path / "b"),
        only_keys=True,
        trusted_as="fleet",
        known_hosts=(tmp_path / "k1", tmp_path / "k2"),
    )
    assert str(found) == "gpu1 (admin@gpu1.site.example:2222)"


def test_the_command_line_wins(logins):
    found = logins(
        "Host *\n  User admin\n  IdentityFile /a\n  ProxyJump other\n",
        user="root",
        keys=(Path("/mine"),),
        known_hosts=Path("/known"),
        jump="none",
    ).of("gpu1")
    assert found == plain(
        "gpu1", user="root", keys=(Path("/mine"),), only_keys=True, known_hosts=(Path("/known"),)
    )


def test_jump_hosts_come_in_the_order_of_the_way(logins):
    found = logins(
        "Host gpu*\n  ProxyJump door,me@hall:2200\nHost door\n  HostName 192.0.2.1\n"
    ).of("gpu1")
    assert found.jumps == (
        plain("door", address="192.0.2.1", trusted_as="192.0.2.1"),
        plain("hall", port=2200, user="me"),
    )


def test_a_jump_host_that_is_behind_another_brings_it_along(logins):
    found = logins("Host gpu1\n  ProxyJump hall\nHost hall\n  ProxyJump door\n").of("gpu1")
    assert [one.name for one in found.jumps] == ["door", "hall"]


def test_jump_hosts_of_the_option_are_the_whole_way(logins):
    found = logins("Host door\n  ProxyJump elsewhere\n", jump="door").of("gpu1")
    assert [one.name for one in found.jumps] == ["door"]
    assert found.jumps[0].jumps == ()


@pytest.mark.parametrize(
    ("place", "address", "port"),
    [
        ("fd77::1", "fd77::1", 22),
        ("[fd77::1]", "fd77::1", 22),
        ("[fd77::1]:2222", "fd77::1", 2222),
        ("fe80::1%eth0", "fe80::1%eth0", 22),
        ("[door]:2222", "door", 2222),
    ],
)
def test_a_jump_host_may_be_an_ipv6_address(logins, place, address, port):
    (found,) = logins(jump=f"me@{place}").of("gpu1").jumps
    assert (found.user, found.address, found.port) == ("me", address, port)
    shown = f"[{address}]" if ":" in address else address
    assert str(found) == f"me@{shown}:{port}"


@pytest.mark.parametrize("place", ["[fd77::1", "[fd77::1]2222", "[door]:x", "door:"])
def test_a_jump_host_that_is_not_understood_is_told(logins, place):
    with pytest.raises(ConfigError):
        logins(jump=place).of("gpu1")


def test_a_circle_of_jump_hosts_is_told(logins):
    with pytest.raises(ConfigError, match="more than 5 jump hosts"):
        logins("Host *\n  ProxyJump gpu2\n").of("gpu1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Host *\n  ProxyCommand nc %h %p\n", "wants a ProxyCommand"),
        ("Host *\n  Port many\n", "invalid literal"),
        ("nonsense\n", "nonsense"),
        ("Host gpu1\n  ProxyJump door:x\n", "invalid literal"),
    ],
)
def test_a_file_that_cannot_be_followed_is_told(logins, text, message):
    with pytest.raises(ConfigError, match=message):
        logins(text).of("gpu1")


def test_a_named_file_must_be_there(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        Logins(tmp_path / "none")


def test_keys_are_looked_for_where_openssh_looks(logins):
    assert logins().of("gpu1").known_hosts == DEFAULT_FILES
