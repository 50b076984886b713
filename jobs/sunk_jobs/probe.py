"""Where a job's nodes are: one line from each, and the address of rank 0.

``say`` runs once on each node and prints ``procid nodeid node address topology``; the lines of all
nodes are a probe. ``master`` prints the address of the node that the map of ranks has first, and
``address`` that of the node it runs on.

An address is the one with which a node reaches the host that started the step, so it is on the
network that the nodes share for control; names are not trusted to resolve everywhere.

Exit codes: 0 said; 2 usage; 95 not known.
"""

from __future__ import annotations

import argparse
import os
import platform
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sunk_jobs.placement.rank_map import RankMapError, load_map

UNKNOWN = 95
_ANY_PORT = 9
_NO_TOPOLOGY = "-"


class NotKnown(Exception):
    """What has to be known cannot be found out; the message says what and why."""


@dataclass(frozen=True)
class Place:
    """One line of a probe.

    Attributes:
        rank: of the task that said it.
        node_id: SLURM_NODEID; not the node's rank.
        node: its name in Slurm.
        address: where it can be reached.
        topology: SLURM_TOPOLOGY_ADDR; ``-`` where there is none.
    """

    rank: int
    node_id: int
    node: str
    address: str
    topology: str = _NO_TOPOLOGY

    def line(self) -> str:
        """Return it as a line."""
        return f"{self.rank} {self.node_id} {self.node} {self.address} {self.topology}"


def here(environment: Mapping[str, str], host: str, address: str) -> Place:
    """Return the line of the task at hand.

    Raises:
        NotKnown: srun did not start it.
    """
    try:
        rank, node_id = int(environment["SLURM_PROCID"]), int(environment["SLURM_NODEID"])
    except (KeyError, ValueError) as exc:
        raise NotKnown(f"which task this is: {exc}; run it under srun") from exc
    return Place(
        rank=rank,
        node_id=node_id,
        node=node_name(environment, host),
        address=address,
        topology="".join(environment.get("SLURM_TOPOLOGY_ADDR", "").split()) or _NO_TOPOLOGY,
    )


def node_name(environment: Mapping[str, str], host: str) -> str:
    """Return the name that Slurm has for this node, or the machine's."""
    return environment.get("SLURMD_NODENAME") or host.partition(".")[0]


def read_probe(text: str) -> tuple[Place, ...]:
    """Return the places in a probe, by rank.

    Raises:
        NotKnown: a line is none of a probe's, a node stands twice, or there is nothing.
    """
    places: dict[str, Place] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if len(words) != 5 or not (words[0].isdigit() and words[1].isdigit()):
            raise NotKnown(f"where the nodes are: line {number} of the probe is {line[:80]!r}")
        if words[2] in places:
            raise NotKnown(f"where the nodes are: {words[2]} stands in the probe twice")
        places[words[2]] = Place(int(words[0]), int(words[1]), *words[2:])
    if not places:
        raise NotKnown("where the nodes are: the probe is empty")
    return tuple(sorted(places.values(), key=lambda one: one.rank))


def address_of(places: Sequence[Place], node: str) -> str:
    """Return a node's address.

    Raises:
        NotKnown: the probe does not have it.
    """
    for one in places:
        if one.node == node:
            return one.address
    raise NotKnown(f"where {node} is: the probe does not have it")


def address_towards(peer: str, host: str) -> str:
    """Return this machine's address as a peer sees it; without a peer what its name resolves to.

    Raises:
        NotKnown: there is no way to the peer, or the name does not resolve.
    """
    try:
        where = (peer or host, _ANY_PORT)
        for family, kind, _, _, target in socket.getaddrinfo(*where, type=socket.SOCK_DGRAM):
            with socket.socket(family, kind) as probe:
                probe.connect(target)  # of a datagram socket: nothing is sent
                return str(probe.getsockname()[0])
    except OSError as exc:
        raise NotKnown(f"the address of {host}: {exc}") from exc
    raise NotKnown(f"the address of {host}: no way to {peer or host}")


def main(words: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code."""
    parser = argparse.ArgumentParser(prog="sunk_jobs.probe", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("say", help="print this node's line")
    for verb, meaning in (("master", "of rank 0's node"), ("address", "of this node")):
        one = verbs.add_parser(verb, help=f"print the address {meaning}")
        one.add_argument("--probe", type=Path, required=True)
        if verb == "master":
            one.add_argument("--map", type=Path, required=True)
    options = parser.parse_args(words)
    try:
        sys.stdout.write(f"{_answer(options)}\n")
    except (NotKnown, OSError, RankMapError) as exc:
        sys.stderr.write(f"probe: cannot find out {exc}\n")
        return UNKNOWN
    return 0


def _answer(options: argparse.Namespace) -> str:
    host = platform.node()
    if options.verb == "say":
        peer = os.environ.get("SLURM_LAUNCH_NODE_IPADDR", "")
        return here(os.environ, host, address_towards(peer, host)).line()
    places = read_probe(options.probe.read_text())
    if options.verb == "address":
        return address_of(places, node_name(os.environ, host))
    return address_of(places, load_map(options.map.read_text()).order()[0])


if __name__ == "__main__":
    sys.exit(main())
