"""What a run met when it ran: versions, topology, ranks, fabric of its last attempt; read only.

The job writes it into ``record/`` before its main step. Nodes are told by their place in the order
of ranks, so that runs on other nodes can be compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sunk.toolkit.run_history import last_attempt
from sunk_jobs import versions
from sunk_jobs.networks.fabric_evidence import SCHEMA
from sunk_jobs.placement.hostlist import HostlistError
from sunk_jobs.placement.ordering import Group, groups_of, natural
from sunk_jobs.placement.rank_map import RankMap, RankMapError, load_map
from sunk_jobs.placement.slurm_topology import TopologyTextError, read

_OF_THE_HOST = frozenset({"schema", "node", "host"})


def evidence_of(run: Path) -> dict[str, Any]:
    """Return what the last attempt found; empty where it kept nothing.

    Returns:
        `attempt`; `versions`, each once where all nodes have the same, else for each node;
        `topology`, with a digest of Slurm's text and for each node the switches or blocks above
        it; `ranks` and `fabric`, for each node. What cannot be read is left out.
    """
    attempt = last_attempt(run)
    if attempt is None:
        return {}
    fabrics = {node: _kept(raw) for node, raw in _said(run, "fabric", attempt, SCHEMA).items()}
    planned = _planned(run / "record" / f"map.{attempt}")
    order = sorted(fabrics, key=natural) if planned is None else planned.order()
    found: dict[str, Any] = {"attempt": attempt}
    if topology := _topology(run / "record" / f"topology.{attempt}", order):
        found["topology"] = topology
    if met := _versions(run, attempt, order):
        found["versions"] = met
    if planned is not None:
        found["ranks"] = {
            str(at): {"node": one.node, "first": one.first_rank, "ranks": one.ranks}
            for at, one in enumerate(planned.nodes)
        }
    if fabrics:
        found["fabric"] = {
            str(at): fabrics[node] for at, node in enumerate(order) if node in fabrics
        }
    return found if len(found) > 1 else {}


def _planned(file: Path) -> RankMap | None:
    try:
        return load_map(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, RankMapError):
        return None


def _topology(file: Path, order: list[str]) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        groups = groups_of(read(text))
    except (OSError, UnicodeDecodeError, TopologyTextError, HostlistError):
        return {}
    above: dict[str, str] = {}
    for group in groups:
        _climb(group, "", above)
    return {
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "nodes": {str(at): above.get(node, "") for at, node in enumerate(order)},
    }


def _climb(group: Group, path: str, above: dict[str, str]) -> None:
    """Note for each node of a group the names of the groups that it is in, the largest first."""
    here = f"{path}/{group.name}" if path else group.name
    above.update(dict.fromkeys(group.nodes, here))
    for one in group.groups:
        _climb(one, here, above)


def _versions(run: Path, attempt: int, order: Sequence[str]) -> dict[str, Any]:
    """Return each version once where all nodes have the same, else by the place of each node."""
    said = _said(run, "versions", attempt, versions.SCHEMA)
    inside = _in_the_image(run / "record" / f"image.{attempt}.json")
    said = {node: raw | (inside if _is_contained(raw) else {}) for node, raw in said.items()}
    # A job whose nodes need not be alike has no order of them.
    order = order or sorted(said, key=natural)
    places = {str(at): said[node] for at, node in enumerate(order) if node in said}
    found: dict[str, Any] = {}
    for name in sorted({name for raw in places.values() for name in raw} - _OF_THE_HOST):
        each = {at: raw.get(name, versions.UNKNOWN) for at, raw in places.items()}
        values = list(each.values())
        found[name] = values[0] if all(one == values[0] for one in values) else each
    return found


def _is_contained(raw: Mapping[str, Any]) -> bool:
    image = raw.get("image")
    return isinstance(image, dict) and image.get("reference") != versions.ABSENT


def _in_the_image(file: Path) -> dict[str, Any]:
    """Return the versions that a process in a container said; empty where none did."""
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(raw, dict) or raw.get("schema") != versions.SCHEMA:
        return {}
    return {name: raw[name] for name in versions.OF_THE_IMAGE if name in raw}


def _said(run: Path, what: str, attempt: int, schema: str) -> dict[str, dict[str, Any]]:
    """Return what each node left of one kind, by its name; what cannot be read is left out."""
    found = {}
    for file in sorted(run.glob(f"record/{what}.{attempt}.*.json")):
        try:
            raw = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(raw, dict) and raw.get("schema") == schema and raw.get("node"):
            found[str(raw["node"])] = raw
    return found


def _kept(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return evidence without the names of its host, and without the reasons for its variables."""
    kept = {name: value for name, value in raw.items() if name not in _OF_THE_HOST}
    settings = raw.get("settings")
    if isinstance(settings, list):
        kept["settings"] = {
            str(one.get("name")): one.get("value") for one in settings if isinstance(one, dict)
        }
    return kept
