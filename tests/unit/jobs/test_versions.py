"""What a node says of its versions, and what it does not claim to know."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import replace

import pytest

from sunk_jobs import versions
from sunk_jobs.versions import Sources, image_of

NOTHING = Sources(srun=None, mpirun=None, driver=None, modules=None, packages={}, torch_file=None)
DRIVER = """\
NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.82.07  Release Build  (x@y)  Wed Aug
GCC version:  gcc version 13.3.0 (Ubuntu 13.3.0-6ubuntu2~24.04)
"""
TORCH_FILE = """\
from typing import Optional
__version__ = '2.15.0+cu132'
debug = False
cuda: Optional[str] = '13.2'
git_version = 'abc'
"""
WHOLE = Sources(
    srun="slurm 24.11.5\n",
    mpirun="mpirun (Open MPI) 5.0.7\n\nReport bugs to https://www.open-mpi.org/community/help/\n",
    driver=DRIVER,
    modules="nvidia 1 0 - Live 0x0\n",
    packages={"torch": "2.15.0", "nvidia-nccl-cu13": "2.30.7", "nvidia-cuda-runtime": "13.2.86"},
    torch_file=TORCH_FILE,
)
OWN = ("kernel", "python")


def found(sources: Sources, *, is_contained: bool = False) -> dict[str, str]:
    """Return the versions but those of the machine that the test runs on."""
    said = versions.versions(sources, is_contained=is_contained)
    return {name: value for name, value in said.items() if name not in OWN}


def test_all_that_can_be_seen_is_said():
    assert found(WHOLE) == {
        "cuda": "13.2",
        "driver": "580.82.07",
        "mpi": "Open MPI 5.0.7",
        "nccl": "2.30.7",
        "slurm": "24.11.5",
        "torch": "2.15.0",
    }


def test_what_cannot_be_seen_is_unknown_and_a_package_that_is_not_there_absent():
    unknown = dict.fromkeys(("cuda", "driver", "mpi", "nccl", "slurm"), "unknown")
    assert found(NOTHING) == {**unknown, "torch": "absent"}


def test_in_an_image_nothing_is_said_of_what_the_node_has_itself():
    said = versions.versions(WHOLE, is_contained=True)
    unknown = dict.fromkeys(("cuda", "mpi", "nccl", "python", "torch"), "unknown")
    assert said == {
        **unknown,
        "driver": "580.82.07",
        "kernel": os.uname().release,
        "slurm": "24.11.5",
    }


@pytest.mark.parametrize(
    ("changed", "name", "wanted"),
    [
        ({"driver": None, "modules": "mlx5_core 1\n"}, "driver", "absent"),
        ({"driver": None, "modules": "nvidia 1\n"}, "driver", "unknown"),
        ({"driver": None, "modules": "nvidia_fs 1\n"}, "driver", "absent"),
        ({"driver": "torn"}, "driver", "unknown"),
        ({"driver": DRIVER.replace("Open ", "")}, "driver", "580.82.07"),
        ({"srun": "slurm-wlm 25.05.3\n"}, "slurm", "25.05.3"),
        ({"srun": ""}, "slurm", "unknown"),
        ({"torch_file": TORCH_FILE.replace("'13.2'", "None")}, "cuda", "absent"),
        ({"torch_file": None}, "cuda", "13.2.86"),
        ({"mpirun": "HYDRA build details:\n    Version:          4.2.1\n"}, "mpi", "MPICH 4.2.1"),
        (
            {"mpirun": "Intel(R) MPI Library for Linux* OS, Version 2021.13 Build 20240701"},
            "mpi",
            "Intel MPI 2021.13",
        ),
        ({"packages": {"torch": "2"}}, "nccl", "unknown"),
    ],
)
def test_each_source_is_read_as_it_is_written(changed, name, wanted):
    assert found(replace(WHOLE, **changed))[name] == wanted


DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("reference", "wanted"),
    [
        ("", {"reference": "absent"}),
        ("nvcr.io/a/b:1", {"reference": "nvcr.io/a/b:1", "digest": "unknown"}),
        (f"nvcr.io/a/b@{DIGEST}", {"reference": f"nvcr.io/a/b@{DIGEST}", "digest": DIGEST}),
        (f"a@{DIGEST}0", {"reference": f"a@{DIGEST}0", "digest": "unknown"}),
    ],
)
def test_digest_of_an_image_is_the_one_in_its_name(reference, wanted):
    assert image_of(reference, None) == wanted


def test_file_of_an_image_is_told_by_size_and_time(tmp_path):
    file = tmp_path / "train.sqsh"
    file.write_bytes(b"1234")
    os.utime(file, (7, 7.9))
    assert image_of(str(file), file.stat()) == {
        "reference": str(file),
        "digest": "unknown",
        "bytes": 4,
        "modified_seconds": 7,
    }


def test_process_in_a_container_says_what_its_image_has_and_nothing_of_the_node(
    capsys, monkeypatch
):
    monkeypatch.setattr(versions, "gather", lambda: WHOLE)
    assert versions.main(["--inside"], {"SLURMD_NODENAME": "w-1"}) == 0
    assert json.loads(capsys.readouterr().out) == {
        "schema": "sunk.dev/versions/v1",
        "cuda": "13.2",
        "mpi": "Open MPI 5.0.7",
        "nccl": "2.30.7",
        "python": platform.python_version(),
        "torch": "2.15.0",
    }


def test_program_prints_one_line_on_a_node_that_has_nothing(capsys, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert versions.main([], {"SLURMD_NODENAME": "w-1"}) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["schema"], said["node"]) == ("sunk.dev/versions/v1", "w-1")
    assert (said["slurm"], said["mpi"], said["image"]) == (
        "unknown",
        "unknown",
        {"reference": "absent"},
    )
