"""Rules about what each rank gets to see: its number, its threads, its partners' readiness."""

from __future__ import annotations

from collections.abc import Iterator

from sunk.toolkit.lint.facts import ClusterFacts
from sunk.toolkit.lint.launch import MPI_LAUNCHERS, option
from sunk.toolkit.lint.model import Problem, Rule, Severity
from sunk.toolkit.lint.script import Command, Script
from sunk.toolkit.lint.shape import steps, tasks_per_node, uses_mpi, uses_nccl, work
from sunk.toolkit.lint.words import Word

_OF_A_TASK = ("SLURM_PROCID", "SLURM_NODEID", "SLURM_LOCALID")
_LEAST_SLEEP_SECONDS = 5
_PLAIN = frozenset({"hostname", "date", "true", "echo", "bash", "sh", "nvidia-smi"})


def _expanded_early(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    read: dict[Command | None, list[Word]] = {}
    for command in script.commands:
        if command.here is not None and not command.here.quoted:
            step = command if command.name == "srun" else command.started_by("srun")
            read.setdefault(step, []).append(command.here.word)
    for step in steps(script):
        if step.context.level:
            continue
        for word in (*step.words[step.step.rest :], *read.get(step, ())):
            name = word.expands(*_OF_A_TASK)
            if name is None:
                continue
            yield Problem(
                line=word.line,
                column=word.column,
                message=f"the batch shell puts in its own ${name}, 0 for every rank; let the task "
                f"expand it: srun bash -c '… \"${name}\" …' in single quotes",
            )
            break


def _threads(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    if {"OMP_NUM_THREADS", "MKL_NUM_THREADS"} & script.variables:
        return
    for command in script.agents:
        workers = option(command.words, "--nproc_per_node", "--num_gpus", "--num_processes")
        if command.agent == "ray" or workers is None or workers.text == "1":
            continue
        yield _threads_at(command, "torchrun sets 1 when it is unset")
        return
    for command in work(script):
        if command.agent or command.name in MPI_LAUNCHERS or command.name != "srun":
            continue
        program = command.words[command.step.rest :]
        if not program or program[0].text.rsplit("/", 1)[-1] in _PLAIN:
            continue
        if (tasks_per_node(script, command) or 0) > 1:
            yield _threads_at(command, "each process starts as many threads as it sees CPUs")
            return


def _threads_at(command: Command, what: str) -> Problem:
    return Problem(
        line=command.line,
        column=command.column,
        message=f"several processes on a node and no OMP_NUM_THREADS: {what}; export it, for "
        "example as $SLURM_CPUS_PER_TASK",
    )


def _survivors(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    if not (uses_nccl(script) or uses_mpi(script) or script.agents):
        return
    message = (
        "--no-kill keeps the job alive when a node dies, and the other ranks wait for it in the "
        "next collective; remove it"
    )
    asked = script.directives.last("no-kill")
    if asked is not None and asked.value != "off":
        yield Problem(line=asked.line, column=asked.column, message=message)
    for step in steps(script):
        if step.step.has("no-kill") and step.step.value("no-kill") != "off":
            yield Problem(line=step.line, column=step.column, message=message)


def _sleeps(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    started: dict[int, int] = {}
    for one in _launches(script):
        if script.in_background(one) or one.agent == "ray":
            started.setdefault(one.context.level, one.line)
    for command in script.named("sleep"):
        seconds = command.words[1] if len(command.words) > 1 else None
        if seconds is None or command.context.loop or _seconds(seconds) < _LEAST_SLEEP_SECONDS:
            continue
        if started.get(command.context.level, command.line) < command.line:
            yield Problem(
                line=command.line,
                column=command.column,
                message="a fixed sleep is too short on a bad day and too long on every other; ask "
                "until what was started is ready",
            )


def _launches(script: Script) -> Iterator[Command]:
    for command in script.commands:
        if command.name == "srun" or command.agent or command.name in MPI_LAUNCHERS:
            yield command


def _seconds(word: Word) -> float:
    text = word.text
    factor = {"s": 1, "m": 60, "h": 3600}.get(text[-1:], 0)
    digits = text[:-1] if factor else text
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        return 0
    return int(digits) * (factor or 1)


RULES = (
    Rule(
        id="S027",
        severity=Severity.ERROR,
        title="a task's number expanded by the batch shell",
        why="In double quotes, or as a plain argument, `$SLURM_PROCID` is replaced before srun "
        "starts anything: the batch shell's value, 0, on every rank.",
        source="bash(1), Quoting; sbatch(1), environment of the batch script",
        check=_expanded_early,
    ),
    Rule(
        id="S057",
        severity=Severity.WARNING,
        title="threads of several processes on a node not set",
        why="OpenMP and the mathematical libraries start a thread for each CPU that they see, "
        "times the processes of the node; torchrun silently sets 1.",
        source="OpenMP's OMP_NUM_THREADS; torchrun's source",
        check=_threads,
    ),
    Rule(
        id="S063",
        severity=Severity.WARNING,
        title="collective job that outlives its nodes",
        why="With `--no-kill` Slurm leaves the job when a node fails. Collectives need every "
        "rank, so the rest hangs until the time limit.",
        source="sbatch(1), --no-kill",
        check=_survivors,
    ),
    Rule(
        id="S064",
        severity=Severity.WARNING,
        title="sleep as a barrier",
        why="Between the start of a server and its clients a fixed sleep is a race.",
        source="the practice of Ray and parameter servers under Slurm",
        check=_sleeps,
    ),
)
