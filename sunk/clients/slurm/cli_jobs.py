"""squeue's listing of all jobs, as fields between separators that nobody can guess.

``squeue --json`` costs about ten times as much, so the list is asked for field by field. People
choose names, folders and output paths freely, and those may hold anything but NUL. Therefore:

- Between fields stands a separator with a fresh random part, so no name can forge a field or row.
- ``--verbose`` makes squeue say first how many records slurmctld sent, and when they changed last;
  a list with fewer or more rows is damaged, wherever it was cut.
- What the fields cannot say exactly (base states under a flag, odd output patterns, line breaks
  in a name) is left out and named in `Queue.unclear`, to be read again in full.

One thing stays different: squeue sorts the nodes of a job, which otherwise stand in slurmctld's
order. They are the same nodes.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from sunk.clients.slurm.cli_errors import SYSTEM
from sunk.clients.slurm.rest_v0042 import NO_VALUES
from sunk.errors import UnexpectedReply, clip
from sunk.model.slurm import TERMINAL_STATES, Job, JobId, JobState

FIELDS = (
    "JobID",
    "ArrayJobID",
    "ArrayTaskID",
    "Name",
    "UserName",
    "Account",
    "Partition",
    "State",
    "Reason",
    "NodeList",
    "exit_code",
    "SubmitTime",
    "StartTime",
    "EndTime",
    "RestartCnt",
    "STDOUT",
    "WorkDir",
    "NumNodes",
    "NumCPUs",
    "NumTasks",
)
"""What is asked for, by squeue's names for ``--Format``."""

_HEADER = re.compile(r"^last_update_time=(\d{1,19}) records=(\d{1,9})\n", re.MULTILINE)
_REASON = re.compile(r"([A-Za-z]+)(?:,.*)?")
"""slurmctld may add details for people after a comma: ``ReqNodeNotAvail, May be …``."""
_EXIT_CODE = re.compile(r"(\d{1,3}):(\d{1,3})")
_NUMBER = re.compile(r"\d{1,19}")
_TASK_OF_NONE = "4294967294"
"""What Slurm puts for ``%a`` outside of an array's task: NO_VAL."""
_NO_TIME = frozenset({"N/A", "NONE", "None", "Unknown"})
_STATES = {state.value: state for state in JobState if state is not JobState.UNKNOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What squeue listed.

    Attributes:
        jobs: those whose fields say all, in squeue's order.
        unclear: numbers of the others.
        as_of: slurmctld's time of the last change, seconds since the epoch.
    """

    jobs: tuple[Job, ...]
    unclear: tuple[JobId, ...]
    as_of: int


class _Unclear(Exception):
    """A field that does not say what the record holds."""


def fresh_separator() -> str:
    """Return text that stands in no field, as nobody could know it beforehand."""
    return f"|{secrets.token_hex(8)}|"


def format_option(separator: str) -> str:
    """Return the value of ``--Format``: every field without a width, then the separator."""
    return ",".join(f"{field}:{separator}" for field in FIELDS)


def parse_queue(text: str, separator: str, what: str) -> Queue:
    """Return the jobs in the output of ``squeue --verbose --noheader --Format=…``.

    Args:
        text: all of it.
        separator: the one that it was asked with.
        what: begins error messages.

    Raises:
        UnexpectedReply: it is damaged, or rows are missing.
    """
    header = _HEADER.search(text)
    if header is None:
        raise UnexpectedReply(
            f"{what}: squeue does not say how many jobs there are: {clip(text)!r}", system=SYSTEM
        )
    rows = _rows(text[header.end() :], separator, what)
    if len(rows) != int(header[2]):
        raise UnexpectedReply(
            f"{what}: squeue printed {len(rows)} of {header[2]} jobs", system=SYSTEM
        )
    jobs: list[Job] = []
    unclear: list[JobId] = []
    for row in rows:
        if _NUMBER.fullmatch(row["JobID"]) is None:
            raise UnexpectedReply(f"{what}: job number {clip(row['JobID'])!r}", system=SYSTEM)
        try:
            jobs.append(_job(row))
        except _Unclear:
            unclear.append(JobId(int(row["JobID"])))
    return Queue(jobs=tuple(jobs), unclear=tuple(unclear), as_of=int(header[1]))


def _rows(body: str, separator: str, what: str) -> list[dict[str, str]]:
    """Return rows by field; each of them ends with a separator and a line break."""
    rows = []
    words = body.split(separator)
    width = len(FIELDS)
    if len(words) % width != 1 or words[-1] != ("\n" if len(words) > 1 else ""):
        raise UnexpectedReply(f"{what}: the end of squeue's list is missing", system=SYSTEM)
    for start in range(0, len(words) - 1, width):
        chunk = words[start : start + width]
        if start:
            if not chunk[0].startswith("\n"):
                raise UnexpectedReply(f"{what}: squeue's rows do not part", system=SYSTEM)
            chunk[0] = chunk[0][1:]
        rows.append(dict(zip(FIELDS, chunk, strict=True)))
    return rows


def _job(row: dict[str, str]) -> Job:
    # A line break may have been another kind of one before it came through a pipe.
    if any("\n" in value for value in row.values()):
        raise _Unclear
    # squeue shows a flag such as COMPLETING in place of the base state.
    state = _STATES.get(row["State"])
    reason = _REASON.fullmatch(row["Reason"])
    if state is None or reason is None:
        raise _Unclear
    over = state in TERMINAL_STATES
    going = state in (JobState.RUNNING, JobState.SUSPENDED)
    job_id, array, task = row["JobID"], row["ArrayJobID"], row["ArrayTaskID"]
    in_array = task != "N/A"
    exit_code, exit_signal = _exit(row["exit_code"])
    tasks = _number(row["NumTasks"])
    return Job(
        job_id=JobId(int(job_id)),
        array_job_id=JobId(_number(array)) if in_array else None,
        # The tasks not yet started share one record, whose text is like "0-3%2".
        array_task_id=int(task) if _NUMBER.fullmatch(task) else None,
        name=row["Name"],
        user=row["UserName"],
        account=_text(row["Account"]),
        partition=row["Partition"],
        state=state,
        reason="" if reason[1] == "None" else reason[1],
        nodes=_text(row["NodeList"]),
        exit_code=exit_code if over else None,
        exit_signal=exit_signal if over else None,
        submit_time=_time(row["SubmitTime"]),
        # Slurm fills these with its plans while the job has not started or not ended.
        start_time=_time(row["StartTime"]) if over or going else None,
        end_time=_time(row["EndTime"]) if over else None,
        planned_end=_time(row["EndTime"]) if going else None,
        restart_count=_number(row["RestartCnt"]),
        stdout_path=_stdout(row),
        working_directory=_text(row["WorkDir"]),
        node_count=_number(row["NumNodes"]),
        cpus=_number(row["NumCPUs"]),
        tasks=0 if tasks in NO_VALUES else tasks,
    )


def _text(value: str) -> str:
    return "" if value == "(null)" else value


def _number(value: str) -> int:
    if _NUMBER.fullmatch(value) is None:
        raise _Unclear
    return int(value)


def _time(value: str) -> int | None:
    return None if value in _NO_TIME else _number(value) or None


def _exit(value: str) -> tuple[int | None, int | None]:
    found = _EXIT_CODE.fullmatch(value)
    if found is None:
        raise _Unclear
    code, signal = int(found[1]), int(found[2])
    return (None, signal) if signal else (code, None)


def _stdout(row: dict[str, str]) -> str:
    """Return the output path with its pattern filled in as Slurm does it.

    squeue shows the pattern itself. Patterns with a width or of other letters are unclear.
    """
    task = row["ArrayTaskID"]
    values = {
        "j": row["JobID"],
        "A": row["ArrayJobID"],
        "a": task if _NUMBER.fullmatch(task) else _TASK_OF_NONE,
        "u": row["UserName"],
        "x": row["Name"],
        "%": "%",
    }

    def filled(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise _Unclear
        return values[match[1]]

    path = _text(row["STDOUT"])
    if "\\" in path:  # switches patterns off
        raise _Unclear
    return re.sub(r"%(.?)", filled, path)
