from __future__ import annotations

from dataclasses import replace

import pytest

from sunk.assess.verdict import Verdict, exit_code
from sunk.errors import EnvironmentFault
from sunk.local.machine_checks import Disk, MachineFacts, gather, judge, require
from sunk.settings import LocalSettings

GOOD = MachineFacts(
    uid=0,
    system="Linux",
    architecture="x86_64",
    python=(3, 11, 2),
    go="go version go1.26.8 linux/amd64",
    go_trouble="",
    cgroup_version=1,
    cgroup_trouble="",
    cgroup_remedy="",
    filesystems=frozenset({"overlay", "tmpfs", "proc"}),
    missing_programs=(),
    disks=(Disk(folders=("/var/cache/sunk", "/var/lib/sunk"), free_gib=40.0, needed_gib=14.0),),
    memory_gib=24.0,
)


def verdicts(facts: MachineFacts) -> dict[str, Verdict]:
    return {finding.check: finding.verdict for finding in judge(facts)}


def test_good_machine_passes_every_check():
    assert set(verdicts(GOOD).values()) == {Verdict.PASS}
    assert exit_code(tuple(verdicts(GOOD).values())) == 0


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("machine.root", {"uid": 1000}),
        ("machine.linux", {"system": "Darwin"}),
        ("machine.linux", {"architecture": "aarch64"}),
        ("machine.python", {"python": (3, 10, 9)}),
        ("machine.go", {"go": None, "go_trouble": "found Go 1.19.8, needs 1.26"}),
        (
            "machine.cgroups",
            {
                "cgroup_version": None,
                "cgroup_trouble": "pids not mounted",
                "cgroup_remedy": "mount it",
            },
        ),
        ("machine.filesystems", {"filesystems": frozenset({"proc", "tmpfs"})}),
        ("machine.disk", {"disks": (Disk(folders=("/c",), free_gib=1.9, needed_gib=2.0),)}),
        ("machine.memory", {"memory_gib": 2.0}),
    ],
)
def test_each_lack_fails_its_own_check_with_a_remedy(check, changes):
    facts = replace(GOOD, **changes)
    failed = [finding for finding in judge(facts) if finding.verdict is Verdict.FAIL]
    assert [finding.check for finding in failed] == [check]
    assert failed[0].remedy
    assert exit_code(tuple(verdicts(facts).values())) == 1


def test_missing_programs_are_a_warning_with_the_command_that_installs_them():
    found = judge(replace(GOOD, missing_programs=("etcd", "nft")))
    (warned,) = [finding for finding in found if finding.verdict is Verdict.WARN]
    assert warned.remedy == "apt-get install --no-install-recommends etcd-server nftables"


def test_everything_that_lacks_is_one_error_whose_hint_mends_the_first():
    facts = replace(GOOD, uid=1000, go=None, go_trouble="find Go 1.26: no go on PATH")
    with pytest.raises(EnvironmentFault) as caught:
        require(facts)
    assert caught.value.message == (
        "use this machine for a local cluster: user id 1000, not 0; find Go 1.26: no go on PATH"
    )
    assert caught.value.hint == (
        "run as root, for example with sudo; sunk doctor shows every check"
    )


def test_little_memory_and_missing_packages_stop_nobody():
    require(replace(GOOD, memory_gib=2.0, missing_programs=("etcd",)))


def test_warm_cache_needs_little_space_and_one_disk_carries_both(tmp_path):
    settings = LocalSettings(state_folder=tmp_path / "state", cache_folder=tmp_path / "cache")
    (cold,) = gather(settings).disks
    (tmp_path / "cache" / "entries" / "kind" / "key").mkdir(parents=True)
    (warm,) = gather(settings).disks
    assert cold.folders == warm.folders == (f"{tmp_path}/cache", f"{tmp_path}/state")
    assert (cold.needed_gib, warm.needed_gib) == (14.0, 4.0)


def test_settings_that_name_files_are_looked_at_without_a_traceback(tmp_path):
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "deep"
    (disk,) = gather(LocalSettings(state_folder=folder, cache_folder=folder)).disks
    assert disk.free_gib > 0


def test_unknown_is_exit_code_5_and_never_0():
    assert exit_code((Verdict.PASS, Verdict.UNKNOWN)) == 5
    assert exit_code((Verdict.BLOCKED,)) == 5
    assert exit_code((Verdict.FAIL, Verdict.UNKNOWN)) == 1
    assert exit_code((Verdict.WARN, Verdict.SKIP)) == 0
