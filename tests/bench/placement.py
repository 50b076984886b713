"""Figures of placement: the order of ranks on a network of ten thousand nodes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from sunk.model.topology import SlurmForm
from sunk.plan.rank_order import plan_ranks
from sunk.render.topology import dump_topology, read_topology
from sunk.render.topology_slurm import render_slurm
from sunk_jobs.placement.ordering import groups_of
from sunk_jobs.placement.rank_map import plan_map
from sunk_jobs.placement.slurm_topology import read
from tests.bench.figure import Figure
from tests.support.topologies import leaves


def figures() -> Iterator[Figure]:
    """CPU seconds, each for 10,000 nodes on 313 leaves below 20 spines."""
    topology = leaves(*[32] * 312, 16, per_pod=16)
    names = [f"w-{at}" for at in range(10_000)]
    start = time.process_time()
    plan_ranks(topology, names, 8, realised=sorted(names))
    yield Figure("10,000 nodes: rank order and report", time.process_time() - start, 1, "s")
    text = render_slurm(replace(topology, nvlink_domains=()), SlurmForm.TREE)
    start = time.process_time()
    plan_map(groups_of(read(text)), names, 8)
    yield Figure("10,000 nodes: rank order on a compute node", time.process_time() - start, 1, "s")
    text = dump_topology(topology)
    start = time.process_time()
    read_topology(text, source="bench")
    yield Figure("10,000 nodes: topology file read", time.process_time() - start, 2, "s")
