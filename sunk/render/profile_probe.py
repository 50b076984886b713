"""What a probe job found on a node, put into the profile; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sunk.model.profile import ClusterProfile, ContainerRuntime, FabricKind
from sunk.render import slurm_texts
from sunk.render.profile_detect import SlurmSays, node_kind

_BITS = 8


def with_facts(profile: ClusterProfile, facts: Mapping[str, Any]) -> ClusterProfile:
    """Return a profile in which what a node has is no longer unknown.

    A node speaks for all: where nodes differ, the site has to say so.

    Args:
        profile: what Slurm's words made.
        facts: of one node, by `sunk_jobs.node_facts`.
    """
    gpus, rates = int(facts["gpus"]), [float(one) for one in facts["rates_gbps"]]
    found = {"containers", "fabric.kind", "fabric.adapters"}
    fabric = replace(
        profile.fabric,
        kind=FabricKind(facts["fabric"]),
        adapters=tuple(str(one) for one in facts["adapters"]),
    )
    # Without GPUs there is no share of one; with TCP the rate of the card is not that of a job.
    if gpus and rates:
        found.add("fabric.networkGbPerS")
        fabric = replace(fabric, network_gb_per_s=round(sum(rates) / _BITS / gpus, 3))
    return replace(
        profile,
        fabric=fabric,
        containers=tuple(ContainerRuntime(one) for one in facts["containers"]),
        unknown={key: why for key, why in profile.unknown.items() if key not in found},
    )


def remarks(said: SlurmSays, facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a person should know: what the node has, what it lacks, what it complained of."""
    node = str(facts["node"])
    containers = ", ".join(facts["containers"]) or "nothing that starts containers"
    yield (
        f"{node}: {facts['cpus']} CPUs, {facts['gpus']} GPUs, {facts['fabric']}, {containers}; "
        "taken for all nodes"
    )
    records = slurm_texts.read_records(said.nodes, "NodeName", source="scontrol show node")
    for kind in (node_kind(one) for one in records if one["NodeName"] == node):
        for what, has, promised in (
            ("CPUs", facts["cpus"], kind.cpus),
            ("GPUs", facts["gpus"], kind.gpus),
        ):
            if has < promised:
                yield f"{node}: it has {has} {what}, and Slurm gives out {promised}"
    for line in facts["warnings"]:
        yield f"{node}: {line}"
