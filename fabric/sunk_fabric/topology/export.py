"""A scanned fabric as the project's topology file: what is there, with the scan's own names."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from sunk.errors import InputError, clip
from sunk.model.topology import Link, Provenance, Rail, Switch, Topology, TopologyNode
from sunk.render.strict_file import NAME_ALLOWED, is_name
from sunk_fabric.topology.audit import Audit
from sunk_fabric.topology.parts import Link as Cable
from sunk_fabric.topology.rails import natural


@dataclass(frozen=True, slots=True)
class _Tie:
    """What parallel cables have in common."""

    lower: str
    upper: str
    rail: int | None


def to_topology(found: Audit, *, name: str, source: str) -> Topology:
    """Return the topology of an audited scan.

    Hosts are those with an adapter at a leaf. Switches that no host reaches, and cables between
    switches of one level, are left out: no tree has a place for them, and the audit names them.
    What Slurm and Kubernetes call the hosts is not known to a scan.

    Args:
        found: the audit.
        name: of the network.
        source: where the scan is, for the provenance.

    Raises:
        InputError: a host's name is none that the file takes; it is not left out for that.
    """
    rails = {rail: index for index, rail in enumerate(found.placement.rails)}
    cables = _cables(found, rails)
    hosts = {found.fabric.hcas[guid].host for guid in found.placement.leaf_of}
    strange = sorted([*found.fabric.misnamed, *(host for host in hosts if not is_name(host))])
    if strange:
        raise InputError(
            f"export the topology: host {clip(strange[0])!r} has no name that the file takes",
            hint=f"names are {NAME_ALLOWED}; set its NodeDescription and scan again",
        )
    return Topology(
        name=name,
        nodes=tuple(TopologyNode(name=host) for host in sorted(hosts, key=natural)),
        switches=tuple(
            Switch(name=_switch(found, guid), tier=level - 1, guid=guid)
            for guid, level in sorted(
                found.levels.of.items(), key=lambda one: (one[1], natural(_switch(found, one[0])))
            )
        ),
        links=tuple(_link(tie, cables[tie]) for tie in sorted(cables, key=_order)),
        rails=tuple(Rail(index=index, device=rail) for rail, index in rails.items()),
        provenance=(Provenance(what="nodes, switches and links", source=source),),
    )


def _cables(found: Audit, rails: dict[str, int]) -> dict[_Tie, list[Cable]]:
    levels = found.levels.of
    cables: defaultdict[_Tie, list[Cable]] = defaultdict(list)
    for cable in found.fabric.links:
        for near, far in ((cable.low.guid, cable.high.guid), (cable.high.guid, cable.low.guid)):
            hca = found.fabric.hcas.get(near)
            if hca is not None and found.placement.leaf_of.get(near) == far:
                tie = _Tie(hca.host, _switch(found, far), rails.get(hca.device))
                cables[tie].append(cable)
            elif 0 < levels.get(near, 0) < levels.get(far, 0):
                cables[_Tie(_switch(found, near), _switch(found, far), None)].append(cable)
    return cables


def _link(tie: _Tie, cables: list[Cable]) -> Link:
    """Return one link; the rate of the slowest of its cables."""
    slowest = min(one.rate.gbit_per_s for one in cables)
    return Link(
        lower=tie.lower,
        upper=tie.upper,
        count=len(cables),
        rate_gbit_per_s=slowest or None,
        rail=tie.rail,
    )


def _order(tie: _Tie) -> tuple[object, ...]:
    return (natural(tie.lower), natural(tie.upper), -1 if tie.rail is None else tie.rail)


def _switch(found: Audit, guid: str) -> str:
    """Return a switch's name, or one of its GUID where people gave it none that a file takes."""
    name = found.fabric.name(guid)
    return name if is_name(name) else f"switch-{guid.removeprefix('0x')}"
