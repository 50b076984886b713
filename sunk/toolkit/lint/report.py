"""Findings as text for people, as JSON and as SARIF for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from sunk.toolkit.lint.model import Finding, Rule, Severity

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
PAGE = "https://sunk.dev/docs/reference/lint-rules/"


def as_text(findings: Sequence[Finding], files: int) -> str:
    """Return a line for each finding and one with their numbers."""
    lines = [
        f"{one.path}:{one.line}:{one.column}: {one.severity} {one.rule} {one.message}"
        + (" [--fix]" if one.edits else "")
        for one in findings
    ]
    counts = ", ".join(
        f"{number} {severity}{'s' if number > 1 else ''}"
        for severity in Severity
        if (number := sum(one.severity is severity for one in findings))
    )
    lines.append(f"{files} file{'s' if files != 1 else ''}: {counts or 'nothing found'}")
    return "\n".join(lines) + "\n"


def as_json(findings: Sequence[Finding], files: int) -> str:
    """Return the findings as one JSON document."""
    rows = [
        {
            "path": one.path,
            "line": one.line,
            "column": one.column,
            "rule": one.rule,
            "severity": str(one.severity),
            "message": one.message,
            "fixable": bool(one.edits),
        }
        for one in findings
    ]
    document = {"version": 1, "files": files, "findings": rows}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_sarif(findings: Sequence[Finding], rules: Sequence[Rule], version: str) -> str:
    """Return the findings as SARIF 2.1.0, for code review.

    Args:
        findings: sorted.
        rules: all of them, in the order of their ids.
        version: of sunk.
    """
    places = {rule.id: number for number, rule in enumerate(rules)}
    driver = {
        "name": "sunk job lint",
        "version": version,
        "informationUri": PAGE,
        "rules": [_sarif_rule(rule) for rule in rules],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(one, places[one.rule]) for one in findings],
    }
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _sarif_rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "helpUri": f"{PAGE}#{rule.id.lower()}",
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _sarif_result(finding: Finding, number: int) -> dict[str, Any]:
    region = {"startLine": finding.line, "startColumn": finding.column}
    # A relative path is a relative reference; an absolute one needs its scheme.
    path = PurePath(finding.path)
    uri = path.as_uri() if path.is_absolute() else quote(path.as_posix())
    place = {"artifactLocation": {"uri": uri}, "region": region}
    return {
        "ruleId": finding.rule,
        "ruleIndex": number,
        "level": _LEVELS[finding.severity],
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": place}],
    }


def rules_as_text(rules: Sequence[Rule]) -> str:
    """Return a line for each rule."""
    return "".join(
        f"{one.id} {one.severity:<7} {one.title}{' [needs facts]' if one.live else ''}\n"
        for one in rules
    )


def rules_as_json(rules: Sequence[Rule]) -> str:
    """Return the rules as one JSON document."""
    rows = [
        {
            "id": one.id,
            "severity": str(one.severity),
            "title": one.title,
            "why": one.why,
            "source": one.source,
            "needs_facts": one.live,
        }
        for one in rules
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
