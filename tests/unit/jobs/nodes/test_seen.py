"""CPUs that cgroups give, from trees as the kernel shows them on machines and in Pods."""

from __future__ import annotations

import subprocess

import pytest

from sunk_jobs.nodes import seen
from sunk_jobs.nodes.seen import NoAnswer, Seen, cpu_faults, cpu_quota, gpu_rows, is_unbound, look


def tree(folder, groups, **files):
    """Write /proc/self/cgroup and files below the mounted cgroups; `__` is a slash."""
    (folder / "cgroup").write_text(groups)
    for name, text in files.items():
        file = folder / "mounted" / name.replace("__", "/").replace("cpu_", "cpu.")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return cpu_quota(folder / "cgroup", folder / "mounted")


FIRST = "4:memory:/kubepods/pod1/c1\n3:cpu,cpuacct:/kubepods/pod1/c1\n0::/\n"


@pytest.mark.parametrize(
    ("groups", "files", "cpus"),
    [
        # a Pod with its own view of the second version
        ("0::/\n", {"cpu_max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu_max": "max 100000\n"}, -1),
        # a step of Slurm below its Pod: the Pod's holds
        ("0::/job_1/step_0\n", {"job_1__step_0__cpu_max": "max 100000\n", "cpu_max": "9 3\n"}, 3.0),
        # two limits: the lower one
        ("0::/a\n", {"a__cpu_max": "100000 100000\n", "cpu_max": "400000 100000\n"}, 1.0),
        # a group without the controller
        ("0::/a\n", {"a__cgroup.procs": "1\n"}, -1),
        # the first version: on the machine, and in a Pod that sees the end of it alone
        (
            FIRST,
            {
                "cpu__kubepods__pod1__c1__cpu_cfs_quota_us": "250000\n",
                "cpu__kubepods__pod1__c1__cpu_cfs_period_us": "100000\n",
            },
            2.5,
        ),
        (FIRST, {"cpu__cpu_cfs_quota_us": "50000\n", "cpu__cpu_cfs_period_us": "100000\n"}, 0.5),
        (FIRST, {"cpu__cpu_cfs_quota_us": "-1\n", "cpu__cpu_cfs_period_us": "100000\n"}, -1),
        # nothing to be seen is no "no limit"
        ("0::/a\n", {}, None),
        ("", {"cpu_max": "100000 100000\n"}, None),
        ("4:memory:/a\n", {"cpu_max": "100000 100000\n"}, None),
        # damage
        ("0::/\n", {"cpu_max": "100000 0\n"}, -1),
        ("junk\n0::/\n", {"cpu_max": "100000 50000\n"}, 2.0),
    ],
)
def test_quota_is_the_least_that_the_cgroups_give(tmp_path, groups, files, cpus):
    assert tree(tmp_path, groups, **files) == cpus


def test_quota_is_not_known_where_processes_have_no_cgroups(tmp_path):
    assert cpu_quota(tmp_path / "cgroup", tmp_path) is None


def a_node(**values):
    return Seen(node="w-1", kernel="6.1", **{"cpus": 8, **values})


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (a_node(), []),
        (a_node(cpus_asked=8, cpus_given=8, cpu_quota=8.0), []),
        (a_node(cpus_asked=4, cpus_given=4, cpu_quota=-1), []),
        (a_node(cpus=2, cpus_asked=4), ["2 CPUs, not 4"]),
        (a_node(cpus_given=8, cpu_quota=1.5), ["a quota of 1.5 CPUs, where Slurm gave 8"]),
        (a_node(cpus_asked=4, cpu_quota=2.0), ["a quota of 2 CPUs, where Slurm gave 4"]),
        (a_node(cpu_quota=2.0), []),
    ],
)
def test_fewer_cpus_than_asked_or_given_is_a_fault(one, said):
    assert cpu_faults(one) == said


def test_task_is_unbound_where_it_may_run_on_more_cpus_than_slurm_gave_its_job():
    assert is_unbound(a_node(cpus_given=2))
    assert not is_unbound(a_node(cpus_given=8))
    assert not is_unbound(a_node())


def test_task_sees_its_node_and_what_slurm_gave(tmp_path):
    slurm = {
        "SLURMD_NODENAME": "w-7",
        "SLURM_CPUS_PER_TASK": "2",
        "SLURM_CPUS_ON_NODE": "6",
    }
    (tmp_path / "sys" / "class" / "net" / "eth0").mkdir(parents=True)
    (tmp_path / "sys" / "class" / "net" / "eth0" / "mtu").write_text("9000\n")
    found = look(slurm, tmp_path, tmp_path / "sys", tmp_path / "proc")
    assert (found.node, found.cpus_asked, found.cpus_given) == ("w-7", 2, 6)
    assert (found.cpu_quota, found.mtu, found.rdma) == (None, {"eth0": 9000}, {})


def smi(monkeypatch, **done):
    def run(words, **_options):
        if "exc" in done:
            raise done["exc"]
        return subprocess.CompletedProcess(words, **done)

    monkeypatch.setattr(seen.subprocess, "run", run)


def test_gpus_are_rows_of_what_was_asked(monkeypatch):
    smi(monkeypatch, returncode=0, stdout="0, 3\n1, [N/A]\n", stderr="")
    assert gpu_rows("index,errors") == [["0", "3"], ["1", "[N/A]"]]


def test_without_a_driver_gpus_are_not_known(monkeypatch):
    smi(monkeypatch, exc=FileNotFoundError())
    assert gpu_rows("uuid") is None


@pytest.mark.parametrize(
    ("done", "said"),
    [
        ({"returncode": 9, "stdout": "", "stderr": "no devices\n"}, "nvidia-smi: no devices"),
        ({"exc": subprocess.TimeoutExpired("x", 60)}, "nvidia-smi does not answer in 60 s"),
    ],
)
def test_driver_that_fails_or_is_silent_is_no_answer(monkeypatch, done, said):
    smi(monkeypatch, **done)
    with pytest.raises(NoAnswer, match=f"^{said}$"):
        gpu_rows("uuid")
