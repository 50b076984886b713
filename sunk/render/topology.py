"""The topology file: `sunk.model.topology` as YAML or JSON and back.

Names are hostlists, so that a line can stand for a thousand nodes: ``lower: gpu-[001-032]``. A link
with several lower and upper ends stands for one between each pair. Reading is strict, and the error
names the key and what may stand there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import TypeAdapter

from sunk.errors import InputError
from sunk.model.file_form import FILE_FORM
from sunk.model.hostlist import expand, fold
from sunk.model.topology import (
    TIERS_MAX,
    Link,
    NvlinkDomain,
    Provenance,
    Rail,
    Switch,
    Topology,
    TopologyNode,
)
from sunk.render.problem import Problem
from sunk.render.strict_file import Kind, is_name, load_text
from sunk.render.topology_rules import problems
from sunk_jobs.placement.ordering import natural

TOPOLOGY = Kind(name="Topology", hint="the page on topology files has an example of every key")
NAMES_MAX = 1_000_000
"""Most nodes, switches or links that one file may stand for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodesForm:
    """Nodes of one kind, as they stand in the file.

    Attributes:
        name: what links call them; a hostlist.
        slurm_name: their NodeNames in Slurm, a hostlist in the same order; absent: not known.
        kubernetes_name: their Nodes in Kubernetes, a hostlist in the same order; absent: not known.
        gpus: GPUs of each; absent: not known.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    name: str
    slurm_name: str | None = None
    kubernetes_name: str | None = None
    gpus: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchesForm:
    """Switches of one tier.

    Attributes:
        name: what links call them; a hostlist.
        tier: 0 where nodes are attached, 1 above, up to 15.
        guid: identity in the fabric; for one switch alone.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    name: str
    tier: int
    guid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinksForm:
    """Links of one kind, each lower end with each upper end.

    Attributes:
        lower: nodes, or switches of a lower tier; a hostlist.
        upper: switches; a hostlist.
        count: cables of each link; absent: not known.
        rate_gbit_per_s: Gbit/s of one cable, per direction; absent: not known.
        rail: of nodes' links: index of the rail.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    lower: str
    upper: str
    count: int | None = None
    rate_gbit_per_s: float | None = None
    rail: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RailForm:
    """A rail: the same network adapter of every node.

    Attributes:
        index: counted from 0.
        device: what the adapter is called on the nodes; absent: not known.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    index: int
    device: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainForm:
    """An NVLink domain; Slurm's block.

    Attributes:
        name: unique among domains.
        nodes: a hostlist.
        gb_per_s_per_gpu: GB/s of one GPU, per direction; absent: not known.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    name: str
    nodes: str
    gb_per_s_per_gpu: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenanceForm:
    """Where a part comes from.

    Attributes:
        what: the part, in words.
        source: a command, a file, `by hand`.
        who: person or program; absent: not known.
        when: RFC 3339 time, `2026-02-03T04:05:06Z`; absent: not known.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    what: str
    source: str
    who: str | None = None
    when: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopologyForm:
    """The whole, below `spec`.

    Attributes:
        nodes: the hosts.
        switches: the switches.
        links: what connects them.
        rails: network adapters that are wired apart.
        nvlink_domains: nodes whose GPUs reach each other over NVLink.
        block_sizes: sizes that Slurm plans blocks in, in nodes.
        provenance: who found what, when and how.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    nodes: tuple[NodesForm, ...] = ()
    switches: tuple[SwitchesForm, ...] = ()
    links: tuple[LinksForm, ...] = ()
    rails: tuple[RailForm, ...] = ()
    nvlink_domains: tuple[DomainForm, ...] = ()
    block_sizes: tuple[int, ...] = ()
    provenance: tuple[ProvenanceForm, ...] = ()


_ADAPTER = TypeAdapter(TopologyForm)


def load_topology(path: Path) -> Topology:
    """Return the topology in a file.

    Raises:
        InputError: the file cannot be read or holds no valid topology.
    """
    return read_topology(load_text(path), source=str(path))


def read_topology(text: str, *, source: str) -> Topology:
    """Return the topology in a text.

    Args:
        text: one document, YAML or JSON.
        source: name of the file, for messages.

    Raises:
        InputError: it holds no valid topology; names the key and what may stand there.
    """
    name, form = TOPOLOGY.read(text, _ADAPTER, source)
    reader = _Reader(source)
    topology = ordered(
        Topology(
            name=name,
            nodes=tuple(reader.nodes(form.nodes)),
            switches=tuple(reader.switches(form.switches)),
            links=tuple(reader.links(form.links)),
            rails=tuple(Rail(index=one.index, device=one.device) for one in form.rails),
            nvlink_domains=tuple(reader.domains(form.nvlink_domains)),
            block_sizes=form.block_sizes,
            provenance=tuple(
                Provenance(what=one.what, source=one.source, who=one.who, when=one.when)
                for one in form.provenance
            ),
        )
    )
    for problem in problems(topology):
        raise TOPOLOGY.problem(source, problem)
    return topology


def ordered(topology: Topology) -> Topology:
    """Return a topology with its lists in the order that the model promises."""
    return replace(
        topology,
        nodes=tuple(sorted(topology.nodes, key=lambda one: natural(one.name))),
        switches=tuple(sorted(topology.switches, key=lambda one: (one.tier, natural(one.name)))),
        links=tuple(sorted(topology.links, key=_link_key)),
        rails=tuple(sorted(topology.rails, key=lambda one: one.index)),
        nvlink_domains=tuple(
            replace(one, nodes=tuple(sorted(one.nodes, key=natural)))
            for one in sorted(topology.nvlink_domains, key=lambda one: natural(one.name))
        ),
        block_sizes=tuple(sorted(topology.block_sizes)),
    )


def _link_key(link: Link) -> Any:
    return natural(link.lower), natural(link.upper), -1 if link.rail is None else link.rail


class _Reader:
    """Turns the forms of a file into the model; errors name the key."""

    def __init__(self, source: str) -> None:
        self._source = source

    def nodes(self, forms: tuple[NodesForm, ...]) -> Iterator[TopologyNode]:
        for at, form in enumerate(forms):
            names = self._names(("nodes", at, "name"), form.name)
            columns: list[tuple[str | None, ...]] = [names]
            for key, text in (
                ("slurmName", form.slurm_name),
                ("kubernetesName", form.kubernetes_name),
            ):
                column = (
                    (None,) * len(names) if text is None else self._names(("nodes", at, key), text)
                )
                if len(column) != len(names):
                    raise self._fault(
                        ("nodes", at, key), text, f"as many names as in name, {len(names)}"
                    )
                columns.append(column)
            for name, slurm, kubernetes in zip(*columns, strict=True):
                assert name is not None
                yield TopologyNode(
                    name=name, slurm_name=slurm, kubernetes_name=kubernetes, gpus=form.gpus
                )

    def switches(self, forms: tuple[SwitchesForm, ...]) -> Iterator[Switch]:
        for at, form in enumerate(forms):
            if not 0 <= form.tier <= TIERS_MAX:
                raise self._fault(("switches", at, "tier"), form.tier, f"0 to {TIERS_MAX}")
            names = self._names(("switches", at, "name"), form.name)
            if form.guid is not None and len(names) > 1:
                raise self._fault(
                    ("switches", at, "guid"), form.guid, "nothing for several switches"
                )
            for name in names:
                yield Switch(name=name, tier=form.tier, guid=form.guid)

    def links(self, forms: tuple[LinksForm, ...]) -> Iterator[Link]:
        made = 0
        for at, form in enumerate(forms):
            lowers = self._names(("links", at, "lower"), form.lower)
            uppers = self._names(("links", at, "upper"), form.upper)
            made += len(lowers) * len(uppers)
            if made > NAMES_MAX:
                raise self._fault(("links", at), form.lower, f"{NAMES_MAX} links in all")
            for lower in lowers:
                for upper in uppers:
                    yield Link(
                        lower=lower,
                        upper=upper,
                        count=form.count,
                        rate_gbit_per_s=form.rate_gbit_per_s,
                        rail=form.rail,
                    )

    def domains(self, forms: tuple[DomainForm, ...]) -> Iterator[NvlinkDomain]:
        for at, form in enumerate(forms):
            yield NvlinkDomain(
                name=form.name,
                nodes=self._names(("nvlinkDomains", at, "nodes"), form.nodes),
                gb_per_s_per_gpu=form.gb_per_s_per_gpu,
            )

    def _names(self, path: tuple[str | int, ...], text: str) -> tuple[str, ...]:
        try:
            names = expand(text, limit=NAMES_MAX)
        except InputError as exc:
            raise self._fault(path, text, f"a hostlist such as w-[0-3]; {exc.message}") from exc
        if not names or not all(is_name(name, most=253) for name in names):
            raise self._fault(path, text, "names such as w-0, or a hostlist of them: w-[0-3]")
        return names

    def _fault(self, path: tuple[str | int, ...], value: object, allowed: str) -> InputError:
        return TOPOLOGY.problem(self._source, Problem(path=path, value=value, allowed=allowed))


def dump_topology(topology: Topology) -> str:
    """Return a topology as YAML; reading it gives the same topology."""
    return TOPOLOGY.write(topology.name, _spec(topology))


def dump_topology_json(topology: Topology) -> str:
    """Return a topology as JSON; reading it gives the same topology."""
    return TOPOLOGY.write_json(topology.name, _spec(topology))


def _spec(topology: Topology) -> dict[str, Any]:
    form = TopologyForm(
        nodes=tuple(_node_forms(topology.nodes)),
        switches=tuple(_switch_forms(topology.switches)),
        links=tuple(_link_forms(topology.links)),
        rails=tuple(RailForm(index=one.index, device=one.device) for one in topology.rails),
        nvlink_domains=tuple(
            DomainForm(name=one.name, nodes=fold(one.nodes), gb_per_s_per_gpu=one.gb_per_s_per_gpu)
            for one in topology.nvlink_domains
        ),
        block_sizes=topology.block_sizes,
        provenance=tuple(
            ProvenanceForm(what=one.what, source=one.source, who=one.who, when=one.when)
            for one in topology.provenance
        ),
    )
    raw: dict[str, Any] = _ADAPTER.dump_python(
        form, mode="json", by_alias=True, exclude_defaults=True
    )
    return raw


def _node_forms(nodes: Iterable[TopologyNode]) -> Iterator[NodesForm]:
    """Yield nodes folded where all their names are one; the others each on its own."""
    alike: dict[tuple[bool, bool, int | None], list[str]] = {}
    apart = []
    for node in nodes:
        others = (node.slurm_name, node.kubernetes_name)
        if all(name in (None, node.name) for name in others):
            key = (others[0] is not None, others[1] is not None, node.gpus)
            alike.setdefault(key, []).append(node.name)
        else:
            apart.append(node)
    for (slurm, kubernetes, gpus), names in alike.items():
        folded = fold(names)
        yield NodesForm(
            name=folded,
            slurm_name=folded if slurm else None,
            kubernetes_name=folded if kubernetes else None,
            gpus=gpus,
        )
    for node in apart:
        yield NodesForm(
            name=node.name,
            slurm_name=node.slurm_name,
            kubernetes_name=node.kubernetes_name,
            gpus=node.gpus,
        )


def _switch_forms(switches: Iterable[Switch]) -> Iterator[SwitchesForm]:
    tiers: dict[int, list[str]] = {}
    for switch in switches:
        if switch.guid is None:
            tiers.setdefault(switch.tier, []).append(switch.name)
        else:
            yield SwitchesForm(name=switch.name, tier=switch.tier, guid=switch.guid)
    for tier, names in sorted(tiers.items()):
        yield SwitchesForm(name=fold(names), tier=tier)


def _link_forms(links: Iterable[Link]) -> Iterator[LinksForm]:
    """Yield links folded: first the lower ends of one upper end, then upper ends of one lower."""
    lowers: dict[tuple[str, int | None, float | None, int | None], list[str]] = {}
    for link in links:
        key = (link.upper, link.count, link.rate_gbit_per_s, link.rail)
        lowers.setdefault(key, []).append(link.lower)
    uppers: dict[tuple[str, int | None, float | None, int | None], list[str]] = {}
    for (upper, count, rate, rail), names in lowers.items():
        uppers.setdefault((fold(names), count, rate, rail), []).append(upper)
    for (lower, count, rate, rail), names in uppers.items():
        yield LinksForm(
            lower=lower, upper=fold(names), count=count, rate_gbit_per_s=rate, rail=rail
        )
