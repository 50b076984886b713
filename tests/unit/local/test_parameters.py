from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from sunk.clients.kube.memory import MemoryKube
from sunk.errors import ConfigError, EnvironmentFault, InputError
from sunk.local.cluster import LocalCluster, Parameters
from sunk.local.layout import Layout
from sunk.local.machine import Machine
from sunk.local.parameters import (
    promised_ports,
    read_parameters,
    with_free_ports,
    write_parameters,
)
from sunk.local.ports import free_port
from sunk.progress import Silent


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("sunk.local.machine.MOUNT_POINTS", ())
    monkeypatch.setattr("sunk.local.machine.SYSCTLS", ())
    return Machine(tmp_path / "ledger", tmp_path / "sys")


def a_layout(tmp_path: Path, name: str = "one") -> Layout:
    layout = Layout(name=name, state_folder=tmp_path / "state")
    layout.home.mkdir(parents=True, exist_ok=True)
    return layout


def a_cluster(layout: Layout, machine: Machine) -> LocalCluster:
    return LocalCluster(layout, machine, lambda _file: MemoryKube(), Silent())


def test_taken_port_is_passed_over():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert free_port(port) > port


def test_promised_port_is_passed_over_though_nobody_listens_yet():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert free_port(port, without={port}) > port


def test_no_free_port_at_all_names_the_range():
    with pytest.raises(EnvironmentFault, match="all from 65535 to 65535 are taken"):
        free_port(65535, without={65535})


def test_ports_of_other_clusters_are_promised(tmp_path):
    write_parameters(a_layout(tmp_path, "a"), Parameters(api_port=1, ssh_port=2))
    state = str(tmp_path / "state")
    assert promised_ports({"a": state, "never": state}) == {1, 2}


def test_port_stays_when_it_is_free():
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as b:
        ports = (one.getsockname()[1], b.getsockname()[1])
    wanted = Parameters(api_port=ports[0], ssh_port=ports[1])
    assert with_free_ports(wanted, ()) == wanted


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"node_count": "x"}'])
def test_damaged_record_counts_as_no_cluster(tmp_path, content):
    layout = a_layout(tmp_path)
    layout.parameters.write_bytes(content)
    assert read_parameters(layout) is None


def test_unknown_cluster_is_a_usage_error_that_lists_those_up(tmp_path, machine):
    machine.enter("other", tmp_path / "state")
    with pytest.raises(InputError) as caught:
        a_cluster(a_layout(tmp_path), machine).parameters()
    assert caught.value.message == "find local cluster one: it is not up"
    assert caught.value.hint == "sunk local up --name one (up now: other)"


def test_cluster_of_another_state_folder_is_pointed_at(tmp_path, machine):
    machine.enter("one", tmp_path / "elsewhere")
    with pytest.raises(InputError) as caught:
        a_cluster(a_layout(tmp_path), machine).parameters()
    assert caught.value.hint is not None
    assert f"add --state-dir {tmp_path}/elsewhere" in caught.value.hint


def test_other_size_is_refused_before_any_work_with_both_ways_out(tmp_path, machine):
    layout = a_layout(tmp_path)
    existing = Parameters(node_count=2, gpus=0, api_port=1, ssh_port=2)
    write_parameters(layout, existing)
    cluster = a_cluster(layout, machine)
    cluster.check(existing)
    with pytest.raises(ConfigError) as caught:
        cluster.check(replace(existing, node_count=3, gpus=1))
    assert (
        "exists with 2 nodes of 0 GPUs and 0 rails, not 3 nodes of 1 GPUs and 0 rails"
        in caught.value.message
    )
    assert caught.value.hint == (
        "keep it with: --nodes 2 --gpus 0 --rails 0; or first: sunk local down --name one"
    )
    assert read_parameters(layout) == existing


def test_up_and_down_leave_a_cluster_of_another_state_folder_alone(tmp_path, machine):
    machine.enter("one", tmp_path / "elsewhere")
    cluster = a_cluster(a_layout(tmp_path), machine)
    with pytest.raises(EnvironmentFault, match=f"with its state in {tmp_path}/elsewhere"):
        cluster.check(Parameters())
    with pytest.raises(EnvironmentFault, match=f"with its state in {tmp_path}/elsewhere"):
        cluster.down()
    assert machine.clusters() == {"one": str(tmp_path / "elsewhere")}


def test_without_root_every_change_is_refused_and_looking_is_not(tmp_path, machine, monkeypatch):
    layout = a_layout(tmp_path)
    write_parameters(layout, Parameters(node_count=1, api_port=1, ssh_port=2))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    cluster = a_cluster(layout, machine)
    assert cluster.parameters().node_count == 1
    for change in (
        cluster.down,
        lambda: cluster.check(Parameters()),
        lambda: cluster.kill_node("node1"),
        lambda: cluster.require_off("node1"),
        lambda: cluster.set_cable("node1", connected=False),
    ):
        with pytest.raises(EnvironmentFault, match="needs root"):
            change()
    assert not (tmp_path / "ledger").exists()
