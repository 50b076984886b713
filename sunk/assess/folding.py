"""Findings that say the same of many hosts, as one row for people; pure.

A site of a thousand hosts without a tool is one line to read, not a thousand. JSON keeps every
finding, with its evidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from sunk.assess.verdict import Finding
from sunk.model.hostlist import folded

_OF_A_HOST = re.compile(r"(?P<kind>node|evidence|pod/[^/]+)/(?P<host>[^/]+)(?P<rest>(?:/.*)?)")
_HOST = "\0"
"""Stands for the host in what is compared; no finding has it, as it is not printable."""


def by_hosts(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in their order, those that differ in nothing but the host made one.

    In a row for several hosts their hostlist stands where the host stood.
    """
    rows: dict[tuple[object, ...], tuple[Finding, list[str]]] = {}
    for place, one in enumerate(findings):
        match = _OF_A_HOST.fullmatch(one.subject)
        if match is None:
            rows[place,] = one, []
            continue
        host = match["host"]
        subject = f"{match['kind']}/{_HOST}{match['rest']}"
        pattern = _without(one, host, subject)
        key = (one.check, one.verdict, subject, pattern.found, pattern.remedy)
        rows.setdefault(key, (pattern, []))[1].append(host)
    return tuple(_row(pattern, hosts) for pattern, hosts in rows.values())


def _without(finding: Finding, host: str, subject: str) -> Finding:
    """Return a finding with a mark in place of a host, wherever it stands as a whole name."""
    name = re.compile(rf"(?<![\w.-]){re.escape(host)}(?![\w-]|\.\w)")
    return replace(
        finding,
        subject=subject,
        found=name.sub(_HOST, finding.found),
        remedy=name.sub(_HOST, finding.remedy),
    )


def _row(pattern: Finding, hosts: list[str]) -> Finding:
    if not hosts:
        return pattern
    names = folded(hosts)
    return replace(
        pattern,
        **{
            part: getattr(pattern, part).replace(_HOST, names)
            for part in ("subject", "found", "remedy")
        },
    )
