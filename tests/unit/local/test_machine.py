from __future__ import annotations

import threading
from pathlib import Path

import pytest

from sunk.errors import EnvironmentFault
from sunk.local import machine as machine_module
from sunk.local.machine import Machine

FOUND = {"vm/overcommit_memory": "0", "kernel/panic": "1", "kernel/panic_on_oops": "0"}
SET_BY_KUBELET = {"vm/overcommit_memory": "1", "kernel/panic": "10", "kernel/panic_on_oops": "1"}


def write_sysctls(root: Path, values: dict[str, str]) -> None:
    for key, value in values.items():
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_text(value)


def read_sysctls(root: Path) -> dict[str, str]:
    return {key: (root / key).read_text() for key in FOUND}


@pytest.fixture
def mount_point(tmp_path, monkeypatch):
    place = tmp_path / "var-lib-kubelet"
    monkeypatch.setattr(machine_module, "MOUNT_POINTS", (str(place),))
    return place


@pytest.fixture
def machine(tmp_path, mount_point, monkeypatch):
    monkeypatch.setattr(machine_module, "LOCK_SECONDS", 0.1)
    write_sysctls(tmp_path / "sys", FOUND)
    return Machine(tmp_path / "ledger", tmp_path / "sys")


def test_last_cluster_down_restores_what_the_first_found(tmp_path, machine, mount_point):
    machine.enter("one", tmp_path / "s")
    write_sysctls(tmp_path / "sys", SET_BY_KUBELET)
    machine.enter("two", tmp_path / "s")
    machine.leave("one")
    assert read_sysctls(tmp_path / "sys") == SET_BY_KUBELET
    assert mount_point.is_dir()
    machine.leave("two")
    assert read_sysctls(tmp_path / "sys") == FOUND
    assert not mount_point.exists()


def test_cluster_killed_and_brought_up_again_does_not_save_the_changed_values(tmp_path, machine):
    machine.enter("one", tmp_path / "s")
    write_sysctls(tmp_path / "sys", SET_BY_KUBELET)
    machine.enter("one", tmp_path / "s")
    machine.leave("one")
    assert read_sysctls(tmp_path / "sys") == FOUND


def test_ledger_of_another_boot_is_void(tmp_path, machine, monkeypatch):
    machine.enter("one", tmp_path / "s")
    monkeypatch.setattr("sunk.local.pids.boot_id", lambda: "after a reboot")
    assert machine.clusters() == {}


def test_folder_that_existed_before_stays(tmp_path, machine, mount_point):
    mount_point.mkdir()
    machine.enter("one", tmp_path / "s")
    machine.leave("one")
    assert mount_point.is_dir()


def test_leaving_a_cluster_that_was_never_up_changes_nothing(tmp_path, machine):
    machine.enter("one", tmp_path / "s")
    write_sysctls(tmp_path / "sys", SET_BY_KUBELET)
    machine.leave("other")
    assert machine.clusters() == {"one": str(tmp_path / "s")}
    assert read_sysctls(tmp_path / "sys") == SET_BY_KUBELET


def test_same_name_from_another_state_folder_is_refused(tmp_path, machine):
    machine.enter("one", tmp_path / "s")
    with pytest.raises(EnvironmentFault, match="up already, with its state in"):
        machine.enter("one", tmp_path / "elsewhere")


def test_second_command_on_the_same_cluster_is_told_who_holds_it(tmp_path, machine):
    import os

    other = Machine(tmp_path / "ledger", tmp_path / "sys")
    with (
        machine.exclusively("one", "bring up"),
        pytest.raises(EnvironmentFault, match=f"pid {os.getpid()}: bring up"),
        other.exclusively("one", "take down"),
    ):
        pass


def test_lock_may_be_taken_again_by_its_holder_and_is_held_to_the_outer_end(tmp_path, machine):
    other = Machine(tmp_path / "ledger", tmp_path / "sys")
    with machine.exclusively("one", "bring up"):
        with machine.exclusively("one", "bring up"):
            pass
        with pytest.raises(EnvironmentFault), other.exclusively("one", "take down"):
            pass
    with (
        other.exclusively("one", "take down"),
        pytest.raises(EnvironmentFault),
        machine.exclusively("one", "bring up"),
    ):
        pass


def test_lock_of_a_command_that_is_just_ending_is_waited_for(tmp_path, machine, monkeypatch):
    monkeypatch.setattr(machine_module, "LOCK_SECONDS", 30.0)
    other = Machine(tmp_path / "ledger", tmp_path / "sys")
    held, waited = threading.Event(), threading.Event()

    def hold() -> None:
        with other.exclusively("one", "bring up"):
            held.set()
            waited.wait(0.3)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    with machine.exclusively("one", "take down"):
        pass
    thread.join()


def test_anybody_may_ask_which_clusters_are_up(tmp_path):
    assert Machine(tmp_path / "none", tmp_path).clusters() == {}
    assert not (tmp_path / "none").exists()


def test_damaged_ledger_is_started_anew(tmp_path, machine):
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "ledger.json").write_text("{")
    assert machine.clusters() == {}
