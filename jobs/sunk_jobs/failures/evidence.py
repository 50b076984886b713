"""Which rank of an attempt failed first, and what of; reads a run folder, changes nothing.

Ranks that lose a partner fail, too, and often louder. So the first one counts, by time: that of
the line, else when the rank ended, by its host's clock and corrected by how that clock differs
from the others in the heartbeats of the first steps. Collective timeouts and aborts are never the
cause: where there is nothing else, the rank is named that all others waited for.
"""

from __future__ import annotations

import json
import re
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sunk_jobs.failures.signs import CONSEQUENCES, Found, Sign, signs
from sunk_jobs.outputs.run_files import read_lines

TAIL_BYTES = 1 << 20
"""Of each log only its end is read."""
TOGETHER_SECONDS = 30.0
"""Signs that are so close in time are of one failure; the more trusted one names it."""
_STEPS = 10
_LOG = re.compile(r"(\d+)\.(\d+)\.log")
_BEAT = re.compile(r"heartbeat\.(\d+)\.(\d+)\.jsonl")
_EXIT = re.compile(r"srun: error: ([\w.,\[\]-]{1,255}): (tasks? [\d,-]{1,100}): (.{1,100})$")
_TRUST = {sign: place for place, sign in enumerate(Sign)}


@dataclass(frozen=True)
class Witness:
    """A sign and whose it is.

    Attributes:
        found: the sign.
        rank: whose log has it; None in the job's own log and NCCL's.
        node: where that rank was; empty when that is not known.
        time: of the sign or of the rank's end, corrected; None when neither is known.
        repeated: ranks with the very same last words.
    """

    found: Found
    rank: int | None
    node: str
    time: float | None
    repeated: int = 1


@dataclass(frozen=True)
class Evidence:
    """What an attempt's logs say.

    Attributes:
        first: what failed first; None when no log says.
        consequences: ranks that only show what followed.
        ranks: ranks with a log.
        timed_out: whether a collective timed out.
        missing: the rank that the others waited for then, when nothing else failed.
        missing_node: where it was.
        first_exit: which task of the job srun saw failing first, and how; empty when it says none.
    """

    first: Witness | None
    consequences: int = 0
    ranks: int = 0
    timed_out: bool = False
    missing: int | None = None
    missing_node: str = ""
    first_exit: str = ""


def gather(run: Path, attempt: int, log_from: int = 0) -> Evidence:
    """Return what the logs of an attempt say.

    Args:
        run: the run folder.
        attempt: number of the attempt.
        log_from: bytes of the job's own log that belong to earlier attempts.
    """
    ends = _ends(run, attempt)
    beats = _beats(run, attempt)
    offsets = clock_offsets(beats)
    witnesses: list[Witness] = []
    ranks = 0
    for match, file in _matching(run / "logs", _LOG):
        if int(match[2]) != attempt:
            continue
        ranks += 1
        rank = int(match[1])
        end = ends.get(rank, {})
        node = str(end.get("node", ""))
        for found in signs(_tail(file), _year(file)):
            at = found.time if found.time is not None else end.get("time")
            moment = None if at is None else float(at) - offsets.get(rank, 0.0)
            witnesses.append(Witness(found, rank, node, moment))
    job_log = run / "job.log"
    said = _tail(job_log, log_from)
    witnesses += [Witness(one, None, "", one.time) for one in signs(said, _year(job_log))]
    for file, node in _of_processes(run, attempt):
        witnesses += [Witness(one, None, node, one.time) for one in signs(_tail(file), _year(file))]
    first = first_of(witnesses)
    timed_out = any(one.found.sign is Sign.TIMEOUT for one in witnesses)
    missing = _missing(beats, ranks) if first is None and timed_out else None
    return Evidence(
        first=first,
        consequences=_followers(witnesses, first, missing),
        ranks=ranks,
        timed_out=timed_out,
        missing=missing,
        missing_node="" if missing is None else str(ends.get(missing, {}).get("node", "")),
        first_exit=_first_exit(said),
    )


def of_log(file: Path) -> Evidence:
    """Return what the one log of a job says, such as an array's element has."""
    lines = _tail(file)
    witnesses = [Witness(one, None, "", one.time) for one in signs(lines, _year(file))]
    return Evidence(first=first_of(witnesses), first_exit=_first_exit(lines))


def first_of(witnesses: Sequence[Witness]) -> Witness | None:
    """Return what failed first, or None when there are only consequences."""
    causes = [one for one in witnesses if one.found.sign not in CONSEQUENCES]
    if not causes:
        return None
    start = min((one.time for one in causes if one.time is not None), default=None)
    near = [
        one
        for one in causes
        if start is None or one.time is None or one.time - start <= TOGETHER_SECONDS
    ]
    chosen = min(near, key=_order)
    same = {one.rank for one in causes if _words(one) == _words(chosen)}
    return replace(chosen, repeated=len(same))


def clock_offsets(beats: Mapping[int, Mapping[int, float]]) -> dict[int, float]:
    """Return by how much each rank's clock is ahead, in s, from when it did its first steps.

    Args:
        beats: time of each step of each rank. Ranks meet in every step.
    """
    common = sorted({step for mine in beats.values() for step in mine})[:_STEPS]
    middle = {
        step: statistics.median(mine[step] for mine in beats.values() if step in mine)
        for step in common
    }
    return {
        rank: statistics.median(near)
        for rank, mine in beats.items()
        if (near := [mine[step] - middle[step] for step in common if step in mine])
    }


def _order(one: Witness) -> tuple[int, bool, float, int, int]:
    moment = one.time
    return (
        *(_TRUST[one.found.sign], moment is None, moment or 0.0),
        *(-1 if one.rank is None else one.rank, one.found.place),
    )


def _words(one: Witness) -> tuple[Sign, str]:
    return one.found.sign, re.sub(r"^\[rank\d+\]: ?", "", one.found.text)


def _followers(witnesses: Sequence[Witness], first: Witness | None, missing: int | None) -> int:
    cause = missing if first is None else first.rank
    shown = {one.rank for one in witnesses if one.rank is not None}
    if first is not None:
        shown -= {one.rank for one in witnesses if _words(one) == _words(first)}
    return len(shown - {cause})


def _missing(beats: Mapping[int, Mapping[int, float]], ranks: int) -> int | None:
    """Return the one rank that did fewer steps than all others; None when it is not one."""
    done = {rank: max(beats.get(rank, {}), default=0) for rank in range(max(ranks, len(beats)))}
    least = min(done.values(), default=0)
    late = [rank for rank, step in done.items() if step == least]
    return late[0] if len(late) == 1 and len(done) > 1 else None


def _ends(run: Path, attempt: int) -> dict[int, dict[str, Any]]:
    """Return how ranks ended, as `sunk_jobs.rank_log` wrote it."""
    found = {}
    for file in (run / "logs").glob(f"end.*.{attempt}.json"):
        try:
            end = json.loads(file.read_text(errors="replace"))
            found[int(end["rank"])] = {"node": str(end["node"]), "time": float(end["time"])}
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def _beats(run: Path, attempt: int) -> dict[int, dict[int, float]]:
    found: dict[int, dict[int, float]] = {}
    for match, file in _matching(run / "logs", _BEAT):
        if int(match[2]) != attempt:
            continue
        mine = found.setdefault(int(match[1]), {})
        try:
            for line in read_lines(file):
                mine[int(line["step"])] = float(line["time"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def _first_exit(lines: Sequence[str]) -> str:
    """Return what srun says of the first task that failed."""
    found = next((match for line in lines if (match := _EXIT.match(line))), None)
    return "" if found is None else f"{found[2]} on {found[1]} ({found[3]})"


def _of_processes(run: Path, attempt: int) -> Iterator[tuple[Path, str]]:
    """Yield the logs that NCCL wrote for each process, and the host of each."""
    try:
        since = (run / "record" / f"map.{attempt}").stat().st_mtime
    except OSError:
        since = 0.0
    for file in sorted((run / "record" / "nccl").glob("*.*")):
        if file.stat().st_mtime >= since:
            yield file, file.name.rpartition(".")[0]


def _matching(folder: Path, pattern: re.Pattern[str]) -> Iterator[tuple[re.Match[str], Path]]:
    names = sorted(folder.iterdir()) if folder.is_dir() else ()
    for file in names:
        if match := pattern.fullmatch(file.name):
            yield match, file


def _tail(file: Path, start: int = 0) -> list[str]:
    try:
        size = file.stat().st_size
        with file.open("rb") as source:
            source.seek(max(start if start <= size else 0, size - TAIL_BYTES))
            return source.read().decode(errors="replace").splitlines()
    except OSError:
        return []


def _year(file: Path) -> int:
    try:
        return time.gmtime(file.stat().st_mtime).tm_year
    except OSError:
        return time.gmtime().tm_year
