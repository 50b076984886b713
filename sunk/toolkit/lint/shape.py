"""Questions that several rules ask about a script: its size, and what kind of job it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sunk.toolkit.lint.facts import seconds_of
from sunk.toolkit.lint.launch import MPI_LAUNCHERS
from sunk.toolkit.lint.model import Edit
from sunk.toolkit.lint.script import Command, Script
from sunk.toolkit.lint.words import Word, number_in

_COUNT = re.compile(r"(\d+)([kKmM]?)")
_SUFFIX = {"": 1, "k": 1024, "m": 1024 * 1024}
_NCCL = re.compile(
    r"nccl|torch\.distributed|\b(all_reduce|all_gather|reduce_scatter|alltoall|sendrecv)_perf\b",
    re.IGNORECASE,
)
_MPI_MODULE = re.compile(r"(^|[-_/])(openmpi|mpich|mvapich2?|impi|intel-?mpi|mpi4py)", re.I)
_MPI_WORD = re.compile(r"mpi4py|(^|/)\w+_mpi$")
_INTEL = re.compile(r"(^|[-_/])(impi|intel-?mpi|intel-oneapi-mpi)", re.I)
_SIGNAL = re.compile(r"(?:(?P<where>[BR]+):)?(?P<name>[A-Za-z0-9+]+)(?:@(?P<lead>\d+))?")
SIGNAL_DEFAULT_LEAD_SECONDS = 60
"""sbatch(1), --signal."""


def count(text: str | None) -> int | None:
    """Return a count as Slurm writes it, ``2`` or ``1k``."""
    matched = _COUNT.fullmatch(text or "")
    return int(matched[1]) * _SUFFIX[matched[2].lower()] if matched else None


def node_range(script: Script) -> tuple[int, int] | None:
    """Return the least and most nodes that the job asks for, None when the text does not say."""
    text = script.directives.value("nodes")
    if text is None:
        several = script.directives.has("ntasks", "nodelist", "nodefile")
        return None if several else (1, 1)
    low, dash, high = text.partition("-")
    least, most = count(low), count(high) if dash else count(low)
    return (least, most) if least is not None and most is not None else None


def most_nodes(script: Script) -> int | None:
    """Return the most nodes that the job asks for, None when the text does not say."""
    found = node_range(script)
    return found[1] if found else None


def several_nodes(script: Script) -> bool:
    """Return whether the job surely asks for more than one node."""
    return (most_nodes(script) or 0) > 1


def tasks_per_node(script: Script, step: Command | None = None) -> int | None:
    """Return how many tasks a node gets, of a step or of the job; None when nobody says."""
    if step is not None:
        if (own := count(step.step.value("ntasks-per-node"))) is not None:
            return own
        tasks, nodes = count(step.step.value("ntasks")), count(step.step.value("nodes"))
        if tasks is not None:
            return -(-tasks // (nodes or most_nodes(script) or 1))
    directives = script.directives
    if (asked := count(directives.value("ntasks-per-node"))) is not None:
        return asked
    tasks = count(directives.value("ntasks"))
    if tasks is None:
        return None
    nodes = most_nodes(script) if directives.has("nodes") else None
    return -(-tasks // nodes) if nodes else None


def cpus_per_task(script: Script) -> int | None:
    """Return --cpus-per-task of the job."""
    return count(script.directives.value("cpus-per-task"))


def is_array(script: Script) -> bool:
    """Return whether the job is an array."""
    return script.directives.has("array")


def uses_nccl(script: Script) -> bool:
    """Return whether the text shows NCCL: its variables, its tests, or torch's launchers."""
    if any(name.startswith(("NCCL_", "TORCH_NCCL_")) for name in script.variables):
        return True
    if any(command.agent in {"torchrun", "deepspeed"} for command in script.agents):
        return True
    words = (word.text for command in script.commands for word in command.words)
    return any(_NCCL.search(text) for text in words if len(text) < 200)


def modules(script: Script) -> Iterator[tuple[str, Command]]:
    """Return the environment modules that the script loads."""
    for command in script.named("module", "ml"):
        words = [word.text for word in command.arguments if not word.text.startswith("-")]
        if command.name == "module":
            if words[:1] not in (["load"], ["add"]):
                continue
            words = words[1:]
        elif words[:1] == ["load"]:
            words = words[1:]
        elif words[:1] and words[0] in {"purge", "reset", "list", "avail", "use", "unload", "show"}:
            continue
        for name in words:
            yield name, command


def uses_mpi(script: Script) -> bool:
    """Return whether the text shows an MPI program."""
    if any(True for _ in script.named(*MPI_LAUNCHERS, "mpicc", "mpicxx", "mpif90")):
        return True
    if any(_MPI_MODULE.search(name) for name, _ in modules(script)):
        return True
    words = (word.text for command in script.commands for word in command.words)
    return any(_MPI_WORD.search(text) for text in words if len(text) < 200)


def uses_intel_mpi(script: Script) -> bool:
    """Return whether the text shows Intel's MPI."""
    loaded = any(_INTEL.search(name) for name, _ in modules(script))
    return loaded or any(name.startswith("I_MPI_") for name in script.variables)


def steps(script: Script) -> Iterator[Command]:
    """Return the srun commands that run in the batch shell."""
    for command in script.named("srun"):
        if command.started_by("srun") is None:
            yield command


def work(script: Script) -> Iterator[Command]:
    """Return the commands that do the job's work, as the batch shell starts them."""
    for command in script.commands:
        if command.parent is not None and command.parent.name in {"srun", *MPI_LAUNCHERS}:
            continue
        if command.context.substitution or command.started_by("srun", *MPI_LAUNCHERS):
            continue
        named = command.name == "srun" or command.name in MPI_LAUNCHERS or command.agent
        if named or command.name.startswith("python"):
            yield command


def signal_of(script: Script) -> tuple[str, str, int, int] | None:
    """Return where (``B``, ``R``), name without SIG, lead seconds and line of --signal."""
    asked = script.directives.last("signal")
    matched = _SIGNAL.fullmatch(asked.value or "") if asked else None
    if asked is None or matched is None:
        return None
    lead = number_in(matched["lead"])
    name = matched["name"].upper().removeprefix("SIG")
    seconds = SIGNAL_DEFAULT_LEAD_SECONDS if lead is None else lead
    return matched["where"] or "", name, seconds, asked.line


def time_limit_seconds(script: Script) -> int | None:
    """Return --time in seconds."""
    return seconds_of(script.directives.value("time") or "")


def insert_after(word: Word, text: str) -> tuple[Edit, ...]:
    """Return the edit that puts text behind a word, none when it does not stand in the file."""
    return (Edit(start=word.end, end=word.end, text=text),) if word.end >= 0 else ()


def line_start(script: Script, line: int) -> int:
    """Return the byte at which a line begins."""
    at = 0
    for _ in range(line - 1):
        at = script.data.find(b"\n", at) + 1
    return at
