"""Forwarding tables for simulated fabrics, as dump_lfts prints them."""

from __future__ import annotations

from collections import deque

from tests.support.simulated_fabric import Place, Simulated

Tables = dict[str, dict[int, int]]
"""Switch -> LID -> port."""


def lids_of(made: Simulated) -> dict[str, int]:
    """Return node -> LID, as `Simulated.text` has them."""
    return {name: number for number, name in enumerate(sorted(made.guids), start=1)}


def shortest(made: Simulated) -> Tables:
    """Return tables of shortest ways, spread over alike ones by the number of the destination."""
    ports: dict[str, list[Place]] = {}
    for place in sorted(made.peers):
        ports.setdefault(place.node, []).append(place)
    tables: Tables = {name: {} for name in made.switches}
    for number, (target, lid) in enumerate(sorted(lids_of(made).items())):
        away = _distances(made, ports, target)
        for switch in made.switches:
            if switch == target:
                tables[switch][lid] = 0
                continue
            if switch not in away:
                continue
            near = [
                place.port
                for place in ports[switch]
                if away.get(made.peers[place].node, 1 << 20) == away[switch] - 1
                and (made.peers[place].node in made.switches or made.peers[place].node == target)
            ]
            tables[switch][lid] = near[number % len(near)]
    return tables


def _distances(made: Simulated, ports: dict[str, list[Place]], target: str) -> dict[str, int]:
    found, queue = {target: 0}, deque([target])
    while queue:
        node = queue.popleft()
        for place in ports.get(node, ()):
            far = made.peers[place].node
            if far in made.switches and far not in found:
                found[far] = found[node] + 1
                queue.append(far)
    return found


def dump(made: Simulated, tables: Tables) -> bytes:
    """Return the tables as dump_lfts prints them, its missing last LID included."""
    top = max(lids_of(made).values())
    lines = []
    for switch in sorted(tables):
        rows = [
            (lid, port) for lid, port in sorted(tables[switch].items()) if lid % 64 or lid < top
        ]
        lines += [
            f"Unicast lids [0x0-0x{top:x}] of switch DR path slid 0; dlid 0; 0,1 "
            f"guid 0x{made.guids[switch]:016x} ({switch}):",
            "  Lid  Out   Destination",
            "       Port     Info ",
            *(f"0x{lid:04x} {port:03d} : (somewhere)" for lid, port in rows),
            f"{len(rows)} valid lids dumped ",
        ]
    return ("\n".join(lines) + "\n").encode()
