"""Templates whose application runs here, submitted by an ordinary user from the login node.

The others have a recording stub for their application; the real layer runs those.
"""

from __future__ import annotations

import pytest

from sunk.wellknown import TORCH_FOLDER
from tests.support.cluster import RunningSite

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

RUN = 'PATH=$1/bin:$PATH; shift; cd && exec sunk job submit --follow "$@"'
TWO = ("nodes=2", "memoryPerNode=800M", "exclusive=false")
JOBS: dict[str, tuple[tuple[str, ...], str]] = {
    "hello": (("nodes=2",), "hello from rank 1 of 2 on "),
    "health-gate": (("nodes=2", "memoryPerNode=100", "freeDiskGib=0"), '"verdict": "well"'),
    "array-sweep": (
        ("memoryPerNode=100", "grid={rate: [0.1, 0.2]}", 'program=[echo, "rate {rate}"]'),
        "rate 0.2",
    ),
    "data-preparation": (
        ("memoryPerCpu=100", "inputs=[job.sbatch, record.json]", "shards=2"),
        "COMPLETED",
    ),
    "torch-bandwidth": (
        (*TWO, "program=[-m, sunk_jobs.torch_collectives, --sizes, '8,64K', --samples, '3']"),
        '"schema": "sunk.dev/torch_collectives/v1"',
    ),
    "torchrun-ddp": (
        (*TWO, "program=[-m, sunk_jobs.train_ddp, --steps, 5]"),
        '"outcome": "finished"',
    ),
}


@pytest.mark.parametrize("template", JOBS)
def test_user_gets_the_result_of_a_template_with_one_command(
    site: RunningSite, template: str
) -> None:
    settings, wanted = JOBS[template]
    words = [word for setting in settings for word in ("--set", setting)]
    done = site.run("bash", "-c", RUN, "bash", TORCH_FOLDER, template, *words, within_seconds=150)
    assert done.status == 0, done.stdout + done.stderr
    assert wanted in done.stdout + done.stderr
