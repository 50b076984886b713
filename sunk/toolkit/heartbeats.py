"""Read a run's heartbeats and where its ranks are; changes nothing."""

from __future__ import annotations

import re
from pathlib import Path

from sunk.errors import InputError
from sunk.toolkit.watching import Beat, Place
from sunk_jobs.outputs.run_files import read_lines
from sunk_jobs.placement.rank_map import RankMapError, load_map

_HEARTBEAT = re.compile(r"heartbeat\.(\d+)\.(\d+)\.jsonl")


def latest_attempt(run: Path) -> int:
    """Return the newest attempt that left heartbeats or a map.

    Raises:
        InputError: there is neither: no run folder, or its program has not begun.
    """
    found = [int(match[2]) for match in _heartbeats(run)]
    found += [
        int(file.suffix[1:]) for file in run.glob("record/map.*") if file.suffix[1:].isdigit()
    ]
    if not found:
        raise InputError(
            f"watch {run}: there are no heartbeats in logs/",
            hint="give a run's folder, made by sunk job submit; programs that write no "
            "heartbeats cannot be watched",
        )
    return max(found)


def any_of(run: Path) -> bool:
    """Return whether a rank of any attempt wrote a heartbeat."""
    return bool(_heartbeats(run))


def beats_of(run: Path, attempt: int) -> dict[int, list[Beat]]:
    """Return each rank's steps; what cannot be read as one is passed over."""
    found: dict[int, list[Beat]] = {}
    for match in _heartbeats(run):
        if int(match[2]) != attempt:
            continue
        beats = found.setdefault(int(match[1]), [])
        for line in read_lines(run / "logs" / match[0]):
            step, time = (line.get("step"), line.get("time")) if isinstance(line, dict) else (0, 0)
            if isinstance(step, int) and isinstance(time, int | float):
                beats.append(Beat(step, float(time)))
    return found


def places_of(run: Path, attempt: int) -> dict[int, Place]:
    """Return where each rank of an attempt is; empty where the run kept no map."""
    try:
        planned = load_map((run / "record" / f"map.{attempt}").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, RankMapError):
        return {}
    leaves = _leaves(run / "record" / f"probe.{attempt}")
    return {
        rank: Place(node=one.node, leaf=leaves.get(one.node, ""))
        for one in planned.nodes
        for rank in range(one.first_rank, one.first_rank + one.ranks)
    }


def _heartbeats(run: Path) -> list[re.Match[str]]:
    return [
        match
        for file in sorted(run.glob("logs/heartbeat.*.jsonl"))
        if (match := _HEARTBEAT.fullmatch(file.name))
    ]


def _leaves(probe: Path) -> dict[str, str]:
    """Return the leaf switch of each node, where Slurm said one: ``spine.leaf.node``."""
    try:
        lines = probe.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    found = {}
    for line in lines:
        words = line.split()
        if len(words) == 5 and words[4].count(".") >= 1:
            found[words[2]] = words[4].split(".")[-2]
    return found
