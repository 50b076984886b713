"""What somebody did, from the API server's audit log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from sunk.render.permissions import PERMISSIONS, Permission

Right = tuple[str, str, str]
"""Verb, API group, resource with its subresource after a slash."""


def used(log: Path, user: str) -> set[Right]:
    """Return the rights that a user needed for what it did, refused requests included.

    An apply that made an object needed ``create`` beside ``patch``.
    """
    found: set[Right] = set()
    for event in _events(log):
        where = event.get("objectRef")
        if event["user"]["username"] != user or where is None:
            continue
        name = where["resource"]
        name += f"/{where['subresource']}" if where.get("subresource") else ""
        group = where.get("apiGroup", "")
        found.add((event["verb"], group, name))
        if event["verb"] == "patch" and event.get("responseStatus", {}).get("code") == 201:
            found.add(("create", group, name))
    return found


def refused(log: Path, user: str) -> list[str]:
    """Return what a user asked for and may not do."""
    return [
        f"{event['verb']} {event['requestURI']}"
        for event in _events(log)
        if event["user"]["username"] == user
        and event.get("responseStatus", {}).get("code") in {401, 403}
    ]


def granted() -> set[Right]:
    """Return what the chart grants without anybody asking for more."""
    return {right for one in PERMISSIONS if not one.value for right in _rights(one)}


def optional() -> set[Right]:
    """Return what the chart grants only if a value says so."""
    return {right for one in PERMISSIONS if one.value for right in _rights(one)}


def _rights(one: Permission) -> Iterator[Right]:
    for resource in one.resources:
        for verb in one.verbs:
            yield verb, one.group, resource


def _events(log: Path) -> Iterator[dict]:
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            if event["stage"] == "ResponseComplete" or event["verb"] == "watch":
                yield event
