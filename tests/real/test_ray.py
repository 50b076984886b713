"""The script of the template ``ray`` with a real Ray, on nodes that are machines of their own.

Its environment (80 MB to download) is made if this machine has none.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sunk.local.software.python_environment import RAY
from sunk.wiring import local as wiring
from sunk_jobs.outputs.results import RAY_NODES
from tests.support.cluster import local_settings, reporter
from tests.support.lone_nodes import SHARED, lone_nodes
from tests.support.slurm_namespace import ALICE, SlurmNamespace
from tests.support.slurm_texts import PATH
from tests.support.template_jobs import Job

pytestmark = [pytest.mark.real, pytest.mark.nightly, pytest.mark.timeout(900)]

NAMES = ("w1", "w2", "w3")
VARIABLES = f"environment={{PATH: '{RAY.mount_path}/bin:{PATH}'}}"


RAY_JOB = ("memoryPerNode=1500", "cpusPerTask=2", VARIABLES)


@pytest.fixture(scope="module")
def slurm(slurm_rootfs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmNamespace]:
    """A cluster of three machines that see the Ray environment."""
    settings = local_settings()
    software = wiring.ensure_software(settings, reporter())
    made = wiring.ensure_environment(settings, RAY, software, reporter())
    folder = tmp_path_factory.mktemp("ray")
    slurm = SlurmNamespace(rootfs=slurm_rootfs, folder=folder, nodes=())
    slurm.start()
    try:
        slurm.mount(made.folder, RAY.mount_path)
        with lone_nodes(slurm, NAMES, cpus=2):
            slurm.let_submit(ALICE)
            slurm.run("chown", ALICE.name, SHARED)
            yield slurm
    finally:
        slurm.stop()
        shutil.rmtree(folder)


def test_every_node_of_a_ray_cluster_makes_and_reads_blocks(slurm):
    job = Job(slurm, "ray", "nodes=3", *RAY_JOB, root=SHARED)
    job.finished(600)
    result = json.loads(job.log().splitlines()[-1])
    assert result == {
        "schema": RAY_NODES,
        "correct": True,
        "hosts": list(NAMES),
        "tasks": 48,
        "block_bytes": 1 << 20,
        "wrong_blocks": 0,
        "library": "ray 2.60.0",
        "job_id": job.number,
    }


def test_job_ends_with_the_status_of_its_driver_and_its_last_words(slurm):
    program = "program=[sh, -c, 'echo it went wrong; exit 7']"
    job = Job(slurm, "ray", "nodes=2", *RAY_JOB, program, root=SHARED)
    assert set(job.ended(600).values()) == {"FAILED 7:0"}
    assert job.log().splitlines()[-1] == "it went wrong"


def test_ray_that_does_not_start_fails_the_job(slurm):
    job = Job(slurm, "ray", "nodes=1", *RAY_JOB, root=SHARED, change=no_head)
    assert set(job.ended(600).values()) == {"FAILED 1:0"}
    (said,) = (line for line in job.log("logs/0.0.log").splitlines() if "driver" in line)
    assert said == "Ray did not start: the driver never ran"


def no_head(script: str) -> str:
    """Return a script whose Ray is given an option that `ray start` does not know."""
    return script.replace(" --disable-usage-stats", " --disable-usage-stats --no-such-option")
