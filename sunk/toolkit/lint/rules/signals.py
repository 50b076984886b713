"""Rules about signals before the end, and about requeueing."""

from __future__ import annotations

from collections.abc import Iterator

from sunk.toolkit.lint.facts import ClusterFacts
from sunk.toolkit.lint.model import Edit, Problem, Rule, Severity
from sunk.toolkit.lint.script import Command, Script
from sunk.toolkit.lint.shape import is_array, line_start, signal_of, work
from sunk.toolkit.lint.words import Kind, Word

_HANDLED = frozenset({"TERM", "INT", "HUP", "QUIT", "CONT", "15", "2", "1", "3", "18"})
"""Signals that torchrun and its kin pass on, or that do no harm."""
LEAST_LEAD_SECONDS = 120
"""A step, a save and the end of the processes, with nothing known about any of them."""
_MARGIN_SECONDS = 30.0
_OF_SAVE = 1.5
_ELEMENT = "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
_JOB_ID = ("SLURM_JOB_ID", "SLURM_JOBID", "SLURM_ARRAY_JOB_ID")
_REPEAT = "repeats what fails for ever; count with SLURM_RESTART_COUNT and stop, best unless there"


def _to_all_processes(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    asked = signal_of(script)
    if asked is None or "B" in asked[0] or asked[1] in _HANDLED:
        return
    for command in script.agents:
        yield Problem(
            line=asked[3],
            message=f"SIG{asked[1]} goes to every process of the step, and {command.agent} (line "
            f"{command.line}) dies of it; use --signal=B:{asked[1]}@{asked[2]} with a trap, and "
            "let the ranks look for a file",
        )
        return


def _foreground(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    asked = signal_of(script)
    if asked is None or "B" not in asked[0]:
        return
    works = [one for one in work(script) if not one.context.level]
    if not works or any(script.in_background(one) for one in works):
        return
    if works[-1].started_by("exec"):
        return
    last = works[-1]
    yield Problem(
        line=last.line,
        column=last.column,
        message=f"bash runs the trap for SIG{asked[1]} only when this {last.name} has ended; start "
        "it with & and wait for it in a loop",
    )


def _lead(script: Script, facts: ClusterFacts) -> Iterator[Problem]:
    asked = signal_of(script)
    if asked is None:
        return
    needed = float(LEAST_LEAD_SECONDS)
    basis = "a step, a save and the end of the processes"
    if facts.step_seconds_p99 is not None and facts.save_seconds_p99 is not None:
        planned = facts.step_seconds_p99 + _OF_SAVE * facts.save_seconds_p99 + _MARGIN_SECONDS
        needed = max(needed, planned)
        basis = f"a step of {facts.step_seconds_p99:g} s and a save of {facts.save_seconds_p99:g} s"
    if asked[2] < needed:
        yield Problem(
            line=asked[3],
            message=f"{asked[2]} s before the end are too few for {basis}; give at least "
            f"{needed:.0f} s",
        )


def _append(script: Script, facts: ClusterFacts) -> Iterator[Problem]:
    directives = script.directives
    mode = directives.value("open-mode") or ""
    if mode.startswith("a") or facts.job_file_append is True:
        return
    if directives.has("requeue"):
        asked = directives.last("requeue")
        line = asked.line if asked else 1
    else:
        line = next((one.line for one in _requeues(script)), 0)
    if not line:
        return
    last = max((option.line for option in directives.options), default=0)
    edits: tuple[Edit, ...] = ()
    if last and not mode:
        at = line_start(script, last + 1)
        if 0 < at <= len(script.data):
            edits = (Edit(start=at, end=at, text="#SBATCH --open-mode=append\n"),)
    yield Problem(
        line=line,
        message="a requeued job begins its output file anew and the first run's log is gone; add "
        "#SBATCH --open-mode=append",
        edits=edits,
    )


def _requeues(script: Script) -> Iterator[Command]:
    for command in script.named("scontrol"):
        words = [word.text for word in command.arguments if not word.text.startswith("-")]
        if words[:1] in (["requeue"], ["requeuehold"]):
            yield command


def _array_element(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    if not is_array(script):
        return
    for command in _requeues(script):
        for word in command.arguments:
            names = [part.name for part in word.parts if part.kind is Kind.VARIABLE]
            if len(names) != 1 or names[0] not in _JOB_ID or not word.text.startswith("$"):
                continue
            yield Problem(
                line=word.line,
                column=word.column,
                message=f"${names[0]} is the whole array in one of its elements, and all are "
                f"requeued; use {_ELEMENT}",
                edits=_element(script, word),
            )


def _element(script: Script, word: Word) -> tuple[Edit, ...]:
    written = script.data[word.start : word.end] if word.start >= 0 else b""
    if written.strip(b'"').lstrip(b"$").strip(b"{}").decode(errors="replace") not in _JOB_ID:
        return ()
    return (Edit(start=word.start, end=word.end, text=f'"{_ELEMENT}"'),)


def _guard(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    if "SLURM_RESTART_COUNT" in script.text:
        return
    for command in _requeues(script):
        yield Problem(
            line=command.line,
            column=command.column,
            message=f"requeueing itself {_REPEAT} was progress",
        )
    for command in script.named("sbatch"):
        if any(word.text in {"$0", "${0}", "$BASH_SOURCE"} for word in command.arguments):
            yield Problem(
                line=command.line,
                column=command.column,
                message=f"submitting itself {_REPEAT} was progress",
            )


RULES = (
    Rule(
        id="S011",
        severity=Severity.ERROR,
        title="signal to all processes of an agent launcher",
        why="Without `B:` slurmstepd signals every process of the steps: torchrun, ray and data "
        "loader workers too, which die of SIGUSR1 before a rank has saved anything.",
        source="sbatch(1), --signal; signal(7), default actions",
        check=_to_all_processes,
    ),
    Rule(
        id="S012",
        severity=Severity.ERROR,
        title="signal to the batch shell while it waits for a program",
        why="With `B:` only the batch shell is signalled, and bash runs a trap only when the "
        "command in the foreground has ended: after the time limit has killed it.",
        source="sbatch(1), --signal; bash(1), Signals",
        check=_foreground,
    ),
    Rule(
        id="S013",
        severity=Severity.WARNING,
        title="signal too short before the end",
        why="The time must cover a step, one and a half saves and the end of all processes. Slurm "
        "may signal up to 60 s early, which only helps. Below 120 s nothing large is saved.",
        source="sbatch(1), --signal; with facts: step and save times that were measured",
        check=_lead,
    ),
    Rule(
        id="S014",
        severity=Severity.WARNING,
        title="requeued jobs lose their log",
        why="A requeued job keeps its number and so its output file, which Slurm truncates unless "
        "JobFileAppend is set.",
        source="sbatch(1), --open-mode; slurm.conf(5), JobFileAppend",
        check=_append,
    ),
    Rule(
        id="S015",
        severity=Severity.ERROR,
        title="requeue of an array's element by the wrong number",
        why="The element that starts last has the array's own number as its SLURM_JOB_ID: there "
        "requeue starts every element again, those that ended well too. `<array job>_<index>` "
        "means one element.",
        source="scontrol(1), requeue; tried with 24.11",
        check=_array_element,
    ),
    Rule(
        id="S016",
        severity=Severity.WARNING,
        title="requeue without an end",
        why="A job that crashes at once and requeues itself does so until somebody looks, and "
        "holds its nodes for nothing.",
        source="sbatch(1), SLURM_RESTART_COUNT",
        check=_guard,
    ),
)
