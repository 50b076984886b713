"""What users bring: submitit, and plain sbatch, from the login node."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.support.cluster import RunningSite

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

TOOLS = ("submitit", "cloudpickle", "typing_extensions")
CALLS = """
import os, socket, submitit

def where(number):
    return number * number, os.environ["SLURMD_NODENAME"]

executor = submitit.AutoExecutor(folder="submitit-logs")
executor.update_parameters(timeout_min=5, mem_gb=0.1, cpus_per_task=1, slurm_array_parallelism=2)
jobs = executor.map_array(where, [2, 3])
for job in jobs:
    print(*job.result())

def fails():
    raise ValueError("meant to fail")

try:
    executor.submit(fails).result()
except submitit.core.utils.FailedJobError as exc:
    print("meant to fail" in str(exc))
"""


def packed() -> str:
    """Return the packages as an archive in base64."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for name in TOOLS:
            spec = importlib.util.find_spec(name)
            assert spec is not None and spec.origin is not None
            origin = Path(spec.origin)
            path = origin.parent if origin.name == "__init__.py" else origin
            archive.add(path, path.name, filter=lambda one: None if "/test" in one.name else one)
    return base64.b64encode(held.getvalue()).decode()


def test_submitit_gets_results_and_failures_of_calls_on_workers(site: RunningSite) -> None:
    text = packed()
    for part in [text[at : at + 60_000] for at in range(0, len(text), 60_000)]:
        site.run("bash", "-c", 'printf %s "$1" >>~/tools.b64', "bash", part)
    site.run("bash", "-c", "mkdir -p ~/tools && base64 -d ~/tools.b64 | tar -xzf - -C ~/tools")
    words = ("env", "PYTHONPATH=/home/alice/tools", "python3", "-c", CALLS)
    done = site.run(*words, within_seconds=200)
    assert done.status == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [one[0] for one in lines] == ["4", "9", "True"]
    assert all(one[1].startswith("w-") for one in lines[:2])


def test_wrapped_command_runs_on_every_worker_that_was_asked_for(site: RunningSite) -> None:
    script = "cd && sbatch --wait --parsable --nodes=2 --output=wrap.log --wrap 'srun hostname'"
    done = site.run("bash", "-c", f"{script} && sort wrap.log", within_seconds=60)
    assert done.status == 0, done.stderr
    number, *hosts = done.stdout.split()
    assert number.isdigit()
    assert len(set(hosts)) == 2
    assert all(one.startswith("w-") for one in hosts)


def test_first_test_of_a_fabric_needs_nothing_on_workers_and_leaves_nothing(site: RunningSite):
    words = "sunk fabric test 'w-[0-1]' --seconds 1 --megabytes 1 --yes --output json"
    done = site.run("bash", "-c", f"cd && rm -rf fabric-test && {words}", within_seconds=120)
    assert done.status in {0, 5}, done.stderr
    said = json.loads(done.stdout)
    found = {(one["check"], one["subject"]): one["verdict"] for one in said["findings"]}
    for node in ("w-0", "w-1"):
        assert found["pair.reach", f"node/{node}"] == "PASS", done.stdout
        assert found["pair.cleanup", f"node/{node}"] == "PASS", done.stdout
    left = site.run("bash", "-c", "ls -A ~/sunk-runs | grep fabric; squeue --noheader --me")
    assert left.stdout == ""
