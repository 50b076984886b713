"""Slurm through its own commands, as a person on a login node has them.

`sbatch` submits, `squeue` knows jobs that wait, run or ended within the last minutes (MinJobAge),
`sacct` knows the rest once slurmdbd has caught up. Fields are asked for by name and parted by a
character that stands in none of them; the commands' tables for people are never read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from sunk.clients.process import Completed, run
from sunk.clients.slurm import sacct_allocations
from sunk.errors import (
    CommandError,
    NotFound,
    Rejected,
    Unauthorized,
    UnexpectedReply,
    Unreachable,
    clip,
)
from sunk.model.accounting import Allocation
from sunk.model.slurm import TERMINAL_STATES, Job, JobId, JobState, StartEstimate

SYSTEM = "slurm"
Key = tuple[JobId, int | None]
"""A job, or an element of an array by its index."""
_SECONDS = 60.0
_SEPARATOR = "\x1f"
_SACCT = ("JobIDRaw", "State", "ExitCode", "NodeList", "JobName", "User", "Account", "Partition")
_KEPT = frozenset({"SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_CLUSTERS", "SLURM_JWT"})
"""Variables that say which Slurm is meant, not what a job is like."""
_AT_ONCE = 1000
"""Jobs that one command is asked for: its arguments must stay below 128 KiB."""
_UNREACHABLE = (
    "Unable to contact slurm controller",
    "Connection refused",
    "Connection timed out",
    "failed to connect to any sack sockets",
    "Zero Bytes were transmitted",
    "Problem talking to the database",
)
_WOULD_START = re.compile(
    r"Job \d+ to start at (?P<at>\S+) using (?P<processors>\d+) processors"
    r" on nodes (?P<nodes>\S+) in partition (?P<partition>\S+)"
)
_UNAUTHORIZED = ("Access/permission denied", "Invalid account or account/partition", "credential")


class Runner(Protocol):
    """Runs one command; `sunk.clients.process.run` in production."""

    def __call__(
        self,
        argv: Sequence[str | Path],
        *,
        timeout_seconds: float,
        env: Mapping[str, str | None] | None = None,
        check: bool = True,
    ) -> Completed:
        """Run it to its end."""


class SlurmCommands:
    """sbatch, squeue and sacct of this machine.

    Args:
        runner: starts the commands.
        environment: names of this process's variables, to take sbatch's own out.
    """

    def __init__(
        self,
        runner: Runner = run,
        environment: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._run = runner
        self._environment = environment

    def submit(self, script: Path, folder: Path) -> JobId:
        """Submit a script to run in `folder`, and return the job's number.

        ``SBATCH_*`` variables are taken out: they would silently win over the script. So are
        ``SLURM_*`` ones, which a job hands down to what is submitted in it.

        Raises:
            Rejected: Slurm refused the job; the message is Slurm's.
            Unreachable: no controller answers.
        """
        done = self._ask(
            f"submit {script}",
            ("sbatch", "--parsable", f"--chdir={folder}", str(script)),
            env=self._hidden(),
        )
        # --parsable prints "id" or "id;cluster".
        number = done.stdout.strip().split(";", 1)[0]
        if not is_number(number):
            raise UnexpectedReply(
                f"submit {script}: sbatch printed {clip(done.stdout)!r}", system=SYSTEM
            )
        return JobId(int(number))

    def start_estimate(self, script: Path) -> StartEstimate:
        """Return when and where Slurm would start a script now; nothing is submitted.

        Raises:
            Rejected: Slurm would refuse the job; the message is Slurm's.
            Unreachable: no controller answers.
        """
        what = f"ask when {script.name} would start"
        argv = ("sbatch", "--test-only", str(script))
        done = self._ask(what, argv, env=self._hidden())
        found = _WOULD_START.search(done.stderr)
        if found is None:
            raise UnexpectedReply(f"{what}: sbatch printed {clip(done.stderr)!r}", system=SYSTEM)
        return StartEstimate(
            at=found["at"],
            processors=int(found["processors"]),
            nodes=found["nodes"],
            partition=found["partition"],
        )

    def _hidden(self) -> dict[str, str | None]:
        """Return the variables that sbatch must not see."""
        return {
            name: None
            for name in self._environment()
            if name.startswith(("SBATCH_", "SLURM_")) and name not in _KEPT
        }

    def job(self, job_id: JobId) -> Job:
        """Return a job, from squeue while it knows it, from sacct after.

        Raises:
            NotFound: neither knows it (yet): slurmdbd may lag by some seconds.
        """
        queued = self._queued(job_id)
        if queued is not None and queued.state not in TERMINAL_STATES:
            return queued
        return self._accounted(job_id) or queued or _unknown(job_id)

    def elements(self, job_id: JobId) -> tuple[Job, ...]:
        """Return the elements of an array that have a record of their own, by index.

        Elements that wait together have none yet. squeue knows them while they wait and run and
        for some minutes after, sacct then.

        Raises:
            NotFound: neither knows the array (yet).
        """
        found = {one.array_task_id: one for one in self._accounted_elements(job_id)}
        for one in self._queued_elements(job_id):
            if one.state not in TERMINAL_STATES or one.array_task_id not in found:
                found[one.array_task_id] = one
        if not found:
            _unknown(job_id)
        return tuple(found[index] for index in sorted(found, key=lambda index: index or 0))

    def jobs(self, wanted: Iterable[Key]) -> dict[Key, Job]:
        """Return what is known of many jobs and elements of arrays; others are unknown.

        squeue is asked once for all of them, sacct once for those that squeue does not know any
        more or calls ended. Where sacct does not answer, squeue's word stands alone.

        Raises:
            Unreachable: slurmctld does not answer: nothing is known of any of them.
        """
        keys = sorted(wanted, key=lambda key: (key[0], -1 if key[1] is None else key[1]))
        found = self._many_queued({job_id for job_id, _ in keys})
        rest = {key for key in keys if key not in found or found[key].state in TERMINAL_STATES}
        # Where accounting is off or away, what squeue does not know stays unknown.
        with suppress(CommandError, Unreachable):
            accounted = self._many_accounted({job_id for job_id, _ in rest})
            found |= {key: job for key, job in accounted.items() if key in rest}
        return {key: found[key] for key in keys if key in found}

    def cancel(self, job_id: JobId, element: int | None = None) -> None:
        """Cancel a job, or one element of an array; one that has ended stays as it is.

        Raises:
            NotFound: slurmctld does not know it (any more).
            Unauthorized: it is somebody else's.
        """
        name = str(job_id) if element is None else f"{job_id}_{element}"
        self._ask(f"cancel job {name}", ("scancel", name))

    def _many_queued(self, job_ids: Collection[JobId]) -> dict[Key, Job]:
        form = _SEPARATOR.join(("%F", "%K", "%A", "%T", "%r", "%N", "%j", "%u", "%a", "%P"))
        found: dict[Key, Job] = {}
        for some in _batches(job_ids):
            which = ("--noheader", "--array", f"--jobs={some}", "--states=all", f"--format={form}")
            try:
                done = self._ask("read jobs from slurmctld", ("squeue", *which))
            except NotFound:
                continue
            for line in done.stdout.splitlines():
                base, index, number, *rest = line.split(_SEPARATOR)
                if is_number(base) and is_number(number) and len(rest) == 7:
                    job = _job_from_squeue(JobId(int(number)), ("", *rest))
                    key, job = _keyed(JobId(int(base)), index, job)
                    found[key] = job
        return found

    def _many_accounted(self, job_ids: Collection[JobId]) -> dict[Key, Job]:
        form = ",".join(("JobID", *_SACCT[1:]))
        words = ("sacct", "--noheader", "--parsable2", f"--delimiter={_SEPARATOR}")
        found: dict[Key, Job] = {}
        for some in _batches(job_ids):
            which = ("--allocations", "--array", f"--jobs={some}", f"--format={form}")
            done = self._ask("read jobs from slurmdbd", (*words, *which))
            for line in done.stdout.splitlines():
                fields = line.split(_SEPARATOR)
                base, _, index = fields[0].partition("_")
                if is_number(base) and len(fields) == len(_SACCT) and "[" not in index:
                    job = job_from_sacct(JobId(int(base)), fields)
                    key, job = _keyed(JobId(int(base)), index, job)
                    found[key] = job
        return found

    def _queued_elements(self, job_id: JobId) -> Iterator[Job]:
        form = _SEPARATOR.join(("%F", "%K", "%T", "%r", "%N", "%j", "%u", "%a", "%P"))
        words = ("squeue", "--noheader", "--array", f"--jobs={job_id}", "--states=all")
        try:
            done = self._ask(f"read job {job_id} from slurmctld", (*words, f"--format={form}"))
        except NotFound:
            return
        for line in done.stdout.splitlines():
            array, index, *rest = line.split(_SEPARATOR)
            if array == str(job_id) and is_number(index) and len(rest) == 7:
                yield _element(_job_from_squeue(job_id, ("", *rest)), job_id, int(index))

    def _accounted_elements(self, job_id: JobId) -> Iterator[Job]:
        form = ",".join(("JobID", *_SACCT[1:]))
        words = ("sacct", "--noheader", "--parsable2", f"--delimiter={_SEPARATOR}")
        which = ("--allocations", "--array", f"--jobs={job_id}", f"--format={form}")
        done = self._ask(f"read job {job_id} from slurmdbd", (*words, *which))
        for line in done.stdout.splitlines():
            fields = line.split(_SEPARATOR)
            array, _, index = fields[0].partition("_")
            if array == str(job_id) and is_number(index) and len(fields) == len(_SACCT):
                yield _element(job_from_sacct(job_id, fields), job_id, int(index))

    def _queued(self, job_id: JobId) -> Job | None:
        form = _SEPARATOR.join(("%A", "%T", "%r", "%N", "%j", "%u", "%a", "%P"))
        try:
            done = self._ask(
                f"read job {job_id} from slurmctld",
                ("squeue", "--noheader", f"--jobs={job_id}", "--states=all", f"--format={form}"),
            )
        except NotFound:
            return None
        for line in done.stdout.splitlines():
            words = line.split(_SEPARATOR)
            if len(words) == 8 and words[0] == str(job_id):
                return _job_from_squeue(job_id, words)
        return None

    def _accounted(self, job_id: JobId) -> Job | None:
        done = self._ask(
            f"read job {job_id} from slurmdbd",
            (
                *(
                    "sacct",
                    "--noheader",
                    "--parsable2",
                    f"--delimiter={_SEPARATOR}",
                    "--allocations",
                ),
                *(f"--jobs={job_id}", f"--format={','.join(_SACCT)}"),
            ),
        )
        for line in done.stdout.splitlines():
            words = line.split(_SEPARATOR)
            if len(words) == len(_SACCT) and words[0] == str(job_id):
                return job_from_sacct(job_id, words)
        return None

    def allocations(self, job_ids: Iterable[JobId]) -> dict[JobId, tuple[Allocation, ...]]:
        """Return each run of jobs, oldest first; a requeue begins a new one.

        The last one may still wait or run. A job that slurmdbd does not know (yet) is not there.
        """
        which = ("--noheader", "--parsable2", f"--delimiter={_SEPARATOR}", "--allocations")
        form = f"--format={','.join(sacct_allocations.FIELDS)}"
        lines: list[list[str]] = []
        for some in _batches(set(job_ids)):
            argv = ("sacct", *which, "--duplicates", f"--jobs={some}", form)
            done = self._ask("read runs of jobs from slurmdbd", argv, sacct_allocations.EPOCH)
            lines += [line.split(_SEPARATOR) for line in done.stdout.splitlines()]
        return sacct_allocations.allocations(lines)

    def _ask(
        self, what: str, argv: Sequence[str], env: Mapping[str, str | None] | None = None
    ) -> Completed:
        done = self._run(argv, timeout_seconds=_SECONDS, env=env, check=False)
        if done.status == 0:
            return done
        said = clip(done.stderr or done.stdout)
        if "Invalid job id" in said:
            raise NotFound(f"{what}: {said}", system=SYSTEM)
        if any(text in said for text in _UNREACHABLE):
            raise Unreachable(f"{what}: {said}", system=SYSTEM)
        if any(text in said for text in _UNAUTHORIZED):
            raise Unauthorized(f"{what}: {said}", system=SYSTEM)
        if argv[0] == "sbatch":
            raise Rejected(f"{what}: {said}", system=SYSTEM)
        raise CommandError(f"{what}: {said}", argv=tuple(argv), status=done.status, output=said)


def is_number(text: str) -> bool:
    """Return whether text is decimal digits only (`str.isdigit` also likes ²)."""
    return text.isascii() and text.isdigit()


def parse_state(text: str) -> JobState:
    """Return the base state in what squeue or sacct print (``CANCELLED by 0``, ``COMPLETING``)."""
    word = text.split(maxsplit=1)[0].rstrip("+") if text.split() else ""
    # squeue shows the flag instead of the base state for these.
    word = {"COMPLETING": "RUNNING", "CONFIGURING": "PENDING", "REQUEUED": "PENDING"}.get(
        word, word
    )
    try:
        return JobState(word)
    except ValueError:
        return JobState.UNKNOWN


def job_from_sacct(job_id: JobId, words: Sequence[str]) -> Job:
    """Return the job that a line of sacct describes.

    Args:
        job_id: its number.
        words: the fields that this module asks for, in order.
    """
    _, state, code, nodes, name, user, account, partition = words
    status, _, signal = code.partition(":")
    return Job(
        job_id=job_id,
        state=parse_state(state),
        nodes="" if nodes == "None assigned" else nodes,
        name=name,
        user=user,
        account=account,
        partition=partition,
        exit_code=int(status) if is_number(status) else None,
        exit_signal=int(signal) if is_number(signal) and signal != "0" else None,
    )


def _job_from_squeue(job_id: JobId, words: Sequence[str]) -> Job:
    _, state, reason, nodes, name, user, account, partition = words
    return Job(
        job_id=job_id,
        state=parse_state(state),
        reason="" if reason == "None" else reason,
        nodes=nodes,
        name=name,
        user=user,
        account=account,
        partition=partition,
    )


def _element(job: Job, array: JobId, index: int) -> Job:
    return replace(job, array_job_id=array, array_task_id=index)


def _keyed(base: JobId, index: str, job: Job) -> tuple[Key, Job]:
    if not is_number(index):
        return (base, None), job
    return (base, int(index)), _element(job, base, int(index))


def _batches(job_ids: Collection[JobId]) -> Iterator[str]:
    ordered = sorted(job_ids)
    for at in range(0, len(ordered), _AT_ONCE):
        yield ",".join(map(str, ordered[at : at + _AT_ONCE]))


def _unknown(job_id: JobId) -> Job:
    raise NotFound(
        f"find job {job_id}: neither slurmctld nor slurmdbd knows it",
        system=SYSTEM,
        hint="the accounting may lag a few seconds; sacct -j shows older jobs",
    )
