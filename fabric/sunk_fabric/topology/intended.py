"""A scan against the links that were meant to be: a sheet, or an earlier scan.

Nodes are compared by name, as replaced hardware has other GUIDs. Differences that hang together
are one defect: a chain of swapped cables is one permutation, a dead switch is not its sixty-four
cables, and a renamed node is no missing one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sunk_fabric import subjects
from sunk_fabric.parse.link_list import IntendedLink, Plug
from sunk_fabric.topology.defect import Defect, DefectKind
from sunk_fabric.topology.fabric import Fabric
from sunk_fabric.topology.parts import End, Link

Pair = tuple[Plug, Plug]


def intended_of(fabric: Fabric) -> tuple[IntendedLink, ...]:
    """Return the links of a scan as the ones that are meant: what was accepted once."""
    return tuple(IntendedLink(ends=_pair(fabric, link), rate=link.rate) for link in fabric.links)


def compare(fabric: Fabric, intended: Iterable[IntendedLink]) -> tuple[Defect, ...]:
    """Return one defect for every cause, sorted."""
    work = _Comparison(fabric, {one.ends: one for one in intended})
    found = [
        *work.degraded(),
        *work.renamed(),
        *work.exchanged(),
        *work.absent(),
        *work.unplanned(),
        *work.recabled(),
    ]
    return tuple(sorted(found, key=lambda one: (one.kind, one.subject, one.found)))


def _plug(fabric: Fabric, end: End) -> Plug:
    return Plug(fabric.name(end.guid), end.port)


def _pair(fabric: Fabric, link: Link) -> Pair:
    one, other = _plug(fabric, link.low), _plug(fabric, link.high)
    return (min(one, other), max(one, other))


@dataclass
class _Comparison:
    """What is left to explain; every step takes its part out."""

    fabric: Fabric
    intended: Mapping[Pair, IntendedLink]
    seen: dict[Pair, Link] = field(init=False)
    missing: set[Pair] = field(init=False)
    extra: set[Pair] = field(init=False)
    places: dict[Plug, str] = field(init=False)

    def __post_init__(self) -> None:
        self.seen = {_pair(self.fabric, link): link for link in self.fabric.links}
        self.missing = set(self.intended) - set(self.seen)
        self.extra = set(self.seen) - set(self.intended)
        self.places = {plug: text for one in self.intended.values() for plug, text in one.places}
        self.hosts = {one.name: one.host for one in self.fabric.hcas.values()}
        self.seen_names = {plug.node for pair in self.seen for plug in pair} | {
            self.fabric.name(guid)
            for guid in (*self.fabric.switches, *self.fabric.hcas, *self.fabric.others)
        }
        self.planned_names = {plug.node for pair in self.intended for plug in pair}

    def degraded(self) -> Iterable[Defect]:
        for pair in sorted(set(self.intended) & set(self.seen)):
            planned, link = self.intended[pair].rate, self.seen[pair]
            if planned and link.rate.gbit_per_s < planned.gbit_per_s:
                yield self._defect(
                    DefectKind.DEGRADED,
                    pair[0],
                    f"{self._words(pair)} runs at {link.rate} and was planned as {planned}",
                    "reseat the cable at both ends; if it stays so, replace it",
                    pair[1:],
                )

    def renamed(self) -> Iterable[Defect]:
        """Nodes that stand where another name was planned, with the very same cables."""
        planned, seen = _cables(self.intended), _cables(self.seen)
        new = {_shape(cables): name for name, cables in seen.items() if name not in planned}
        for name in sorted(set(planned) - set(seen)):
            now = new.get(_shape(planned[name]))
            if now is None:
                continue
            self._drop(name, now)
            yield self._defect(
                DefectKind.RENAMED,
                Plug(now, 0),
                f"{now} has the cables that were planned for {name}",
                f"rename it to {name}, or change the plan",
            )

    def exchanged(self) -> Iterable[Defect]:
        """Two hosts each with all the cables of the other: machine or name is in a wrong place."""
        planned, seen = self._by_host(self.intended), self._by_host(self.seen)
        places: dict[frozenset[tuple[str, Plug]], str] = {}
        for host, cables in planned.items():
            places[frozenset(cables)] = host
        done: set[str] = set()
        for host in sorted(set(planned) & set(seen)):
            other = places.get(frozenset(seen[host]))
            if other is None or other == host or host in done or other not in seen:
                continue
            if frozenset(seen[other]) != frozenset(planned[host]):
                continue
            done |= {host, other}
            for pairs in (self.missing, self.extra):
                pairs -= {p for p in pairs if {self._host(one.node) for one in p} & {host, other}}
            yield Defect(
                kind=DefectKind.HOSTS_EXCHANGED,
                subject=subjects.node(host),
                found=f"{host} has all the cables of {other}, and {other} those of {host}",
                remedy=f"exchange the names of {host} and {other}, or change the plan",
                touches=(subjects.node(other),),
            )

    def absent(self) -> Iterable[Defect]:
        """Nodes that were planned and are not there; what hung at a missing switch is no second."""
        gone = self.planned_names - self.seen_names
        planned = _cables(self.intended)
        hosts = {name for name in gone if self._host(name)}
        beyond = {name for name in hosts if {far.node for _, far in planned[name]} <= gone - hosts}
        for name in sorted(gone - hosts):
            cables = [pair for pair in sorted(self.missing) if name in {one.node for one in pair}]
            if not cables:
                continue
            behind = [far.node for _, far in planned[name] if far.node in beyond]
            yield self._gone(DefectKind.MISSING_SWITCH, name, cables, behind)
        self._drop(*(gone - hosts))
        yield from self._absent_hosts(gone, hosts - beyond)

    def _absent_hosts(self, gone: set[str], names: set[str]) -> Iterable[Defect]:
        devices: dict[str, set[str]] = defaultdict(set)
        for name in self.planned_names:
            if self._host(name):
                devices[self._host(name)].add(name)
        for name in sorted(names):
            host = self._host(name)
            cables = [pair for pair in sorted(self.missing) if name in {one.node for one in pair}]
            self._drop(name)
            if not devices[host] <= gone:
                yield self._gone(DefectKind.MISSING_HCA, name, cables)
            elif name == min(devices[host] & names):
                yield self._gone(DefectKind.MISSING_HOST, host, cables)

    def _gone(
        self, kind: DefectKind, name: str, cables: list[Pair], behind: Sequence[str] = ()
    ) -> Defect:
        ends = (one for pair in cables for one in pair)
        near = [one for one in ends if self._host(one.node) != name and one.node != name]
        where = f"; its cable should be at {self._place(near[0])}" if near else ""
        where += f"; {len(behind)} adapters behind it are not either" if behind else ""
        return Defect(
            kind=kind,
            subject=subjects.node(name) if kind is DefectKind.MISSING_HOST else self._subject(name),
            found=f"{name} was planned and is not in the fabric{where}",
            remedy="look whether it has power and its ports are up; then at its cables",
            touches=tuple(sorted({self._subject(one) for one in behind})),
        )

    def unplanned(self) -> Iterable[Defect]:
        """Nodes that nobody planned, with all their cables."""
        for name in sorted(self.seen_names - self.planned_names):
            cables = [pair for pair in sorted(self.extra) if name in {one.node for one in pair}]
            if cables:
                self._drop(name)
                yield self._defect(
                    DefectKind.EXTRA_LINK,
                    Plug(name, 0),
                    f"{name} is in the fabric and not in the plan: {self._words(cables[0])}",
                    "add it to the plan, or take it out",
                )

    def recabled(self) -> Iterable[Defect]:
        """What is left, by cables that hang together through their plugs."""
        for missing, extra in self._chains():
            if not extra:
                for pair in missing:
                    yield self._defect(
                        DefectKind.MISSING_LINK,
                        pair[0],
                        f"{self._words(pair)} is missing",
                        "look for a port that is Down or Polling; reseat or replace the cable",
                        pair[1:],
                    )
            elif not missing:
                for pair in extra:
                    yield self._defect(
                        DefectKind.EXTRA_LINK,
                        pair[0],
                        f"{self._words(pair)} was not planned",
                        "pull it, or add it to the plan",
                        pair[1:],
                    )
            else:
                yield self._permutation(missing, extra)

    def _permutation(self, missing: list[Pair], extra: list[Pair]) -> Defect:
        swap = len(missing) == len(extra) == 2
        kind = DefectKind.SWAPPED_LINKS if swap else DefectKind.MOVED_LINK
        return self._defect(
            kind,
            missing[0][0],
            "; ".join(f"{self._words(pair)} is there and was not planned" for pair in extra),
            "recable: " + "; ".join(self._words(pair) for pair in missing),
            tuple(plug for pair in (*missing, *extra) for plug in pair),
        )

    def _chains(self) -> Iterable[tuple[list[Pair], list[Pair]]]:
        at: dict[Plug, list[Pair]] = defaultdict(list)
        for pair in (*self.missing, *self.extra):
            for plug in pair:
                at[plug].append(pair)
        left = self.missing | self.extra
        for start in sorted(left):
            if start not in left:
                continue
            chain, queue = {start}, [start]
            while queue:
                for plug in queue.pop():
                    new = set(at[plug]) - chain
                    chain |= new
                    queue += new
            left -= chain
            yield sorted(chain & self.missing), sorted(chain & self.extra)

    def _drop(self, *names: str) -> None:
        for pairs in (self.missing, self.extra):
            pairs -= {pair for pair in pairs if {one.node for one in pair} & set(names)}

    def _host(self, name: str) -> str:
        """Return the host of an adapter's name; empty for switches and their like."""
        if name in self.hosts:
            return self.hosts[name]
        host, blank, device = name.partition(" ")
        known = blank and " " not in device and not device.startswith("(")
        return host if known and name not in self.seen_names else ""

    def _by_host(self, pairs: Iterable[Pair]) -> Mapping[str, list[tuple[str, Plug]]]:
        found: dict[str, list[tuple[str, Plug]]] = defaultdict(list)
        for name, cables in _cables(pairs).items():
            host = self._host(name)
            if host:
                found[host] += ((name.partition(" ")[2], far) for _, far in cables)
        return found

    def _subject(self, name: str) -> str:
        host = self._host(name)
        if host:
            return subjects.node(host, name.partition(" ")[2])
        return subjects.node(name) if name in set(self.hosts.values()) else subjects.switch(name)

    def _defect(
        self,
        kind: DefectKind,
        at: Plug,
        found: str,
        remedy: str,
        others: Iterable[Plug] = (),
    ) -> Defect:
        touches = {self._subject(one.node) for one in others} - {self._subject(at.node)}
        return Defect(
            kind=kind,
            subject=self._subject(at.node),
            found=found,
            remedy=remedy,
            touches=tuple(sorted(touches)),
        )

    def _words(self, pair: Pair) -> str:
        planned = self.intended.get(pair)
        label = f" {planned.cable}" if planned and planned.cable else ""
        return f"cable{label} from {self._place(pair[0])} to {self._place(pair[1])}"

    def _place(self, plug: Plug) -> str:
        where = self.places.get(plug)
        return f"{plug} ({where})" if where else str(plug)


def _cables(pairs: Iterable[Pair]) -> Mapping[str, list[tuple[int, Plug]]]:
    """Return node -> its cables, as own port and far plug."""
    found: dict[str, list[tuple[int, Plug]]] = defaultdict(list)
    for one, other in pairs:
        found[one.node].append((one.port, other))
        found[other.node].append((other.port, one))
    return found


def _shape(cables: list[tuple[int, Plug]]) -> frozenset[tuple[int, Plug]]:
    return frozenset(cables)
