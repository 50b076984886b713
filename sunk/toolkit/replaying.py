"""A run made again from its record: only where everything that the record names is still so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sunk.errors import InputError
from sunk.model.profile import ClusterProfile
from sunk.toolkit.catalogue import Template, template_named
from sunk.toolkit.origin import origin_of
from sunk.toolkit.parameters import JobParameters, validated
from sunk.toolkit.run_difference import ABSENT, Difference, differences
from sunk.toolkit.runs import record_of
from sunk.toolkit.script import RenderedJob, render_job

_OF_NO_MATTER = ("origin.host", "realised")
"""Which login node it was, and what the run met: neither decides what is submitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A run as its record gives it now.

    Attributes:
        template: its kind.
        parameters: what it takes.
        job: the script of today.
        origin: what it would be submitted from.
        changed: what the record names and is gone or different now, the most relevant first.
    """

    template: Template
    parameters: JobParameters
    job: RenderedJob
    origin: Mapping[str, Any]
    changed: tuple[Difference, ...]


def replay_of(
    record: Mapping[str, Any],
    source: str,
    profile: ClusterProfile | None,
    variables: Mapping[str, str],
    now: datetime,
) -> Replay:
    """Return a run as its record gives it now.

    Args:
        record: of the run.
        source: where the record is, for messages.
        profile: of the cluster; None renders without one.
        variables: of this process.
        now: the time.

    Raises:
        InputError: the record has no parameters, or this version of sunk cannot make the job.
    """
    template = template_named(str(record.get("template")))
    values = record.get("parameters")
    if not isinstance(values, dict):
        raise InputError(f"replay {source}: its record has no parameters")
    parameters = validated(template.form, values, source)
    job = render_job(template, parameters, profile)
    origin = _origin(record.get("origin"), variables)
    made = record_of(job, now, origin)
    changed = (one for one in differences(record, made) if not _is_below(one.key, _OF_NO_MATTER))
    return Replay(
        template=template,
        parameters=parameters,
        job=job,
        origin=origin,
        changed=tuple(changed),
    )


def refuse_changed(replay: Replay, source: str, accepted: Sequence[str]) -> None:
    """Refuse to submit what is not what the record says.

    Args:
        replay: the run now.
        source: where the record is.
        accepted: keys of differences that may be, each with all below it.

    Raises:
        InputError: there is another difference; the first is named.
    """
    left = [one for one in replay.changed if not _is_below(one.key, accepted)]
    if not left:
        return
    first = left[0]
    more = f" (and {len(left) - 1} more)" if len(left) > 1 else ""
    state = "is gone" if first.second == ABSENT else f"is {first.second!r:.100} now"
    was = "not there" if first.first == ABSENT else f"{first.first!r:.100}"
    raise InputError(
        f"replay {source}: {first.key} was {was} and {state}{more}",
        hint=f"put it back, or let it be so with --accept {first.key}; --dry-run shows all of it",
    )


def _origin(recorded: object, variables: Mapping[str, str]) -> dict[str, Any]:
    """Return what the run would be submitted from, from the same folder; nothing if that is gone.

    A record that does not say where it came from cannot be compared in that.
    """
    if not isinstance(recorded, dict) or not recorded:
        return {}
    folder = Path(str(recorded.get("folder")))
    found = origin_of(folder, variables)
    return found if folder.is_dir() else {**found, "folder": ABSENT}


def _is_below(key: str, prefixes: Sequence[str]) -> bool:
    return any(key == one or key.startswith(f"{one}.") for one in prefixes)
