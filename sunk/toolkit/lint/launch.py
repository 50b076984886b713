"""Programs that start programs: where their own options end and the other's words begin."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sunk.toolkit.lint.options import SRUN, OptionForm, Takes, canonical, letters, match_long
from sunk.toolkit.lint.words import Word

SHELLS = frozenset({"bash", "sh", "dash", "ksh", "zsh"})
MPI_LAUNCHERS = frozenset(
    {"mpirun", "mpiexec", "orterun", "prun", "mpiexec.hydra", "mpirun_rsh", "mpiexec.mpich"}
)
AGENTS = frozenset({"torchrun", "accelerate", "deepspeed", "ray", "colossalai"})
"""Launchers with workers of their own, one on each node."""
CONTAINERS = frozenset({"apptainer", "singularity"})
_TORCH_MODULES = frozenset({"torch.distributed.run", "torch.distributed.launch"})
_AGENT_MODULES = _TORCH_MODULES | {"accelerate.commands.launch", "deepspeed.launcher.runner"}
_LETTERS = letters(SRUN)

_WITH_VALUE: dict[str, frozenset[str]] = {
    "env": frozenset({"-u", "-C", "-S", "--unset", "--chdir"}),
    "nice": frozenset({"-n", "--adjustment"}),
    "ionice": frozenset({"-c", "-n"}),
    "timeout": frozenset({"-k", "-s", "--kill-after", "--signal"}),
    "numactl": frozenset({"-m", "-N", "-C", "-p", "-i"}),
    "stdbuf": frozenset({"-i", "-o", "-e"}),
    "sudo": frozenset({"-u", "-g"}),
    "time": frozenset({"-f", "-o"}),
    "exec": frozenset({"-a"}),
    "xargs": frozenset({"-n", "-P", "-I", "-L", "-a", "-d", "-s"}),
    "setpriv": frozenset(),
    **dict.fromkeys(("nohup", "command", "builtin", "setsid", "chronic", "unbuffer"), frozenset()),
}
_OPERANDS = {"timeout": 1, "taskset": 1, "chrt": 1}
_WITH_VALUE |= {"taskset": frozenset(), "chrt": frozenset()}
_MPI_VALUES = frozenset(
    {
        *("-n", "-np", "--np", "-c", "-N", "-npernode", "--npernode", "-ppn", "--ppn", "-perhost"),
        *("-host", "--host", "-H", "-hosts", "-hostfile", "--hostfile", "-machinefile", "-f"),
        *("--machinefile", "-x", "--map-by", "-map-by", "--bind-to", "-bind-to", "--rank-by"),
        *("-wdir", "--wdir", "-iface", "--prefix", "-prefix", "--output-filename", "--report"),
        *("-rmk", "-launcher", "-bootstrap", "--bootstrap", "-genvlist", "-envlist", "-path"),
        *("--timeout", "--personality", "--oversubscribe-by", "-rf", "--rankfile", "-npersocket"),
    }
)
_MPI_TWO = frozenset({"--mca", "-mca", "-genv", "-env", "--prtemca", "--pmixmca", "--gmca"})
_CONTAINER_VALUES = frozenset(
    {
        *("-B", "--bind", "--mount", "--env", "--env-file", "-H", "--home", "--pwd", "-W"),
        *("--workdir", "--overlay", "-o", "--scratch", "-S", "--network", "--hostname", "--app"),
        *("--security", "--nvccli", "--fusemount"),
    }
)
_CONTAINER_VERBS = frozenset({"exec", "run", "shell"})
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOptions:
    """What an srun or salloc was given.

    Attributes:
        values: long name -> the last value, None for options without one.
        words: long name -> the word that held it.
        rest: index of the program's word.
    """

    values: dict[str, str | None]
    words: dict[str, Word]
    rest: int

    def has(self, *names: str) -> bool:
        """Return whether any of these is given."""
        return any(name in self.values for name in names)

    def value(self, name: str) -> str | None:
        """Return an option's value; None when it is absent or has none."""
        return self.values.get(name)


def read_step_options(words: Sequence[Word]) -> StepOptions:
    """Return the options of srun, as getopt_long(3) reads them, up to the program."""
    values: dict[str, str | None] = {}
    holders: dict[str, Word] = {}
    at = 1
    while at < len(words):
        word = words[at]
        text = word.text
        if text == "--":
            at += 1
            break
        if not text.startswith("-") or text == "-":
            break
        at += 1
        found = _read_long(text) if text.startswith("--") else _read_short(text)
        for form, value in found:
            taken = value
            if taken is None and form.takes is Takes.REQUIRED and at < len(words):
                taken = words[at].text
                at += 1
            name = canonical(form.name)
            values[name] = taken
            holders[name] = word
    return StepOptions(values=values, words=holders, rest=at)


def _read_long(text: str) -> list[tuple[OptionForm, str | None]]:
    name, equals, value = text[2:].partition("=")
    form = match_long(name, SRUN).form
    return [] if form is None else [(form, value if equals else None)]


def _read_short(text: str) -> list[tuple[OptionForm, str | None]]:
    found: list[tuple[OptionForm, str | None]] = []
    rest = text[1:]
    while rest:
        form = _LETTERS.get(rest[0])
        rest = rest[1:]
        if form is None:
            break
        if form.takes is not Takes.NONE:
            found.append((form, rest or None))
            break
        found.append((form, None))
    return found


def inner_words(name: str, words: Sequence[Word]) -> Sequence[Word]:
    """Return the words of the program that a launcher starts, empty when it starts none.

    Args:
        name: base name of the launcher.
        words: its whole command.
    """
    if name in {"srun", "salloc"}:
        return words[read_step_options(words).rest :]
    if name in MPI_LAUNCHERS:
        return words[_behind_options(words, _MPI_VALUES, _MPI_TWO) :]
    if name in CONTAINERS:
        return _in_container(words)
    if name in _WITH_VALUE:
        at = _behind_options(words, _WITH_VALUE[name], frozenset())
        if name == "env":
            while at < len(words) and _ASSIGNMENT.match(words[at].text):
                at += 1
        return words[at + _OPERANDS.get(name, 0) :]
    return ()


def _behind_options(words: Sequence[Word], one: frozenset[str], two: frozenset[str]) -> int:
    at = 1
    while at < len(words) and words[at].text.startswith("-") and len(words[at].text) > 1:
        text = words[at].text
        at += 1
        if text == "--":
            break
        if text in two:
            at += 2
        elif text in one:
            at += 1
    return min(at, len(words))


def _in_container(words: Sequence[Word]) -> Sequence[Word]:
    verb = next((n for n, word in enumerate(words) if word.text in _CONTAINER_VERBS), None)
    if verb is None:
        return ()
    behind = verb + _behind_options(words[verb:], _CONTAINER_VALUES, frozenset())
    return words[behind + 1 :]


def shell_text(words: Sequence[Word]) -> Word | None:
    """Return the word that a shell is given to run, as in ``bash -c WORD``."""
    for number, word in enumerate(words[1:], start=1):
        text = word.text
        if not text.startswith("-"):
            return None
        if not text.startswith("--") and text.endswith("c"):
            return words[number + 1] if number + 1 < len(words) else None
    return None


def agent(name: str, words: Sequence[Word]) -> str:
    """Return the agent launcher that a command is: torchrun, ray, …; empty when it is none."""
    if name in AGENTS:
        return name
    if name.startswith("python"):
        texts = [word.text for word in words[:8]]
        for flag, module in itertools.pairwise(texts):
            if flag == "-m" and module in _AGENT_MODULES:
                return "torchrun" if module in _TORCH_MODULES else module.split(".")[0]
    return ""


def option(words: Sequence[Word], *names: str) -> Word | None:
    """Return the value of a program's option, ``--name value`` or ``--name=value``.

    Dashes and underscores inside a long name are the same, as in torchrun. The last one wins.
    """
    wanted = {name.lstrip("-").replace("_", "-") for name in names}
    found: Word | None = None
    for number, word in enumerate(words):
        text = word.text
        if not text.startswith("-"):
            continue
        name, equals, _ = text.partition("=")
        if name.lstrip("-").replace("_", "-") not in wanted:
            continue
        if equals:
            found = _behind_equals(word)
        elif number + 1 < len(words):
            found = words[number + 1]
    return found


def _behind_equals(word: Word) -> Word:
    parts = list(word.parts)
    while parts:
        before, equals, after = parts[0].text.partition("=")
        if equals and not before.startswith("$"):
            first = type(parts[0])(parts[0].kind, after, parts[0].name, None, parts[0].quoted)
            parts[0:1] = [first] if after else []
            break
        parts.pop(0)
    return Word(tuple(parts), word.line, word.column, word.start, word.end)
