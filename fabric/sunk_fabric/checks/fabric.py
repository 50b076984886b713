"""The fabric's cables, from one scan, and against a plan."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, missing, said, sound, trouble
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import ibdiagnet_db, ibnetdiscover, opensm_log
from sunk_fabric.parse.ibnetdiscover import Discovery, Kind
from sunk_fabric.parse.opensm_log import Duplicate, OpensmLog
from sunk_fabric.topology.audit import Audit
from sunk_fabric.topology.capacity import Flow, Subscription
from sunk_fabric.topology.defect import Defect, DefectKind
from sunk_fabric.topology.groups import Group
from sunk_fabric.topology.intended import compare

TOLERANCE = 1.001
"""Of the declared oversubscription: rates are rounded."""
_SWITCHES = frozenset({DefectKind.MISSING_SWITCH})
_HOSTS = frozenset({DefectKind.MISSING_HOST, DefectKind.MISSING_HCA})
_NOTED = frozenset({DefectKind.HOSTS_EXCHANGED, DefectKind.RENAMED})


def _asked(
    facts: Facts, judge: Callable[[Audit], Iterable[Answer]], *, nameless: bool = False
) -> Iterator[Answer]:
    scan = facts.scan
    if scan is None:
        yield missing(ibnetdiscover.parse)
        return
    wrong = trouble(scan)
    if wrong or facts.audit is None:
        yield said(Verdict.UNKNOWN, wrong, subjects.FABRIC, scan)
        return
    if not facts.audit.fabric.hcas and not (nameless and facts.audit.fabric.others):
        yield said(Verdict.UNKNOWN, "the scan has no adapter", subjects.FABRIC, scan)
        return
    yield from judge(facts.audit)


def _defects(
    facts: Facts, fine: Callable[[Audit], str], *kinds: DefectKind, nameless: bool = False
) -> Iterator[Answer]:
    def judge(found: Audit) -> Iterator[Answer]:
        defects = found.of_kind(*kinds)
        yield from (_defect(facts, one) for one in defects)
        if not defects:
            assert facts.scan is not None
            yield said(Verdict.PASS, fine(found), subjects.FABRIC, facts.scan)

    yield from _asked(facts, judge, nameless=nameless)


def _defect(facts: Facts, one: Defect, verdict: Verdict = Verdict.FAIL) -> Answer:
    assert facts.scan is not None
    places = (one.subject, *one.touches)
    touches = (*one.touches, *(subjects.in_fabric(place) for place in places))
    return said(verdict, one.found, one.subject, facts.scan, touches=touches, remedy=one.remedy)


def guids(facts: Facts) -> Iterator[Answer]:
    """No GUID at two nodes; a scan shows only one of them, and the manager knows of both."""
    told = {one: reading for reading in sound(facts, opensm_log.parse) for one in _twice(reading)}
    for one, reading in sorted(told.items(), key=lambda item: item[0]):
        yield _duplicate(facts, one, reading)
    if told:
        return
    yield from _defects(
        facts,
        lambda found: f"{len(found.fabric.hcas) + len(found.fabric.switches)} GUIDs",
        DefectKind.DUPLICATE_GUID,
        nameless=True,
    )


def _twice(reading: Reading[OpensmLog]) -> tuple[Duplicate, ...]:
    return reading.parsed.value.duplicates


def _duplicate(facts: Facts, one: Duplicate, reading: Reading[OpensmLog]) -> Answer:
    fabric = facts.audit.fabric if facts.audit is not None else None
    names = [fabric.name(place) if fabric else place for place, _ in one.places]
    ports = [port for _, port in one.places]
    words = (
        f"opensm met the GUID {one.guid} behind {names[0]} port {ports[0]}"
        f" and behind {names[1]} port {ports[1]}"
    )
    touches = (subjects.FABRIC,)
    remedy = "give one of the two devices its own GUID; until then the manager cannot finish"
    return said(Verdict.FAIL, words, f"guid/{one.guid}", reading, touches=touches, remedy=remedy)


def descriptions(facts: Facts) -> Iterator[Answer]:
    """Every adapter names host and device, once."""
    yield from _defects(
        facts,
        lambda found: f"{len(found.fabric.hcas)} adapters",
        DefectKind.BAD_DESCRIPTION,
        nameless=True,
    )


def levels(facts: Facts) -> Iterator[Answer]:
    """A tree."""
    yield from _defects(
        facts,
        lambda found: f"{found.levels.top} levels, {len(found.fabric.switches)} switches",
        DefectKind.SAME_LEVEL,
        DefectKind.LOOP,
        DefectKind.HOST_ON_SPINE,
    )


def degraded(facts: Facts) -> Iterator[Answer]:
    """Cables as fast as their class; a class without a usual rate cannot be judged."""
    yield from _defects(
        facts,
        lambda found: f"{len(found.fabric.links)} cables",
        DefectKind.DEGRADED,
        DefectKind.ENDS_DISAGREE,
    )
    if facts.audit is not None and facts.scan is not None:
        for words in facts.audit.mixed_rates:
            yield said(Verdict.UNKNOWN, words, subjects.FABRIC, facts.scan)


def uniform(facts: Facts) -> Iterator[Answer]:
    """As many cables between any two switches of a group."""
    yield from _defects(
        facts,
        lambda found: f"{len(found.groups.groups)} groups",
        DefectKind.MISSING_LINK,
        DefectKind.EXTRA_LINK,
        DefectKind.MOVED_LINK,
        DefectKind.SWAPPED_LINKS,
    )
    if facts.audit is not None and facts.scan is not None:
        for group in facts.audit.groups.irregular:
            names = ", ".join(facts.audit.fabric.name(guid) for guid in group.upper[:3])
            words = f"no usual number of cables to {names} from level {group.level}"
            yield said(Verdict.UNKNOWN, words, subjects.FABRIC, facts.scan)


def rails(facts: Facts) -> Iterator[Answer]:
    """Adapters at the leaves of their rails and units."""

    def words(found: Audit) -> str:
        count = len(found.placement.rails)
        return f"{count or 'no'} rails, {len(found.placement.units)} scalable units"

    yield from _defects(
        facts,
        words,
        DefectKind.SWAPPED_HCAS,
        DefectKind.WRONG_RAIL,
        DefectKind.WRONG_UNIT,
        DefectKind.MISSING_HCA,
        # A plan knows the leaf's name: ib.switches.complete says it.
        *(() if facts.intended else (DefectKind.MISSING_LEAF,)),
    )


def planes(facts: Facts) -> Iterator[Answer]:
    """Parts without a cable between them are alike."""
    yield from _defects(
        facts, lambda found: f"{len(found.planes)} planes", DefectKind.UNLIKE_PLANES
    )


def nonblocking(facts: Facts) -> Iterator[Answer]:
    """Down to up, and the flow between halves, within the declared oversubscription."""
    declared = facts.expected.oversubscription

    def judge(found: Audit) -> Iterator[Answer]:
        assert facts.scan is not None
        over = [one for one in found.subscriptions if one.ratio > declared * TOLERANCE]
        yield from _over(facts.scan, found, over, declared)
        short = [one for one in found.flows if _is_short(one, declared)]
        if over:
            return
        for flow in short:
            cut = "; ".join(f"{low} to {high}" for low, high in flow.cut[:4])
            words = (
                f"{flow.name}: {flow.possible_gbit_per_s:g} of {flow.offered_gbit_per_s:g}"
                f" Gb/s, limited at {cut}"
            )
            yield said(Verdict.FAIL, words, subjects.FABRIC, facts.scan)
        if not short:
            worst = max((one.ratio for one in found.subscriptions), default=1.0)
            words = f"{worst:.2f} to 1 at most, {len(found.flows)} flows are whole"
            yield said(Verdict.PASS, words, subjects.FABRIC, facts.scan)

    yield from _asked(facts, judge)


def _over(
    scan: Reading[Discovery], found: Audit, over: list[Subscription], declared: float
) -> Iterator[Answer]:
    """Name every switch; but a whole group alike has one cause above it, or is the design."""
    left = {one.switch: one for one in over}
    alike: dict[tuple[int, float, float], list[Group]] = defaultdict(list)
    for group in found.groups.groups:
        figures = {_figures(left[guid]) if guid in left else None for guid in group.lower}
        if len(group.lower) > 1 and len(figures) == 1:
            (figure,) = figures
            if figure is not None:
                alike[figure].append(group)
    for (level, down, up), groups in sorted(alike.items()):
        lower = [guid for group in groups for guid in group.lower]
        ratio = f"{down:g} Gb/s down and {up:g} up: {down / up:.2f} to 1, {declared:g} declared"
        below = ", ".join(found.fabric.name(guid) for guid in lower[:2])
        words = f"all {len(lower)} switches of level {level} from {below} on have {ratio}"
        remedy = "a switch of the level above is missing, or the fabric was so designed"
        for guid in lower:
            del left[guid]
        yield said(Verdict.FAIL, words, subjects.FABRIC, scan, remedy=remedy)
    for one in left.values():
        words = (
            f"{one.down_gbit_per_s:g} Gb/s down and {one.up_gbit_per_s:g} up:"
            f" {one.ratio:.2f} to 1, {declared:g} declared"
        )
        subject = subjects.switch(found.fabric.name(one.switch))
        yield said(Verdict.FAIL, words, subject, scan, touches=(subjects.FABRIC,))


def _figures(one: Subscription) -> tuple[int, float, float]:
    return one.level, one.down_gbit_per_s, one.up_gbit_per_s


def _is_short(flow: Flow, declared: float) -> bool:
    return flow.possible_gbit_per_s * declared * TOLERANCE < flow.offered_gbit_per_s


def complete(facts: Facts) -> Iterator[Answer]:
    """Every host and adapter of the plan is there; a switch takes those behind it along."""
    yield from _against_plan(facts, lambda one: one.kind in _HOSTS)


def switches(facts: Facts) -> Iterator[Answer]:
    """Every switch of the plan is there."""
    yield from _against_plan(facts, lambda one: one.kind in _SWITCHES)


def intended(facts: Facts) -> Iterator[Answer]:
    """Every cable is where the plan says."""
    yield from _against_plan(facts, lambda one: one.kind not in _HOSTS | _SWITCHES)


def _against_plan(facts: Facts, wanted: Callable[[Defect], bool]) -> Iterator[Answer]:
    def judge(found: Audit) -> Iterator[Answer]:
        assert facts.scan is not None
        if facts.intended is None:
            words = "there is no plan to compare with"
            yield said(Verdict.UNKNOWN, words, subjects.FABRIC, facts.scan)
            return
        if not facts.intended:
            yield said(Verdict.UNKNOWN, "the plan is empty", subjects.FABRIC, facts.scan)
            return
        defects = [one for one in compare(found.fabric, facts.intended) if wanted(one)]
        for one in defects:
            yield _defect(facts, one, Verdict.WARN if one.kind in _NOTED else Verdict.FAIL)
        if not defects:
            words = f"{len(facts.intended)} planned cables"
            yield said(Verdict.PASS, words, subjects.FABRIC, facts.scan)

    yield from _asked(facts, judge)


def firmware(facts: Facts) -> Iterator[Answer]:
    """One version on all switches of a kind, as ibdiagnet tells them."""

    def judge(reading: Reading[Discovery]) -> Iterator[Answer]:
        found = reading.parsed.value
        switches = [one for one in found.nodes if one.kind is Kind.SWITCH]
        silent = sorted(one.description for one in switches if one.guid not in found.firmware)
        versions: dict[str, Counter[str]] = {}
        for one in switches:
            if one.guid in found.firmware:
                kind = versions.setdefault(one.device_id, Counter())
                kind[found.firmware[one.guid]] += 1
        for device, counted in sorted(versions.items()):
            words = ", ".join(f"{name} on {count}" for name, count in counted.most_common())
            verdict = Verdict.PASS if len(counted) == 1 else Verdict.WARN
            subject = f"{subjects.FABRIC}/switches of device {device}"
            yield said(verdict, f"firmware {words}", subject, reading)
        if silent or not switches:
            words = f"no firmware is told of {len(silent)} switches: {', '.join(silent[:4])}"
            yield said(Verdict.UNKNOWN, words, subjects.FABRIC, reading)

    yield from each(facts, ibdiagnet_db.parse, judge)
