"""What a real Slurm says of its nodes, asked as `sunk fabric collect` asks, and judged."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sunk_fabric.collect.questions import ONCE_COMMANDS, OnceOf
from sunk_fabric.parse import slurm_events
from tests.support.eventually import eventually
from tests.support.fabric_site import SUNK
from tests.support.slurm_namespace import SlurmNamespace

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

ASKED = {name: words.split() for name, words, of in ONCE_COMMANDS if of is OnceOf.SLURM}
BACK, LOOP, GONE = "w1", "w2", "w3"


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
        rootfs=slurm_rootfs, folder=tmp_path_factory.mktemp("slurm"), nodes=(BACK, LOOP, GONE)
    )
    made.start()
    try:
        for node in (BACK, LOOP, LOOP, LOOP):
            drain(made, node, "link | down: 2 of 8" if node == LOOP else "fan broken")
            resume(made, node)
        drain(made, GONE, "fan broken")
        shown = ASKED["slurm_nodes"]
        eventually(lambda: "NOT_RESPONDING" not in made.output(*shown), 60, what="all answer")
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def found(slurm: SlurmNamespace, tmp_path_factory) -> dict[tuple[str, str], tuple[str, str]]:
    """Check and subject -> verdict and words."""
    folder = tmp_path_factory.mktemp("texts")
    for name, words in ASKED.items():
        (folder / f"{name}.txt").write_text(slurm.output(*words))
    done = subprocess.run(
        [SUNK, "fabric", "check", str(folder), "--only", "sched", "--all", "--output", "json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    rows = json.loads(done.stdout)["findings"]
    return {(one["check"], one["subject"]): (one["verdict"], one["found"]) for one in rows}


def test_nodes_that_are_out_of_use_are_named_with_their_reason(found):
    said = {
        name.rpartition("/")[2]: one for (check, name), one in found.items() if "state" in check
    }
    assert {name: verdict for name, (verdict, _) in said.items()} == {
        **dict.fromkeys((BACK, LOOP), "PASS"),
        GONE: "FAIL",
    }
    assert said[GONE][1] == "DRAIN+DYNAMIC_NORM+IDLE: fan broken"


def test_node_that_goes_again_and_again_for_one_reason_is_named(found):
    said = {name.rpartition("/")[2]: one for (check, name), one in found.items() if "loop" in check}
    assert said == {
        BACK: ("PASS", "drained once, came back once"),
        LOOP: ("FAIL", "drained 3 times within an hour: link | down: 2 of 8"),
        GONE: ("UNKNOWN", "drained once, came back never: fan broken"),
    }
