"""Who is asked what, and what an earlier run leaves to ask; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from sunk.assess.evidence import Evidence
from sunk.errors import InputError
from sunk.model.hostlist import expand
from sunk.model.reach import is_address
from sunk_fabric.collect.questions import AT_LID, OnceQuestion, Question

HOSTS_LIMIT = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be asked.

    Attributes:
        hosts: host -> questions, hosts in the order in which they are asked.
        once: what one host is asked about the whole fabric.
        stays: evidence of an earlier run that is not taken again.
        had: hosts of which nothing is missing, with how they were reached.
    """

    hosts: Mapping[str, tuple[Question, ...]]
    once: tuple[OnceQuestion, ...] = ()
    stays: tuple[Evidence, ...] = ()
    had: Mapping[str, str] = field(default_factory=dict)


def hosts_of(words: Iterable[str]) -> tuple[str, ...]:
    """Return the hosts that hostlists stand for, each once, in their order.

    An IPv6 address, which no hostlist holds, is a word of its own.

    Raises:
        InputError: a word is no hostlist.
    """
    found: list[str] = []
    for word in words:
        found += (word,) if is_address(word) else expand(word, limit=HOSTS_LIMIT)
    return tuple(dict.fromkeys(found))


def hosts_in(text: str) -> tuple[str, ...]:
    """Return the hosts of a file: hostlists, one or more a line, ``#`` begins a remark.

    Raises:
        InputError: a word is no hostlist.
    """
    return hosts_of(word for line in text.splitlines() for word in line.partition("#")[0].split())


def plan(
    hosts: Mapping[str, tuple[Question, ...]],
    once: tuple[OnceQuestion, ...],
    before: Collection[Evidence] = (),
) -> Plan:
    """Return what is to be asked; of what an earlier run has whole, nothing.

    Args:
        hosts: host -> what it is to be asked.
        once: what one host of a kind is to be asked.
        before: what an earlier run has.

    Raises:
        InputError: there is no host to ask.
    """
    if not hosts:
        raise InputError(
            "collect from hosts: none is named",
            hint="name some, as gpu[001-128], or ask this machine with --over local",
        )
    whole = _whole(before)
    asked = {
        host: tuple(one for one in questions if one.name not in whole.get(host, ()))
        for host, questions in hosts.items()
    }
    left = tuple(one for one in once if not _is_had(one, once, whole))
    anew = {one.question.name for one in left}
    over = {one.host: one.over for one in before}
    return Plan(
        hosts={host: ask for host, ask in asked.items() if ask},
        once=left,
        stays=tuple(one for one in before if not one.incomplete and not _is_asked(one, anew)),
        had={host: over.get(host, "") for host, ask in asked.items() if not ask},
    )


def _is_asked(one: Evidence, anew: set[str]) -> bool:
    """Return whether a text is asked for anew, as managers are whenever the ports' own is."""
    return one.name in anew or ("sminfo.first" in anew and one.name.startswith(AT_LID))


def _whole(evidence: Iterable[Evidence]) -> Mapping[str, set[str]]:
    """Return host -> names of the texts that are there whole."""
    found: dict[str, set[str]] = {}
    for one in evidence:
        if not one.incomplete:
            found.setdefault(one.host, set()).add(one.name)
    return found


def _is_had(
    one: OnceQuestion, once: tuple[OnceQuestion, ...], whole: Mapping[str, set[str]]
) -> bool:
    """Return whether one host has answered all that is asked of the same kind of host.

    What belongs together, such as two answers of a subnet manager, is asked anew as a whole.
    """
    together = {each.question.name for each in once if each.of is one.of}
    return any(together <= names for names in whole.values())
