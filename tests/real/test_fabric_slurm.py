"""What a real Slurm says of its nodes and jobs, asked as `sunk fabric collect` asks, and judged."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sunk_fabric.collect.questions import ONCE_COMMANDS, OnceOf
from sunk_fabric.parse import slurm_events
from tests.support.eventually import eventually
from tests.support.fabric_site import SUNK
from tests.support.pages import ROOT
from tests.support.slurm_namespace import SlurmNamespace

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

ASKED = {name: words.split() for name, words, of in ONCE_COMMANDS if of is OnceOf.SLURM}
BACK, LOOP, GONE = "w1", "w2", "w3"
TREE = (
    "SwitchName=leaf-a Nodes=w1\nSwitchName=leaf-b Nodes=w[2-3]\n"
    "SwitchName=spine Switches=leaf-a,leaf-b\n"
)
RUN = "python3 -m sunk_jobs.collectives --sizes 1K --samples 2 --collectives all_reduce"
JOBS = {
    "job_places": ("srun", "-N3", "-n3", "python3", "-m", "sunk_jobs.probe", "say"),
    "collectives": ("srun", "-N3", "-n3", "--mpi=pmix", *RUN.split()),
}
SITE = "job_nodes: 3\n"


def events(slurm: SlurmNamespace, node: str) -> list[bool]:
    """Whether each event of a node is over."""
    text = slurm.output(*ASKED["slurm_events"]).encode()
    return [one.end is not None for one in slurm_events.parse(text).value if one.node == node]


def drain(slurm: SlurmNamespace, node: str, reason: str) -> None:
    before = len(events(slurm, node))
    slurm.run("scontrol", "update", f"nodename={node}", "state=drain", f"reason={reason}")
    eventually(lambda: events(slurm, node)[before:] == [False], 10, what=f"{node} is drained")


def resume(slurm: SlurmNamespace, node: str) -> None:
    slurm.run("scontrol", "update", f"nodename={node}", "state=resume")
    eventually(lambda: all(events(slurm, node)), 10, what=f"{node} is back")


@pytest.fixture(scope="module")
def slurm(slurm_rootfs: Path, tmp_path_factory) -> Iterator[SlurmNamespace]:
    """A cluster of its own: one node drained and back, one again and again, one that is away."""
    made = SlurmNamespace(
        rootfs=slurm_rootfs,
        folder=tmp_path_factory.mktemp("slurm"),
        nodes=(BACK, LOOP, GONE),
        more_conf="TopologyPlugin=topology/tree\n",
        files={"topology.conf": TREE},
    )
    made.start()
    try:
        # slurmctld looks for dynamic nodes in its topology when it reads it, not when they come.
        made.run("scontrol", "reconfigure")
        made.until_idle(made.nodes)
        shutil.copytree(ROOT / "jobs" / "sunk_jobs", made.path("/jobs/sunk_jobs"))
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def texts(slurm: SlurmNamespace, tmp_path_factory) -> Path:
    """A folder with what Slurm and two of its jobs print."""
    folder = tmp_path_factory.mktemp("texts")
    job = {"PYTHONPATH": "/jobs", "OMPI_MCA_mpi_yield_when_idle": "1"}
    for name, words in JOBS.items():
        done = slurm.run(*words, env=job, timeout_seconds=120)
        (folder / f"{name}.txt").write_text(done.stdout)
    for node in (BACK, LOOP, LOOP, LOOP):
        drain(slurm, node, "link | down: 2 of 8" if node == LOOP else "fan broken")
        resume(slurm, node)
    drain(slurm, GONE, "fan broken")
    shown = ASKED["slurm_nodes"]
    eventually(lambda: "NOT_RESPONDING" not in slurm.output(*shown), 60, what="all answer")
    for name, words in ASKED.items():
        (folder / f"{name}.txt").write_text(slurm.output(*words))
    return folder


@pytest.fixture(scope="module")
def found(texts: Path) -> dict[str, dict[str, tuple[str, str]]]:
    """Check -> last word of the subject -> verdict and words."""
    site = texts.with_suffix(".yaml")
    site.write_text(SITE)
    only = ("--only", "sched", "--only", "runtime.pmi", "--only", "evidence.sound")
    done = subprocess.run(
        [SUNK, "fabric", "check", texts, "--expect", site, *only, "--all", "--output", "json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said: dict[str, dict[str, tuple[str, str]]] = {}
    for one in json.loads(done.stdout)["findings"]:
        last = one["subject"].rpartition("/")[2]
        said.setdefault(one["check"], {})[last] = (one["verdict"], one["found"])
    return said


def test_every_text_is_understood(found):
    assert {verdict for verdict, _ in found["evidence.sound"].values()} == {"PASS"}
    assert len(found["evidence.sound"]) == len(ASKED) + len(JOBS) == 5


def test_nodes_that_are_out_of_use_are_named_with_their_reason(found):
    said = found["sched.state"]
    assert {name: verdict for name, (verdict, _) in said.items()} == {
        **dict.fromkeys((BACK, LOOP), "PASS"),
        GONE: "FAIL",
    }
    assert said[GONE][1] == "DRAIN+DYNAMIC_NORM+IDLE: fan broken"


def test_node_that_goes_again_and_again_for_one_reason_is_named(found):
    assert found["sched.drain_loop"] == {
        BACK: ("PASS", "drained once, came back once"),
        LOOP: ("FAIL", "drained 3 times within an hour: link | down: 2 of 8"),
        GONE: ("UNKNOWN", "drained once, came back never: fan broken"),
    }


def test_jobs_see_the_place_that_slurm_has_them_at(found):
    assert found["sched.topology_address"] == {
        name: ("PASS", f"spine.{leaf}.{name} in the job, below {leaf} in Slurm")
        for name, leaf in ((BACK, "leaf-a"), (LOOP, "leaf-b"), (GONE, "leaf-b"))
    }
    assert set(found["sched.gang"].values()) == {("PASS", "a job ran on 3 nodes of 3")}


def test_ranks_that_srun_starts_find_each_other(found):
    ((verdict, words),) = found["runtime.pmi"].values()
    assert (verdict, words[:18]) == ("PASS", "3 ranks on 3 nodes"), words
