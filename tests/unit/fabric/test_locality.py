"""Ranks and tasks near their devices: NCCL's adapters, and the processors that Slurm gave."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sunk_fabric.collect.questions import HOST_SCRIPTS
from sunk_fabric.parse import task_cpus
from tests.support.fabric_checks import FAIL, PASS, SKIP, UNKNOWN, WARN
from tests.support.fabric_texts import FOLDER

TOPOLOGY = (FOLDER / "nvidia_topo" / "two-gpus.txt").read_bytes()


def log(*ways: str) -> bytes:
    lines = ["NET/IB : Using [0]mlx5_0:1/IB [1]mlx5_1:1/IB [RO]; OOB eth0:10.0.0.1<0>", *ways]
    return "".join(f"gpu001:7:9 [0] NCCL INFO {one}\n" for one in lines).encode()


def send(gpu: str, way: str) -> str:
    return f"Channel 00/0 : 0[{gpu}] -> 8[0] [send] via NET/IB/{way}"


def ranks(check, text, topology=TOPOLOGY):
    files = {"nccl_log.run.txt": text} | ({"gpu001/nvidia_topo.txt": topology} if topology else {})
    return check("loc.rank.nic", files)


@pytest.mark.parametrize(
    ("way", "topology", "verdict", "words"),
    [
        (send("0", "0/GDRDMA"), TOPOLOGY, PASS, "mlx5_0 is at PIX"),
        (send("0", "1/GDRDMA"), TOPOLOGY, FAIL, "mlx5_1 is at SYS, another at PIX"),
        (
            send("0", "1"),
            TOPOLOGY.replace(b"SYS", b"NODE"),
            WARN,
            "mlx5_1 is at NODE, another at PIX",
        ),
        (send("0", "1"), None, UNKNOWN, "no output of nvidia-smi topo -m of gpu001"),
        (send("0", "5"), TOPOLOGY, UNKNOWN, "the log does not name the adapter"),
        (send("9", "0"), TOPOLOGY, UNKNOWN, "nvidia-smi does not tell of GPU9 and mlx5_0"),
    ],
)
def test_rank_leaves_by_the_adapter_of_its_gpu(way, topology, verdict, words, check):
    ((got, _, found),) = ranks(check, log(way), topology)
    assert (got, found) == (verdict, words)


def test_receiving_end_is_the_second_of_a_channel(check):
    way = "Channel 01/0 : 8[5] -> 0[1] [receive] via NET/IB/1/GDRDMA/Shared"
    ((verdict, subject, _),) = ranks(check, log(way))
    assert (verdict, subject) == (PASS, "run/run/gpu001/7/GPU1")


def test_channel_through_another_rank_is_no_fault_of_this_one(check):
    ((verdict, _, words),) = ranks(check, log(send("0", "1(3)/GDRDMA")))
    assert (verdict, words) == (
        UNKNOWN,
        "no channel tells the adapter by which its GPU leaves the node",
    )


@pytest.mark.parametrize("gpu", ["1000", "1b000"])
def test_gpu_that_is_told_by_its_address_is_not_guessed(gpu, check):
    ((verdict, _, words),) = ranks(check, log(send(gpu, "0")))
    assert (verdict, words) == (UNKNOWN, "the log does not name the GPU")


@pytest.mark.parametrize(
    ("allowed", "devices", "verdict", "words"),
    [
        ("0-3", ["nvidia0 a 0-7"], PASS, "4 processors, near a"),
        ("0-3,9", ["nvidia0 a 0-7"], WARN, "1 of its 5 processors are not near a"),
        ("8-11", ["nvidia0 a 0-7"], WARN, "none of its 4 processors is near a"),
        ("8-11", ["nvidia0 a 0-7", "uverbs1 b 8-15"], PASS, "4 processors, near a, b"),
        (
            "0-15",
            ["nvidia0 a 0-7", "uverbs1 b 8-15"],
            SKIP,
            "it has devices of 2 places open: NCCL's log tells which it uses",
        ),
        (
            "0",
            ["nvidia0 - -"],
            UNKNOWN,
            "which processors are near nvidia0, the kernel does not say",
        ),
    ],
)
def test_task_runs_where_its_devices_are(allowed, devices, verdict, words, check):
    text = "".join(f"7 3 99 {allowed} {one}\n" for one in devices).encode()
    found = check("loc.task.cpu", {"gpu001/task_cpus.txt": text})
    assert found == [(verdict, "node/gpu001/job 7/rank 3/99", words)]


def test_host_without_a_task_is_skip(check):
    text = f"{task_cpus.NONE}\n".encode()
    assert [one[0] for one in check("loc.task.cpu", {"gpu001/task_cpus.txt": text})] == [SKIP]


@pytest.mark.parametrize("words", ["5-3", "0-99999", "1,,2", "999999999"])
def test_list_of_processors_that_is_none_is_not_read(words):
    parsed = task_cpus.parse(f"7 3 99 {words} nvidia0 a 0-7\n".encode())
    assert not parsed.sound


HOLDER = "import os,sys,time; os.open(sys.argv[1], os.O_RDONLY); print(flush=True); time.sleep(60)"


@pytest.fixture
def holding(tmp_path):
    """Run a process with a device open, in a made folder like /dev; yield its number."""
    device = tmp_path / "dev" / "infiniband" / "uverbs0"
    device.parent.mkdir(parents=True)
    device.touch()
    sysfs = tmp_path / "class" / "infiniband_verbs" / "uverbs0"
    (sysfs / "device").mkdir(parents=True)
    (sysfs / "ibdev").write_text("mlx5_3\n")
    (sysfs / "device" / "local_cpulist").write_text("0-1\n")
    made = []

    def held(**environment: str) -> int:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(device)],
            env={"PATH": os.environ["PATH"], **environment},
            stdout=subprocess.PIPE,
        )
        made.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process.pid

    yield held
    for one in made:
        one.kill()
        one.communicate()


@pytest.fixture
def ask(tmp_path):
    """Ask as root, or as whoever; a user's own processes are all that the test needs to see."""
    programs = tmp_path / "bin"
    programs.mkdir()

    def asked(uid=0, **fakes: str) -> subprocess.CompletedProcess[bytes]:
        for name, lines in {"id": f"echo {uid}", **fakes}.items():
            (programs / name).write_text(f"#!/bin/sh\n{lines}\n")
            (programs / name).chmod(0o755)
        lines = dict(HOST_SCRIPTS)["task_cpus"].replace("{root}", str(tmp_path))
        path = f"{programs}:{os.environ['PATH']}"
        return subprocess.run(
            ["sh", "-c", lines], env={"PATH": path}, capture_output=True, check=False
        )

    return asked


def test_question_finds_the_tasks_of_jobs_that_have_a_device_open(holding, ask):
    task = holding(SLURM_JOB_ID="77", SLURM_PROCID="5")
    holding()
    (found,) = [one for one in task_cpus.parse(ask().stdout).value if one.pid == task]
    assert (found.job, found.rank, found.device, found.near) == (77, 5, "mlx5_3", {0, 1})
    assert found.allowed == os.sched_getaffinity(task)


def test_question_says_that_there_is_none(holding, ask):
    holding()
    parsed = task_cpus.parse(ask().stdout)
    assert (parsed.sound, parsed.value) == (True, ())


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"uid": 1000}, b"root alone sees what others have open"),
        ({"find": "echo 'find: unrecognized: -lname' >&2; exit 1"}, b"unrecognized: -lname"),
    ],
)
def test_question_that_cannot_see_does_not_say_none(holding, ask, how, why):
    holding(SLURM_JOB_ID="77", SLURM_PROCID="5")
    done = ask(**how)
    assert (done.returncode, done.stdout) == (1, b"")
    assert why in done.stderr
