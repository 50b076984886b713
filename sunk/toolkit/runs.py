"""Run folders: one for each submission, holding the script, its record, and what the job writes.

A folder is complete before Slurm hears of the job, so that a submission cut short leaves a record
without a job id, never a job without a record.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

import sunk
from sunk.errors import ConfigError, InputError
from sunk.model.slurm import JobId
from sunk.toolkit.catalogue import Template
from sunk.toolkit.directives import ELEMENT_LOG_FILE, LOG_FILE
from sunk.toolkit.parameters import JobParameters
from sunk.toolkit.script import SCRIPT_FILE, RenderedJob

RECORD_FILE = "record.json"
JOB_ID_FILE = "record/job_id"
"""The job's own word for its number; it writes it when it starts."""
RUNS_FOLDER = "sunk-runs"
_TRIES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run folder.

    Attributes:
        folder: where everything of the run lies; the job's working folder.
        job_id: Slurm's number; nothing before it is submitted.
        elements: elements of its array; nothing outside arrays.
    """

    folder: Path
    job_id: JobId | None = None
    elements: int | None = None

    @property
    def script(self) -> Path:
        """The sbatch script."""
        return self.folder / SCRIPT_FILE

    @property
    def log(self) -> Path:
        """The job's output."""
        return self.folder / LOG_FILE

    def log_of(self, element: int) -> Path:
        """Return the output of an element of its array."""
        return self.folder / ELEMENT_LOG_FILE.replace("%a", str(element))


def make_run(
    root: Path,
    template: Template,
    parameters: JobParameters,
    job: RenderedJob,
    now: datetime,
    origin: Mapping[str, Any] | None = None,
) -> Run:
    """Make the folder of a run with everything the job needs.

    Args:
        root: parent of run folders.
        template: what the job was rendered from.
        parameters: its parameters.
        job: the rendered job.
        now: time of the submission.
        origin: what it was submitted from, for the record.

    Raises:
        ConfigError: the folder cannot be made.
    """
    folder = _fresh_folder(root, f"{parameters.name}-{now:%Y%m%dT%H%M%S}")
    run = Run(folder=folder, elements=job.elements)
    (folder / SCRIPT_FILE).write_text(job.script)
    for name, content in sorted(job.files.items()):
        (folder / name).write_text(content)
    if template.needs_programs:
        copy_programs(folder / "sunk_jobs")
    _write_record(run, record_of(job, now, origin or {}))
    return run


def record_of(job: RenderedJob, now: datetime, origin: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a job that is not submitted yet.

    Args:
        job: the rendered job.
        now: time of the submission.
        origin: what it is submitted from.
    """
    return {
        "template": job.template,
        "digest": job.digest,
        "parameters": json.loads(job.parameters),
        "cluster": job.cluster,
        "elements": job.elements,
        "sunk": sunk.__version__,
        "made": now.isoformat(timespec="seconds"),
        "job_id": None,
        "script_sha256": hashlib.sha256(job.script.encode()).hexdigest(),
        "origin": dict(origin),
    }


def refuse_by_hand(template: Template) -> None:
    """Refuse to submit a script that a person runs.

    Raises:
        InputError: it is one.
    """
    if not template.batch:
        raise InputError(
            f"submit {template.name}: its script asks for an allocation itself",
            hint=f"run it on a login node: bash <(sunk job render {template.name})",
        )


def note_job(run: Run, job_id: JobId) -> Run:
    """Record the number that Slurm gave."""
    _note(run, "job_id", job_id)
    return replace(run, job_id=job_id)


def note_replay(run: Run, first: Path) -> None:
    """Record which run this one was made again from."""
    _note(run, "replay_of", str(first))


def find_run(root: Path, job_id: JobId) -> Run | None:
    """Return the run folder of a job, or nothing when it was not submitted from there."""
    found = (run for run in all_runs(root) if run.job_id == job_id)
    return next(found, None)


def all_runs(root: Path) -> Iterator[Run]:
    """Yield the runs of a folder, the one submitted last first; what cannot be read is left out."""
    for record_file in sorted(root.glob(f"*/{RECORD_FILE}"), key=_written, reverse=True):
        if read_record(record_file.parent):
            yield read_run(record_file.parent)


def _written(file: Path) -> tuple[float, str]:
    """When a record was written, which its run's submission does last."""
    try:
        return file.stat().st_mtime, file.parent.name
    except OSError:
        return 0.0, file.parent.name


def read_run(folder: Path) -> Run:
    """Return the run of a folder; without a record, a run of which nothing more is known."""
    record = read_record(folder)
    job_id, elements = record.get("job_id"), record.get("elements")
    return Run(
        folder=folder,
        job_id=JobId(job_id) if isinstance(job_id, int) else _noted_by_job(folder),
        elements=elements if isinstance(elements, int) else None,
    )


def _noted_by_job(folder: Path) -> JobId | None:
    """Return the number that a job noted itself, which somebody submitted with sbatch."""
    try:
        return parse_job_id((folder / JOB_ID_FILE).read_text().strip())
    except (OSError, UnicodeDecodeError, InputError):
        return None


def read_record(folder: Path) -> dict[str, Any]:
    """Return the record of a run; empty where there is none that can be read."""
    try:
        record = json.loads((folder / RECORD_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def parse_job_id(text: str) -> JobId:
    """Return a job's number.

    Raises:
        InputError: it is not one.
    """
    if not (text.isascii() and text.isdigit()) or int(text) == 0:
        raise InputError(f"read job id {text!r}: not a number", hint="squeue --me lists your jobs")
    return JobId(int(text))


def _fresh_folder(root: Path, name: str) -> Path:
    try:
        root.mkdir(parents=True, exist_ok=True)
        for number in range(_TRIES):
            folder = root / (name if number == 0 else f"{name}-{number}")
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    except OSError as exc:
        raise ConfigError(
            f"make run folder in {root}: {exc.strerror}", hint="choose another with --run-dir"
        ) from exc
    raise ConfigError(f"make run folder {root / name}: {_TRIES} of that name exist")


def _note(run: Run, key: str, value: object) -> None:
    record = json.loads((run.folder / RECORD_FILE).read_text())
    _write_record(run, {**record, key: value})


def copy_programs(target: Path) -> None:
    """Copy the job programs to where a job finds them; nodes need no sunk."""
    with resources.as_file(resources.files("sunk_jobs")) as source:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))


def _write_record(run: Run, record: Mapping[str, Any]) -> None:
    draft = run.folder / f".{RECORD_FILE}"
    draft.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")
    draft.replace(run.folder / RECORD_FILE)
