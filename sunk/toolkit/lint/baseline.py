"""Baselines: findings that were there before, and are not to be shown again.

A finding is known again by its file, its rule and the text of its line, so that lines above it
may come and go; the same text twice counts twice.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

from sunk.errors import InputError, clip
from sunk.toolkit.lint.model import Finding

VERSION = 1
Known = Counter[tuple[str, str, str]]


def write_baseline(findings: Iterable[Finding]) -> str:
    """Return the text of a baseline that holds these findings."""
    counted = Counter(_key(finding) for finding in findings)
    rows = [
        {"path": path, "rule": rule, "line": text, "count": count}
        for (path, rule, text), count in sorted(counted.items())
    ]
    return json.dumps({"version": VERSION, "findings": rows}, indent=2, ensure_ascii=False) + "\n"


def read_baseline(text: str, origin: str) -> Known:
    """Return what a baseline holds.

    Args:
        text: of the file.
        origin: its name, for errors.

    Raises:
        InputError: it is none.
    """
    try:
        document = json.loads(text)
        version = document["version"]
        known: Known = Counter()
        for row in document["findings"]:
            known[(str(row["path"]), str(row["rule"]), str(row["line"]))] += int(row["count"])
    except (ValueError, RecursionError) as exc:
        raise InputError(
            f"read baseline {origin}: {clip(str(exc))}",
            hint="write it again with --write-baseline",
        ) from exc
    except (KeyError, TypeError) as exc:
        raise InputError(
            f"read baseline {origin}: it is JSON, and no baseline of findings",
            hint="write it again with --write-baseline",
        ) from exc
    if version != VERSION:
        raise InputError(
            f"read baseline {origin}: version {version!r}, not {VERSION}",
            hint="write it again with --write-baseline",
        )
    return known


def without_known(findings: Iterable[Finding], known: Known) -> tuple[Finding, ...]:
    """Return the findings that a baseline does not hold."""
    left = Counter(known)
    fresh = []
    for finding in findings:
        key = _key(finding)
        if left[key] > 0:
            left[key] -= 1
        else:
            fresh.append(finding)
    return tuple(fresh)


def _key(finding: Finding) -> tuple[str, str, str]:
    return finding.path, finding.rule, finding.source_line
