"""Read what a run left of its network: evidence of its nodes, and the libraries' own logs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sunk.assess.proof import Log, Proved, Said, prove
from sunk.assess.verdict import Finding, Verdict
from sunk.errors import InputError
from sunk_jobs.networks import nccl_log, ompi_log, ucx_log
from sunk_jobs.networks.fabric_evidence import Evidence, NotEvidence, differences, read_evidence
from sunk_jobs.networks.log_lines import whole_lines

_LOG = re.compile(r".+\.([0-9]{1,9})\.log")
_LIBRARY_LOG = re.compile(r"([0-9]{1,9})\..+")
_EVIDENCE = re.compile(r"fabric\.([0-9]{1,9})\.(.+)\.json")
LOG_LIMIT_BYTES = 64 * 2**20
"""Of one log this much is read: the ways are told of at its beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What is proved of one attempt of a run.

    Attributes:
        run: its folder.
        attempt: number of the attempt; None where no evidence tells.
        processes: what became of each.
        findings: about the run as a whole: evidence that is missing, nodes that differ.
    """

    run: str
    attempt: int | None
    processes: tuple[Proved, ...]
    findings: tuple[Finding, ...]

    @property
    def verdicts(self) -> Iterator[Verdict]:
        """All verdicts, of processes and of the run."""
        yield from (one.verdict for one in self.findings)
        yield from (each.verdict for one in self.processes for each in one.findings)


def account_of(folder: Path, attempt: int | None = None) -> Account:
    """Return what the files of a run prove.

    Args:
        folder: of the run.
        attempt: which one; None: the last that left evidence. What the job printed is of all.

    Raises:
        InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(
            f"prove {folder}: there is no such folder",
            hint="give a run's folder, or one with logs of its ranks",
        )
    files = _evidence_files(folder / "record")
    number = max(files, default=None) if attempt is None else attempt
    evidence: list[Evidence] = []
    findings: list[Finding] = []
    for file in files.get(-1 if number is None else number, ()):
        try:
            evidence.append(read_evidence(file))
        except NotEvidence as exc:
            findings.append(_finding("evidence", Verdict.UNKNOWN, f"{file.name}: {exc}"))
    if not evidence:
        words = "no node left evidence of its fabric: record/fabric.ATTEMPT.NODE.json"
        findings.append(_finding("evidence", Verdict.UNKNOWN, words))
    for one in differences(evidence):
        verdict = Verdict.FAIL if one.grave else Verdict.WARN
        findings.append(_finding("nodes", verdict, one.words))
    processes = prove(evidence, _said(folder, number))
    if not processes:
        words = "no log of NCCL, UCX or Open MPI in record, logs or the job's output"
        findings.append(_finding("logs", Verdict.UNKNOWN, words))
    return Account(run=str(folder), attempt=number, processes=processes, findings=tuple(findings))


def _finding(check: str, verdict: Verdict, found: str) -> Finding:
    return Finding(check=check, verdict=verdict, found=found)


def _evidence_files(record: Path) -> dict[int, list[Path]]:
    found: dict[int, list[Path]] = {}
    for file in sorted(record.glob("fabric.*.json")):
        match = _EVIDENCE.fullmatch(file.name)
        if match:
            found.setdefault(int(match[1]), []).append(file)
    return found


def _logs(folder: Path, attempt: int | None) -> Iterator[Path]:
    """Yield the logs of an attempt, and those whose names do not say of which they are."""
    patterns = {
        "record/nccl/*": _LIBRARY_LOG,
        "record/ucx/*": _LIBRARY_LOG,
        "logs/*.log": _LOG,
        "job*.log": None,
    }
    for pattern, named in patterns.items():
        for file in sorted(folder.glob(pattern)):
            match = None if named is None else named.fullmatch(file.name)
            if file.is_file() and (match is None or attempt in {None, int(match[1])}):
                yield file


def _said(folder: Path, attempt: int | None) -> tuple[Said, ...]:
    """Return what each process said, log by log."""
    return tuple(one for file in _logs(folder, attempt) for one in _said_in(_lines(file)))


def _lines(file: Path) -> list[str]:
    try:
        with file.open("rb") as opened:
            text = opened.read(LOG_LIMIT_BYTES).decode("utf-8", "replace")
    except OSError as exc:
        raise InputError(f"read {file}: {exc.strerror}") from exc
    return list(whole_lines(text))


def _said_in(lines: list[str]) -> Iterator[Said]:
    libraries: dict[str, Mapping[str, Log]] = {
        "NCCL": nccl_log.read(lines).processes,
        "UCX": ucx_log.read(lines).processes,
        "Open MPI": ompi_log.read(lines).processes,
    }
    for library, processes in libraries.items():
        for name, log in processes.items():
            host, _, pid = name.rpartition(":")
            yield Said(library=library, host=host, pid=pid, rank=log.rank, log=log)
