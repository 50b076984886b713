"""Every template on worker Pods, by an ordinary user from the login node, in both ways there are.

One way is `sunk job submit`, the other `sbatch` of the script in a prepared run folder. Where the
application cannot run here a recording stub stands for it; the real layer compares whole what the
stubs are given. A usual run tries a sample, `make nightly` all of them; FSDP2 is in test_training.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sunk.wellknown import TORCH_FOLDER
from tests.support import recording_stub
from tests.support.cluster import RunningSite
from tests.support.examples import profile

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

SUBMIT = 'PATH=$1/bin:$PATH; shift; cd && exec sunk job submit --follow "$@"'
# The workers have no GPUs: the lines that ask for them are taken out.
BY_HAND = """
PATH=$1/bin:$PATH; shift; cd
made=$(sunk job submit --prepare --output json "$@") || exit
folder=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["folder"])' "$made") || exit
sed -i '/^#SBATCH --gpus-per-node=/d; s/ --gpu-bind=none//' "$folder/job.sbatch"
sbatch --wait --parsable --chdir="$folder" "$folder/job.sbatch"
status=$?
cat "$folder"/job*.log
exit "$status"
"""
LAST_RUN = '"$(ls -td ~/sunk-runs/*/ | head -1)"'
WAYS = {"submit": SUBMIT, "sbatch": BY_HAND}
TWO = ("nodes=2", "memoryPerNode=800M", "exclusive=false")
JOBS: dict[str, tuple[tuple[str, ...], str]] = {
    "hello": (("nodes=2",), "hello from rank 1 of 2 on "),
    "mpi": ((*TWO, "tasksPerNode=1"), '"correct": true'),
    "health-gate": (("nodes=2", "memoryPerNode=100", "freeDiskGib=0"), '"verdict": "well"'),
    "array-sweep": (
        ("memoryPerNode=100", "grid={rate: [0.1, 0.2]}", 'program=[echo, "rate {rate}"]'),
        "rate 0.2",
    ),
    "data-preparation": (
        ("memoryPerCpu=100", "inputs=[job.sbatch, record.json]", "shards=2"),
        "shard-00001",
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
STUBBED: dict[str, tuple[str, ...]] = {
    "nccl-tests": ("gpusPerNode=1", "mpiPlugin=none", "maxBytes=1M"),
    "deepspeed": ("globalBatch=2",),
    "megatron": ("pipelineParallel=2",),
    "ray": ("program=[sh, -c, 'echo the driver ran']",),
    "vllm": (),
    "singleton-chain": ("links=2",),
}
RECORDS = {
    "nccl-tests": "all_reduce_perf",
    "ray": "ray",
    "vllm": "vllm",
}
"""The stub of each application; ranks of torchrun elsewhere."""


@pytest.fixture(scope="module")
def stubs(site: RunningSite) -> str:
    """Return the login user's folder with the stubs, which the workers see too."""
    script = 'mkdir -p ~/stubs; cd ~/stubs; text=$1; shift; for name; do printf %s "$text" >"$name"'
    text = Path(recording_stub.__file__).read_text()
    words = (f'{script}; chmod +x "$name"; done; pwd', "bash", text, *recording_stub.PROGRAMS)
    return site.run("bash", "-c", *words).stdout.strip()


def run(site: RunningSite, way: str, template: str, settings: tuple[str, ...]) -> str:
    words = [word for setting in settings for word in ("--set", setting)]
    script = ("bash", "-c", WAYS[way], "bash", TORCH_FOLDER)
    done = site.run(*script, template, *words, within_seconds=150)
    said = done.stdout + done.stderr
    assert done.status == 0, said
    return said


BOTH = [(template, way) for template in JOBS for way in WAYS]
SAMPLE = [one for one in BOTH if one[1] == "submit" and one[0] != "mpi"] + [("hello", "sbatch")]


@pytest.mark.parametrize(("template", "way"), SAMPLE if profile() == "default" else BOTH)
def test_user_gets_the_result_of_a_template_with_one_command(
    site: RunningSite, template: str, way: str
) -> None:
    settings, wanted = JOBS[template]
    said = run(site, way, template, settings)
    if template == "data-preparation":
        said = site.run("bash", "-c", f"ls {LAST_RUN}shards").stdout
    assert wanted in said


APART = [(one, way) for one in STUBBED for way in WAYS if (one, way) != ("nccl-tests", "submit")]
SOME = [("deepspeed", "submit"), ("vllm", "sbatch")]


@pytest.mark.parametrize(("template", "way"), SOME if profile() == "default" else APART)
def test_application_starts_on_every_node_of_the_workers(
    site: RunningSite, stubs: str, template: str, way: str
) -> None:
    path = f"environment={{PATH: '{stubs}:/usr/bin:/bin'}}"
    run(site, way, template, (*TWO, path, *STUBBED[template]))
    found = site.run("bash", "-c", f"ls {LAST_RUN}record").stdout.split()
    name = RECORDS.get(template, "rank")
    assert {f"stub.{name}.{rank}.0.json" for rank in (0, 1)} <= set(found)


def test_interactive_script_works_in_an_allocation_of_a_worker(site: RunningSite) -> None:
    script = "bash <(sunk job render interactive --set program=[hostname] --set memoryPerNode=100)"
    done = site.run("bash", "-c", script, within_seconds=60)
    assert done.status == 0, done.stderr
    assert done.stdout.strip().startswith("w-")
