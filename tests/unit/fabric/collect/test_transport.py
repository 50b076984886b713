from __future__ import annotations

import socket

import pytest

from sunk.clients.conversation import Conversation
from sunk.clients.ssh_config import Logins
from sunk.clients.ssh_shells import SshShells
from sunk.errors import ConfigError, EnvironmentFault, NotReached
from sunk.model.reach import Reason, is_address
from sunk_fabric.collect.transport import Local, OverSsh, same_host


@pytest.mark.parametrize(
    ("host", "called", "same"),
    [
        ("gpu1", "gpu1", True),
        ("gpu1.site.example", "GPU1", True),
        ("gpu1", "gpu1.site.example", True),
        ("gpu1", "gpu10", False),
        ("gpu1", "", False),
        ("", "", False),
    ],
)
def test_hosts_are_the_same_by_their_first_label(host, called, same):
    assert same_host(host, called) is same


@pytest.mark.parametrize(
    ("host", "address"),
    [("192.0.2.1", True), ("2001:db8::1", True), ("gpu1", False), ("10.1", False), ("::g", False)],
)
def test_addresses_are_told_from_names(host, address):
    assert is_address(host) is address


@pytest.fixture
def over_ssh(tmp_path):
    file = tmp_path / "config"
    file.write_text("Host far\n  ProxyJump a,b\nHost bad\n  ProxyCommand nc\n")
    return OverSsh(Logins(file), SshShells(within_seconds=1, use_agent=False))


def test_the_way_over_ssh_is_told_with_its_jump_hosts(over_ssh):
    assert (over_ssh.over("near"), over_ssh.over("far")) == ("ssh", "ssh through a, b")
    assert over_ssh.hosts() == ()


def test_a_host_given_by_address_may_have_any_name(over_ssh):
    assert over_ssh.is_named("192.0.2.1", "gpu1")
    assert not over_ssh.is_named("gpu2", "gpu1")


def test_a_wrong_configuration_is_told_before_any_login(over_ssh):
    over_ssh.check(("near", "far"))
    with pytest.raises(ConfigError, match="ProxyCommand"):
        over_ssh.check(("near", "bad"))


def test_a_name_that_leads_nowhere_is_told_as_such(tmp_path):
    config = tmp_path / "config"
    config.write_text("Host *\n  HostName nosuch.invalid\n")
    one = OverSsh(Logins(config), SshShells(within_seconds=1, use_agent=False))
    with pytest.raises(NotReached) as caught:
        one.open("gpu1")
    assert caught.value.reason == Reason.NAME


def test_a_server_that_says_nothing_costs_its_time_and_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        config = tmp_path / "config"
        port = server.getsockname()[1]
        config.write_text(f"Host *\n  HostName 127.0.0.1\n  Port {port}\n")
        one = OverSsh(Logins(config), SshShells(within_seconds=0.3, use_agent=False))
        with pytest.raises(NotReached, match="does not begin to speak SSH") as caught:
            one.open("gpu1")
    assert caught.value.reason == Reason.BANNER


def test_this_machine_is_asked_by_its_own_name_alone():
    one = Local(start=lambda: Conversation(("/bin/sh",)), name="here")
    assert (one.hosts(), one.over("here")) == (("here",), "local")
    one.check(("here",))
    with pytest.raises(ConfigError, match="ask there without a connection: this machine is here"):
        one.check(("there",))


def test_a_machine_without_a_shell_says_so():
    def none():
        raise EnvironmentFault("run /bin/sh: no such program")

    with pytest.raises(NotReached, match="no such program") as caught:
        Local(start=none, name="here").open("here")
    assert caught.value.reason == Reason.SHELL
