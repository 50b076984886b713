"""The order of ranks in Pods: planned from Slurm's topology, and proved by every rank."""

from __future__ import annotations

import json

import pytest

from sunk.model.kube import SLURM_CLUSTER
from sunk.model.slurm import JobState
from sunk_jobs.rank_order import DIFFERS
from tests.support.cluster import RunningSite
from tests.support.eventually import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

TREE = """\
SwitchName=s0 Nodes=w-0,w-3
SwitchName=s1 Nodes=w-[1-2]
SwitchName=root Switches=s[0-1]
"""
JOB = """
set -eu
mkdir -p order && cd order && rm -rf ./*
cp -r /home/alice/jobs/sunk_jobs . && export PYTHONPATH=$PWD
order="python3 -m sunk_jobs.rank_order"
$order plan --ranks-per-node 1 --map map.json --hostfile planned
tac planned > reversed
check() {
  SLURM_HOSTFILE=$PWD/$1 srun -n4 --distribution=arbitrary \
    $order check --map map.json --folder . > "$1.said" && code=0 || code=$?
  echo "$code" >> "$1.said"
}
check planned
check reversed
SLURM_HOSTFILE=$PWD/planned srun -n4 --distribution=arbitrary --label hostname | sort > places
"""


@pytest.fixture
def on_two_leaves(site: RunningSite):
    """The tests' Slurm with its four workers on two leaf switches, in no order of their names."""
    name = site.site.cluster.name

    def describe(topology: str | None) -> None:
        change = {"spec": {"topology": topology}}
        site.kube.merge(SLURM_CLUSTER, name, change, site.namespace)
        eventually(in_force, 90)

    def in_force() -> bool:
        thing = site.kube.get(SLURM_CLUSTER, name, site.namespace)
        (one,) = [c for c in thing["status"]["conditions"] if c["type"] == "Configured"]
        current = one["observedGeneration"] == thing["metadata"]["generation"]
        return current and one["status"] == "True"

    describe(TREE)
    try:
        # Slurm places a node in the topology when it registers again, with the reconfigure.
        told = ("srun", "--immediate=5", "-N4", "printenv", "SLURM_TOPOLOGY_ADDR")
        wanted = sorted(f"root.{leaf}.{node}" for leaf, node in LEAVES)
        eventually(lambda: sorted(site.run(*told).stdout.split()) == wanted, 60)
        yield site
    finally:
        describe(None)


LEAVES = (("s0", "w-0"), ("s0", "w-3"), ("s1", "w-1"), ("s1", "w-2"))


def test_ranks_of_a_job_are_where_they_were_planned_and_elsewhere_is_found(on_two_leaves):
    site = on_two_leaves
    copied = site.run(
        "bash",
        "-c",
        "mkdir -p jobs && cp -r /opt/sunk/lib/python3*/site-packages/sunk_jobs jobs/",
    )
    assert copied.status == 0, copied.stderr
    job = site.submit(JOB, "-N4", "-n4", "--chdir=/home/alice")
    done = eventually(lambda: (one := site.slurm.job(job)).ended and one, 90)
    assert (done.state, done.exit_code) == (JobState.COMPLETED, 0), site.run(
        "cat", f"/home/alice/{job}.log"
    ).stdout
    read = {
        name: site.run("cat", f"order/{name}").stdout.splitlines()
        for name in ("planned", "planned.said", "reversed.said", "places")
    }
    assert read["planned"] == ["w-0", "w-3", "w-1", "w-2"]
    assert read["places"] == ["0: w-0", "1: w-3", "2: w-1", "3: w-2"]
    verdicts = {}
    for name in ("planned", "reversed"):
        record, code = read[f"{name}.said"]
        verdicts[name] = (json.loads(record)["verdict"], int(code))
    assert verdicts == {"planned": ("planned", 0), "reversed": ("differs", DIFFERS)}
