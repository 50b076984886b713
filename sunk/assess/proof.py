"""Which way a run's data really went, beside what its nodes' fabrics had led to expect; pure.

Libraries say in their logs what they use. What they do not say is UNKNOWN, never PASS: that a fast
network was chosen does not prove that any data went over it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sunk.assess.verdict import Finding, Verdict
from sunk_jobs.networks import nccl_log, ompi_log, ucx_log
from sunk_jobs.networks.fabric_choice import EFA, INFINIBAND, ROCE, SLINGSHOT, TCP
from sunk_jobs.networks.fabric_evidence import Evidence

Log = nccl_log.Process | ucx_log.Process | ompi_log.Process
"""What a process said in one library's words."""
_NETWORKS = {INFINIBAND: "IB", ROCE: "IB", EFA: "libfabric", SLINGSHOT: "libfabric", TCP: "Socket"}
"""Fabric -> the way over it, in one word."""
_LIBFABRIC = ("AWS Libfabric", "Libfabric", "OFI")
_SHOWN_BY = "NCCL_DEBUG=INFO NCCL_DEBUG_SUBSYS=INIT,NET,ENV,GRAPH shows it"
_TUNED_BY = "NCCL_DEBUG_SUBSYS with TUNING shows it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the logs of one process said.

    Attributes:
        library: ``NCCL``, ``UCX`` or ``Open MPI``.
        host: as the library prints it.
        pid: of the process.
        rank: where the log says it.
        log: of the one library that wrote it.
    """

    library: str
    host: str
    pid: str
    rank: int | None
    log: Log


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """What became of one process.

    Attributes:
        node: its node.
        rank: None where no log says it.
        process: host and number, where the rank is not known.
        library: whose log it is.
        expected: the node's fabric; empty without evidence.
        verdict: the worst of the findings.
        transport: the way between nodes.
        gdr: GPUDirect RDMA: ``yes``, ``no``, ``some``, or empty where nothing is said.
        sharp: ``used``, ``refused`` or empty.
        nvls: ``used``, ``set up``, ``not available`` or empty.
        faults: how many warnings and errors it wrote.
        unknown_lines: lines of the library that say nothing that is read.
        findings: one for each check.
    """

    node: str
    rank: int | None
    process: str
    library: str
    expected: str
    verdict: Verdict
    transport: str = ""
    gdr: str = ""
    sharp: str = ""
    nvls: str = ""
    faults: int = 0
    unknown_lines: int = 0
    findings: tuple[Finding, ...] = field(default=())


def prove(evidence: Sequence[Evidence], said: Sequence[Said]) -> tuple[Proved, ...]:
    """Return what is proved of each process, and of nodes whose processes said nothing.

    Args:
        evidence: of each node, as `sunk_jobs.fabric_env` kept it.
        said: of each process, in its logs.
    """
    nodes = {name: one for one in evidence for name in (one.host, one.node)}
    alone = len({one.host for one in said} | {one.host for one in evidence}) == 1
    ranks = {(one.host, one.pid): one.rank for one in said if one.rank is not None}
    told = {(one.host, one.pid) for one in said if isinstance(one.log, ucx_log.Process)}
    found = [
        _process(
            replace(one, rank=ranks.get((one.host, one.pid))),
            _node_of(one, nodes),
            alone=alone,
            ucx_told=(one.host, one.pid) in told,
        )
        for one in said
    ]
    heard = {one.node for one in found}
    found += [_silent(one) for one in evidence if one.node not in heard]
    return tuple(sorted(found, key=_place))


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict that matters most; SKIP when none says more."""
    order = (Verdict.FAIL, Verdict.UNKNOWN, Verdict.WARN, Verdict.PASS, Verdict.SKIP)
    given = set(verdicts)
    return next((one for one in order if one in given), Verdict.SKIP)


def _place(one: Proved) -> tuple[str, int, str, str]:
    return (one.node, -1 if one.rank is None else one.rank, one.library, one.process)


def _node_of(said: Said, nodes: Mapping[str, Evidence]) -> Evidence | None:
    return nodes.get(said.host) or nodes.get(said.host.partition(".")[0])


def _silent(node: Evidence) -> Proved:
    words = "no log of NCCL, UCX or Open MPI says how its data went"
    finding = Finding(
        check="transport", verdict=Verdict.UNKNOWN, found=words, subject=f"node/{node.node}"
    )
    return Proved(
        node=node.node,
        rank=None,
        process="",
        library="",
        expected=node.kind,
        verdict=Verdict.UNKNOWN,
        findings=(finding,),
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    """Verdict, words for the reader, and the word in the table."""

    verdict: Verdict
    found: str
    short: str = ""


def _process(said: Said, node: Evidence | None, *, alone: bool, ucx_told: bool) -> Proved:
    match said.log:
        case nccl_log.Process():
            answers = _of_nccl(said.log, node, alone=alone)
        case ucx_log.Process():
            answers = {"transport": _ucx_transport(said.log, node, alone=alone)}
        case ompi_log.Process():
            answers = {"transport": _ompi_transport(said.log, node, alone=alone)}
            if ucx_told and said.log.selected.get("pml") == "ucx":
                answers = {"transport": _Answer(Verdict.SKIP, "pml ucx: UCX's own log says", "ucx")}
    name = node.node if node is not None else said.host
    who = f"rank/{said.rank}" if said.rank is not None else f"process/{said.pid}"
    findings = tuple(
        Finding(check=check, verdict=one.verdict, found=one.found, subject=f"node/{name}/{who}")
        for check, one in {**answers, **_faults(said.log)}.items()
    )
    return Proved(
        node=name,
        rank=said.rank,
        process=f"{said.host}:{said.pid}",
        library=said.library,
        expected="" if node is None else node.kind,
        verdict=worst(one.verdict for one in findings),
        **{check: one.short for check, one in answers.items()},
        faults=said.log.fault_count,
        unknown_lines=said.log.unknown,
        findings=findings,
    )


def _of_nccl(log: nccl_log.Process, node: Evidence | None, *, alone: bool) -> dict[str, _Answer]:
    answers = {
        "transport": _nccl_transport(log, node, alone=alone),
        "gdr": _gdr(log, node, alone=alone),
        "sharp": _sharp(log, node),
        "nvls": _nvls(log, node),
    }
    if log.complete:
        return answers
    why = "in a log in which no communicator got ready: the rest is missing"
    return {
        check: replace(one, verdict=Verdict.UNKNOWN, found=f"{one.found}, {why}")
        if one.verdict is Verdict.PASS
        else one
        for check, one in answers.items()
    }


def _faults(log: Log) -> dict[str, _Answer]:
    if not log.fault_count:
        return {}
    words = f"{log.fault_count} warnings and errors, the first: {log.faults[0]}"
    return {"faults": _Answer(Verdict.WARN, words)}


# --- transport


def _against(node: Evidence | None, ways: Mapping[str, int]) -> _Answer:
    """Return the answer for ways between nodes that were seen: way -> how many channels."""
    short = "+".join(sorted(ways))
    words = ", ".join(f"{count} over {way}" for way, count in sorted(ways.items()))
    if node is None:
        return _Answer(Verdict.UNKNOWN, f"{words}; no evidence of what its node has", short)
    wanted = _NETWORKS[node.kind]
    if set(ways) <= {wanted, "NVLink"}:
        return _Answer(Verdict.PASS, f"{words}, as {node.kind} is", short)
    if node.kind == TCP:
        return _Answer(Verdict.WARN, f"{words}, where its node seemed to have TCP only", short)
    return _Answer(Verdict.FAIL, f"{words}, and its node has {node.kind}", short)


def _unseen(chosen: str, hint: str, node: Evidence | None, *, alone: bool) -> _Answer:
    """Return the answer when no way between nodes was seen."""
    if alone:
        return _Answer(Verdict.SKIP, "one node: nothing leaves it", "")
    if chosen and node is not None and chosen != _NETWORKS[node.kind]:
        verdict = Verdict.WARN if node.kind == TCP else Verdict.FAIL
        return _Answer(verdict, f"chose {chosen}, and its node has {node.kind}", chosen)
    words = f"chose {chosen}; that data went over it, nothing says" if chosen else "nothing said"
    return _Answer(Verdict.UNKNOWN, f"{words}; {hint}", chosen)


def _network(name: str) -> str:
    if name in _LIBFABRIC:
        return "libfabric"
    return "IB" if name == "IB" or name.startswith("IB/") else name


def _nccl_transport(log: nccl_log.Process, node: Evidence | None, *, alone: bool) -> _Answer:
    ways: Counter[str] = Counter()
    for one, count in log.channels.items():
        if one.kind.startswith("NET/"):
            ways[_network(one.kind.removeprefix("NET/"))] += count
        elif one.kind == "P2P/MNNVL":
            ways["NVLink"] += count
    chosen = "+".join(sorted({_network(one) for one in log.networks}))
    if log.no_device and not chosen:
        chosen = "Socket"
    if not ways:
        return _unseen(chosen, _SHOWN_BY, node, alone=alone)
    return _with_rails(_against(node, ways), log, node)


def _with_rails(answer: _Answer, log: nccl_log.Process, node: Evidence | None) -> _Answer:
    """Return the answer, or a failure when NCCL took other adapters than the node has as rails."""
    if node is None or answer.verdict is not Verdict.PASS or not log.hcas:
        return answer
    wanted = {one.name for one in node.rails}
    used = {f"{one.name}:{one.port}" for one in log.hcas}
    strange, lost = sorted(used - wanted), sorted(wanted - used)
    if strange:
        return _Answer(
            Verdict.FAIL, f"uses {', '.join(strange)}, no rail of the node", answer.short
        )
    if lost:
        return _Answer(Verdict.WARN, f"does not use {', '.join(lost)}", answer.short)
    return answer


def _ucx_transport(log: ucx_log.Process, node: Evidence | None, *, alone: bool) -> _Answer:
    lanes = [one for one in log.lanes if one.between_nodes]
    hint = "UCX_LOG_LEVEL=info shows it"
    if not lanes:
        return _unseen("", hint, node, alone=alone)
    # Before 1.12 a lane does not say towards whom; on one node it may well stay there.
    if alone:
        return _Answer(Verdict.SKIP, "one node: nothing leaves it", "")
    ways = Counter("IB" if one.rdma else _ucx_word(one.transport) for one in lanes)
    return _against(node, ways)


def _ucx_word(transport: str) -> str:
    return "Socket" if transport.startswith("tcp") else transport


def _ompi_transport(log: ompi_log.Process, node: Evidence | None, *, alone: bool) -> _Answer:
    ways = Counter({"Socket": len(log.transports["tcp"])} if log.transports.get("tcp") else {})
    if alone:
        return _Answer(Verdict.SKIP, "one node: nothing leaves it", "")
    if ways and log.selected.get("pml") not in {"ucx", "cm"}:
        return _against(node, ways)
    chosen = {"cm": "libfabric"}.get(log.selected.get("pml", ""), "")
    chosen = chosen if log.provider or log.selected.get("mtl") == "ofi" else ""
    hint = "UCX_LOG_LEVEL=info or OMPI_MCA_btl_base_verbose=10 shows it"
    pml = log.selected.get("pml", "")
    answer = _unseen(chosen, hint, node, alone=alone)
    return _Answer(answer.verdict, f"pml {pml or 'not told'}: {answer.found}", answer.short or pml)


# --- what GPUs do


def _gdr(log: nccl_log.Process, node: Evidence | None, *, alone: bool) -> _Answer:
    counted: Counter[bool] = Counter()
    for one, count in log.channels.items():
        if one.between_nodes and not one.kind.startswith("NET/Socket"):
            counted[one.gdr] += count
    if not counted:
        if alone or (node is not None and node.kind == TCP):
            return _Answer(Verdict.SKIP, "no RDMA between nodes", "")
        return _Answer(Verdict.UNKNOWN, f"no channel between nodes is told of; {_SHOWN_BY}", "")
    if not counted[False]:
        return _Answer(Verdict.PASS, f"all {counted[True]} channels", "yes")
    words = f"{counted[False]} of {counted.total()} channels without it"
    short = "some" if counted[True] else "no"
    if node is not None and node.gpu_direct is False:
        return _Answer(Verdict.WARN, f"{words}; its node has no way to it", short)
    return _Answer(Verdict.FAIL, words, short)


def _asked(name: str, log: nccl_log.Process, node: Evidence | None) -> bool:
    exported = {} if node is None else {**node.settings, **node.kept}
    return log.environment.get(name, exported.get(name, "0")) not in {"", "0"}


def _sharp(log: nccl_log.Process, node: Evidence | None) -> _Answer:
    used = sum(n for one, n in log.channels.items() if one.kind.startswith("COLLNET/"))
    if log.collnet_refused and not used:
        words = sorted(log.collnet_refused)[0]
        asked = _asked("NCCL_COLLNET_ENABLE", log, node)
        return _Answer(Verdict.FAIL if asked else Verdict.SKIP, words, "refused")
    if used:
        return _Answer(Verdict.PASS, f"{used} channels", "used")
    if not _asked("NCCL_COLLNET_ENABLE", log, node):
        return _Answer(Verdict.SKIP, "not asked for", "")
    if not log.channels:
        return _Answer(Verdict.UNKNOWN, f"asked for, and no channel is told of; {_SHOWN_BY}", "")
    return _Answer(Verdict.FAIL, "asked for, and no channel goes over it", "no")


def _nvls(log: nccl_log.Process, node: Evidence | None) -> _Answer:
    used = sorted({one.algorithm for one in log.tuned if one.algorithm.startswith("NVLS")})
    asked = _asked("NCCL_NVLS_ENABLE", log, node) and log.environment.get("NCCL_NVLS_ENABLE") != "2"
    if used:
        return _Answer(Verdict.PASS, f"algorithms {', '.join(used)}", "used")
    if log.nvls is False:
        return _Answer(Verdict.FAIL if asked else Verdict.SKIP, "not available", "not available")
    short = "set up" if log.nvls_connected else ""
    words = "set up; that it was used, nothing says" if short else "nothing said"
    if not asked:
        return _Answer(Verdict.SKIP, f"{words}; not asked for", short)
    if log.tuned:
        return _Answer(Verdict.FAIL, "asked for, and no size took it", "no")
    return _Answer(Verdict.UNKNOWN, f"{words}; {_TUNED_BY}", short)


def summary(found: Sequence[Proved]) -> Iterator[dict[str, object]]:
    """Yield rows for people: ranks of a node that fared alike stand in one."""
    groups: dict[tuple[object, ...], list[Proved]] = {}
    for one in found:
        first = (one.node, one.library, one.expected, one.verdict, one.transport, one.gdr)
        groups.setdefault((*first, one.sharp, one.nvls, _reason(one)), []).append(one)
    for key, alike in groups.items():
        names = ("node", "library", "expected", "verdict", "transport", "gdr", "sharp", "nvls")
        row: dict[str, object] = dict(zip((*names, "found"), key, strict=True))
        yield row | {"ranks": _ranks(alike)}


def _reason(one: Proved) -> str:
    """Return the words of the findings that made the verdict."""
    told = [each for each in one.findings if each.verdict is one.verdict]
    return "; ".join(f"{each.check}: {each.found}" for each in told)


def _ranks(alike: Sequence[Proved]) -> str:
    """Return ranks folded, ``0-3,8``; processes whose rank nobody says are counted."""
    known = sorted({one.rank for one in alike if one.rank is not None})
    rest = sum(1 for one in alike if one.rank is None and one.process)
    parts: list[str] = []
    start = 0
    for at in range(1, len(known) + 1):
        if at == len(known) or known[at] != known[at - 1] + 1:
            first, last = known[start], known[at - 1]
            parts.append(str(first) if first == last else f"{first}-{last}")
            start = at
    if rest:
        parts.append(f"{rest} of unknown rank")
    return ",".join(parts)
