"""Topologies for tests: a written one with everything in it, and generated ones."""

from __future__ import annotations

import itertools

from hypothesis import strategies as st

from sunk.model.topology import (
    Link,
    NvlinkDomain,
    Provenance,
    Rail,
    Switch,
    Topology,
    TopologyNode,
)
from sunk.render.topology import ordered

EVERYTHING = """\
apiVersion: sunk.dev/v1alpha1
kind: Topology
metadata: {name: alpha}
spec:
  nodes:
    - {name: "w-[0-7]", slurmName: "w-[0-7]", kubernetesName: "kube-[0-7]", gpus: 8}
    - {name: "w-[8-11]", slurmName: "w-[8-11]", gpus: 8}
  switches:
    - {name: "leaf-[1-4]", tier: 0}
    - {name: "leaf-5", tier: 0, guid: "0x98039b0300abcdef"}
    - {name: "leaf-6", tier: 0}
    - {name: "spine-[1-2]", tier: 1}
  links:
    - {lower: "w-[0-3]", upper: leaf-1, count: 1, rateGbitPerS: 400, rail: 0}
    - {lower: "w-[0-3]", upper: leaf-2, count: 1, rateGbitPerS: 400, rail: 1}
    - {lower: "w-[4-7]", upper: leaf-3, count: 1, rateGbitPerS: 400, rail: 0}
    - {lower: "w-[4-7]", upper: leaf-4, count: 1, rateGbitPerS: 400, rail: 1}
    - {lower: "w-[8-11]", upper: leaf-5, count: 1, rateGbitPerS: 400, rail: 0}
    - {lower: "w-[8-11]", upper: leaf-6, count: 1, rateGbitPerS: 400, rail: 1}
    - {lower: "leaf-[1-6]", upper: "spine-[1-2]", count: 1, rateGbitPerS: 400}
  rails:
    - {index: 0, device: mlx5_0}
    - {index: 1, device: mlx5_4}
  nvlinkDomains:
    - {name: rack-1, nodes: "w-[0-3]", gbPerSPerGpu: 900}
    - {name: rack-2, nodes: "w-[4-7]", gbPerSPerGpu: 900}
    - {name: rack-3, nodes: "w-[8-11]"}
  blockSizes: [4, 8]
  provenance:
    - {what: cabling, source: by hand, who: operator, when: "2026-02-03T04:05:06Z"}
"""


def leaves(*populations: int, per_pod: int | None = None, nvlink: int | None = None) -> Topology:
    """Return leaves with so many nodes each, numbered on, below pods of so many leaves.

    Args:
        populations: nodes on each leaf.
        per_pod: leaves below one spine; all of them when absent.
        nvlink: nodes in each NVLink domain; none when absent.
    """
    links, nodes = [], []
    for at, population in enumerate(populations):
        for _ in range(population):
            nodes.append(f"w-{len(nodes)}")
            links.append(Link(lower=nodes[-1], upper=f"leaf-{at}"))
    pods = per_pod or max(len(populations), 1)
    count = -(-len(populations) // pods)
    switches = [Switch(name=f"leaf-{at}", tier=0) for at in range(len(populations))]
    switches += [Switch(name=f"spine-{at}", tier=1) for at in range(count)]
    links += [
        Link(lower=f"leaf-{at}", upper=f"spine-{at // pods}") for at in range(len(populations))
    ]
    if count > 1:
        switches.append(Switch(name="core", tier=2))
        links += [Link(lower=f"spine-{at}", upper="core") for at in range(count)]
    domains = range(0, len(nodes), nvlink) if nvlink else ()
    return ordered(
        Topology(
            name="t",
            nodes=tuple(TopologyNode(name=one, slurm_name=one) for one in nodes),
            switches=tuple(switches),
            links=tuple(links),
            nvlink_domains=tuple(
                NvlinkDomain(name=f"nv-{at}", nodes=tuple(nodes[at : at + (nvlink or 0)]))
                for at in domains
            ),
        )
    )


_names = st.from_regex(r"[a-z][a-z0-9-]{0,5}[0-9]{0,3}", fullmatch=True)
_words = st.text("abcXYZ 019:/.'\"#é", min_size=1, max_size=12)


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    """Return any valid topology: networks and trees, known and unknown parts."""
    names = draw(st.lists(_names, unique=True, max_size=14))
    at = draw(st.integers(0, len(names)))
    hosts, others = names[:at], names[at:]
    switches = [Switch(name=one, tier=draw(st.integers(0, 3))) for one in others]
    rails = [Rail(index=one, device=draw(_maybe(_names))) for one in range(draw(st.integers(0, 2)))]
    links = []
    for lower in (*hosts, *switches):
        for upper in switches:
            is_switch = isinstance(lower, Switch)
            if (is_switch and lower.tier >= upper.tier) or not draw(st.booleans()):
                continue
            links.append(
                Link(
                    lower=lower.name if is_switch else lower,
                    upper=upper.name,
                    count=draw(_maybe(st.integers(1, 64))),
                    rate_gbit_per_s=draw(_maybe(st.sampled_from([100.0, 200.0, 400.0]))),
                    rail=None if is_switch or not rails else draw(_maybe(st.just(rails[0].index))),
                )
            )
    cuts = sorted(draw(st.sets(st.integers(0, len(hosts)), max_size=3)))
    groups = [hosts[low:high] for low, high in itertools.pairwise(cuts)]
    return ordered(
        Topology(
            name=draw(_names),
            nodes=tuple(
                TopologyNode(
                    name=one,
                    slurm_name=draw(st.sampled_from([None, one, f"{one}.s"])),
                    kubernetes_name=draw(st.sampled_from([None, one, f"{one}.k"])),
                    gpus=draw(_maybe(st.integers(0, 8))),
                )
                for one in hosts
            ),
            switches=tuple(switches),
            links=tuple(links),
            rails=tuple(rails),
            nvlink_domains=tuple(
                NvlinkDomain(name=f"nv{number}", nodes=tuple(group))
                for number, group in enumerate(groups)
            ),
            block_sizes=tuple(draw(st.sets(st.integers(1, 72), max_size=3))),
            provenance=tuple(
                Provenance(what=draw(_words), source=draw(_words), who=draw(_maybe(_words)))
                for _ in range(draw(st.integers(0, 2)))
            ),
        )
    )


def _maybe(strategy: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | strategy
