"""Topology and the order of ranks on a real Slurm: what it prints, reads, and does with ranks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sunk.clients.slurm.cli_texts import SlurmTexts
from sunk.model.topology import SlurmForm, Topology
from sunk.plan.rank_order import plan_ranks
from sunk.render.topology_slurm import read_slurm, render_slurm
from sunk_jobs.placement.rank_map import load_map
from sunk_jobs.rank_order import DIFFERS
from tests.support.eventually import eventually
from tests.support.pages import ROOT
from tests.support.slurm_namespace import SlurmNamespace
from tests.support.slurm_texts import SLURM_CONF

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

NODES = ("w1", "w2", "w3", "w10")
"""Unpadded; as text w10 comes before w2, in Slurm's table it comes last."""
TREE = (
    "SwitchName=leaf-a Nodes=w1,w10\nSwitchName=leaf-b Nodes=w[2-3]\n"
    "SwitchName=spine Switches=leaf-a,leaf-b\n"
)
BLOCKS = "BlockName=b1 Nodes=w1,w10\nBlockName=b2 Nodes=w[2-3]\nBlockSizes=2,4\n"
JOB = """
set -eu
export PYTHONPATH=/jobs
order="python3 -m sunk_jobs.rank_order"
rm -rf /tmp/order && mkdir /tmp/order && cd /tmp/order
$order plan --ranks-per-node 2 --map map.json --hostfile planned
tac planned > reversed
check() {
  srun -n6 "$@" $order check --map map.json --folder . && echo 0 || echo $?
}
SLURM_HOSTFILE=$PWD/planned check --distribution=arbitrary > planned.said
SLURM_HOSTFILE=$PWD/reversed check --distribution=arbitrary > reversed.said
check --distribution=cyclic > cyclic.said
for name in planned reversed; do
  SLURM_HOSTFILE=$PWD/$name srun -n6 --distribution=arbitrary \\
    sh -c 'echo $SLURM_PROCID $SLURM_NODEID $SLURMD_NODENAME' > $name.places
done
"""


@pytest.fixture(scope="module")
def slurm(slurm_rootfs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmNamespace]:
    folder = tmp_path_factory.mktemp("topology")
    namespace = SlurmNamespace(rootfs=slurm_rootfs, folder=folder, nodes=NODES)
    namespace.start()
    shutil.copytree(ROOT / "jobs" / "sunk_jobs", namespace.path("/jobs/sunk_jobs"))
    try:
        yield namespace
    finally:
        namespace.stop()
        shutil.rmtree(folder)


def use(slurm: SlurmNamespace, form: SlurmForm, text: str) -> Topology:
    """Restart slurmctld with our file for this topology; return what it then says."""
    wanted = read_slurm(text, source="scontrol", name="lab")
    slurm.path("/etc/slurm/topology.conf").write_text(render_slurm(wanted, form))
    restart(slurm, f"TopologyPlugin=topology/{form}\n")
    return wanted


def restart(slurm: SlurmNamespace, more: str) -> None:
    """Restart slurmctld with more lines of slurm.conf."""
    slurm.path("/etc/slurm/slurm.conf").write_text(f"{SLURM_CONF}{more}")
    # A controller that is killed forgets its dynamic nodes; one that shuts down saves them.
    slurm.run("scontrol", "shutdown", "slurmctld")
    eventually(lambda: "slurmctld" not in programs(slurm), 30, what="the old slurmctld to end")
    slurm.halt("slurmctld")
    slurm.daemon("slurmctld", ["slurmctld", "-D"], user="slurm")
    eventually(lambda: slurm.output("scontrol", "ping").count("UP"), 60, what="slurmctld")


def programs(slurm: SlurmNamespace) -> set[str]:
    """Return the names of the processes that run inside."""
    return set(slurm.output("sh", "-c", "cat /proc/[0-9]*/comm").split())


def topology_of(slurm: SlurmNamespace) -> Topology:
    return read_slurm(SlurmTexts(slurm.runner()).topology(), source="scontrol", name="lab")


def test_flat_slurm_has_no_topology_to_read(slurm):
    slurm.path("/etc/slurm/topology.conf").unlink(missing_ok=True)
    restart(slurm, "")
    assert SlurmTexts(slurm.runner()).topology().strip() == ""


def test_slurm_takes_our_blocks_and_says_the_same(slurm):
    wanted = use(slurm, SlurmForm.BLOCK, BLOCKS)
    assert topology_of(slurm) == wanted


def test_slurm_takes_our_tree_and_ranks_come_out_as_planned(slurm):
    wanted = use(slurm, SlurmForm.TREE, TREE)
    topology = topology_of(slurm)
    assert topology == wanted
    eventually(lambda: slurm.output("sinfo", "-hNo%t", "-pmain").split() == ["idle"] * 4, 60)
    slurm.run("salloc", "-Q", "-ww1,w2,w10", "-N3", "-n6", "bash", "-c", JOB)
    made = slurm.path("/tmp/order")
    planned = load_map((made / "map.json").read_text())
    assert planned.order() == ["w1", "w10", "w2"]
    assert planned == plan_ranks(topology, ["w1", "w2", "w10"], 2).ranks
    said = {}
    for name in ("planned", "reversed", "cyclic"):
        record, code = (made / f"{name}.said").read_text().splitlines()
        said[name] = (int(code), json.loads(record)["verdict"])
    assert said == {
        "planned": (0, "planned"),
        "reversed": (DIFFERS, "differs"),
        "cyclic": (DIFFERS, "differs"),
    }
    placed = {name: places(made / f"{name}.places") for name in ("planned", "reversed")}
    assert [node for _, node in placed["planned"]] == planned.hosts()
    assert [node for _, node in placed["reversed"]] == planned.hosts()[::-1]
    # Slurm numbers a job's nodes in one way, so in one of these runs NODEID and rank disagree.
    assert any([at for at, _ in one] != [0, 0, 1, 1, 2, 2] for one in placed.values())


def places(file: Path) -> list[tuple[int, str]]:
    """Return number and name of each rank's node, in the order of the ranks."""
    lines = sorted(file.read_text().splitlines(), key=lambda line: int(line.split()[0]))
    return [(int(line.split()[1]), line.split()[2]) for line in lines]
