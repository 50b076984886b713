"""Rules about where on the network a job's nodes are."""

from __future__ import annotations

from collections.abc import Iterator

from sunk.errors import InputError
from sunk.model.hostlist import expand
from sunk.toolkit.lint.facts import ClusterFacts
from sunk.toolkit.lint.model import Problem, Rule, Severity
from sunk.toolkit.lint.script import Script
from sunk.toolkit.lint.shape import count, most_nodes, several_nodes

_BLOCK_ORDERS_RANKS = (26, 5)
"""Release from which topology/block refuses arbitrary distributions."""


def _cliques(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    directives = script.directives
    if not several_nodes(script):
        return
    imex = "imex" in (directives.value("gres") or "") or "channel" in (
        directives.value("network") or ""
    )
    if directives.has("segment") or imex:
        return
    for setting in script.sets("NCCL_MNNVL_ENABLE"):
        if setting.word.text not in {"0", "2"}:
            yield Problem(
                line=setting.line,
                column=setting.column,
                message="nothing keeps the nodes in one NVLink domain; add --segment with the "
                "nodes that must be together",
            )
            return


def _switches(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    asked = script.directives.last("switches")
    if asked is not None and "@" not in (asked.value or ""):
        yield Problem(
            line=asked.line,
            column=asked.column,
            message=f"--switches={asked.value} waits as long as the cluster's max_switch_wait; say "
            f"how long: --switches={asked.value}@10:00",
        )


def _segment(script: Script, facts: ClusterFacts) -> Iterator[Problem]:
    asked = script.directives.last("segment")
    size = count(asked.value) if asked else None
    nodes = most_nodes(script) if script.directives.has("nodes") else None
    if asked is None or not size:
        return
    if nodes is not None and nodes > size and nodes % size:
        yield Problem(
            line=asked.line,
            column=asked.column,
            message=f"{nodes} nodes are no whole number of segments of {size}; change one of them",
        )
    elif facts.block_sizes and size > max(facts.block_sizes):
        yield Problem(
            line=asked.line,
            column=asked.column,
            message=f"a segment of {size} nodes fits no block of this cluster, the largest has "
            f"{max(facts.block_sizes)}",
        )


def _listed_order(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    asked = script.directives.last("nodelist")
    if asked is None or "/" in (asked.value or ""):
        return
    if (script.directives.value("distribution") or "").startswith("arbitrary"):
        return
    try:
        names = expand(asked.value or "")
    except InputError:
        return
    if list(names) != sorted(names, key=_natural):
        yield Problem(
            line=asked.line,
            column=asked.column,
            message="Slurm sorts the nodes, so this order is lost; give a hostfile with "
            "SLURM_HOSTFILE and --distribution=arbitrary to srun",
        )


def _natural(name: str) -> tuple[str, int, str]:
    stem = name.rstrip("0123456789")
    digits = name[len(stem) :]
    return stem, int(digits or 0), digits


def _arbitrary(script: Script, facts: ClusterFacts) -> Iterator[Problem]:
    directives = script.directives
    asked = directives.last("distribution")
    if asked is None or not (asked.value or "").startswith("arbitrary"):
        return
    release = facts.release or (0, 0)
    if directives.has("nodes"):
        why = "--nodes, and sbatch refuses the two"
    elif directives.has("spread-job"):
        why = "--spread-job"
    elif "CR_LLN" in facts.select_parameters:
        why = "CR_LLN in this cluster's SelectTypeParameters"
    elif facts.topology_plugin == "topology/block" and release >= _BLOCK_ORDERS_RANKS:
        why = "topology/block of this release"
    else:
        return
    yield Problem(
        line=asked.line,
        column=asked.column,
        message=f"an arbitrary distribution of the job does not go with {why}; give it to "
        "srun inside the job instead",
    )


def _contradiction(script: Script, facts: ClusterFacts) -> Iterator[Problem]:
    directives = script.directives
    plugin = facts.topology_plugin or ""
    contiguous, spread = directives.last("contiguous"), directives.last("spread-job")
    placed = directives.last("switches", "segment")
    if contiguous is not None and (placed or plugin in {"topology/tree", "topology/block"}):
        where = f"--{placed.name}" if placed else plugin
        yield Problem(
            line=contiguous.line,
            column=contiguous.column,
            message=f"--contiguous has no effect together with {where}; remove it",
        )
    if spread is not None and (placed or plugin == "topology/tree"):
        where = f"--{placed.name}" if placed else plugin
        yield Problem(
            line=spread.line,
            column=spread.column,
            message=f"--spread-job turns the search along the tree off, against {where}; keep one",
        )


RULES = (
    Rule(
        id="S040",
        severity=Severity.ERROR,
        title="multi-node NVLink without a segment",
        why="Ranks in different NVLink domains cannot reach each other's memory: the start fails, "
        "or the traffic takes the network.",
        source="NCCL's documentation, NCCL_MNNVL_ENABLE; sbatch(1), --segment",
        check=_cliques,
    ),
    Rule(
        id="S041",
        severity=Severity.WARNING,
        title="switch count without a time",
        why="The job waits for that few switches up to max_switch_wait, 300 s unless the cluster "
        "says otherwise, and is then placed anywhere. A longer time than that is cut to it.",
        source="sbatch(1), --switches; slurm.conf(5), max_switch_wait; tried with 24.11",
        check=_switches,
    ),
    Rule(
        id="S042",
        severity=Severity.ERROR,
        title="nodes that do not fill segments",
        why="topology/block places whole segments. A number of nodes that they do not divide is "
        "refused, and so is a segment larger than a block.",
        source="sbatch(1), --segment; topology guide of Slurm",
        check=_segment,
    ),
    Rule(
        id="S043",
        severity=Severity.WARNING,
        title="node list used for an order",
        why="Slurm keeps the set and sorts it. Ranks come in Slurm's order.",
        source="sbatch(1), --nodelist",
        check=_listed_order,
    ),
    Rule(
        id="S044",
        severity=Severity.ERROR,
        title="arbitrary distribution where it is not supported",
        why="An arbitrary layout of the whole job needs a node list: sbatch refuses `--nodes` "
        "beside it. Slurm has none for least-loaded nodes and spread jobs, nor with topology/block "
        "from 26.05 on.",
        source="tried with 24.11; Slurm's source, select and topology plugins",
        check=_arbitrary,
    ),
    Rule(
        id="S045",
        severity=Severity.WARNING,
        title="placement options that cancel each other",
        why="`--contiguous` counts for flat topologies only, and `--spread-job` leaves the tree "
        "aside. Slurm takes them together and says nothing.",
        source="sbatch(1), --contiguous and --spread-job",
        check=_contradiction,
    ),
)
