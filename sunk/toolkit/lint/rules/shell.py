"""Rules about the shell: exit codes, and what stops a script half way."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from sunk.toolkit.lint.facts import ClusterFacts
from sunk.toolkit.lint.model import Problem, Rule, Severity
from sunk.toolkit.lint.script import Command, Script
from sunk.toolkit.lint.shape import modules, work

_AFTERWARDS = frozenset(
    {
        *("echo", "printf", "date", "rm", "cp", "mv", "ls", "true", ":", "sleep", "cat", "tar"),
        *(
            "module",
            "deactivate",
            "conda",
            "mkdir",
            "touch",
            "sacct",
            "seff",
            "rsync",
            "cd",
            "sync",
        ),
    }
)
"""Commands that say nothing of how the work ended."""
_UNBOUND = re.compile(r"(^|/)(\.bashrc|\.bash_profile|conda\.sh|activate)$")
_STATUS = re.compile(r"\$\?|\$\{\?\}")


def _exit_code(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    works = [command for command in work(script) if not command.context.level]
    if not works:
        return
    if not (_option_set(script, "pipefail") or "-o pipefail" in script.lines[0]):
        for command in works:
            if _feeds_a_pipe(command):
                yield Problem(
                    line=command.line,
                    column=command.column,
                    message=f"the pipe's status is that of its last command, so a failure of "
                    f"{command.name} is lost; begin the script with set -eo pipefail",
                )
    if _stops_on_errors(script):
        return
    last = next((one for one in reversed(script.commands) if _at_the_end(one)), None)
    if last is not None and last.name in _AFTERWARDS:
        yield Problem(
            line=last.line,
            column=last.column,
            message=f"the job ends with the status of this {last.name}, so a failure above it "
            "counts as success; begin the script with set -e",
        )


def _at_the_end(command: Command) -> bool:
    context = command.context
    return not (context.level or context.function or context.substitution or context.background)


def _feeds_a_pipe(command: Command) -> bool:
    node: Node | None = command.node
    while node is not None and node.parent is not None:
        parent = node.parent
        if parent.type == "pipeline":
            return bool(parent.named_children[-1] != node)
        if parent.type not in {"redirected_statement", "subshell", "compound_statement", "list"}:
            return False
        node = parent
    return False


def _stops_on_errors(script: Script) -> bool:
    shebang = script.lines[0].split()
    given = any(re.fullmatch(r"-[a-z]*e[a-z]*", word) for word in shebang[1:])
    return given or _option_set(script, "errexit", "e")


def _option_set(script: Script, name: str, letter: str = "") -> bool:
    return any(
        state
        for command in script.named("set")
        if not command.context.level and (state := set_option(command, name, letter)) is not None
    )


def set_option(command: Command, name: str, letter: str) -> bool | None:
    """Return whether a ``set`` turns an option on or off, None when it does neither."""
    found: bool | None = None
    words = [word.text for word in command.arguments]
    at = 0
    while at < len(words) and words[at][:1] in {"-", "+"} and words[at] != "--":
        word = words[at]
        at += 1
        if letter and letter in word[1:]:
            found = word[0] == "-"
        if "o" in word[1:]:  # the name of an option is the next word
            if words[at : at + 1] == [name]:
                found = word[0] == "-"
            at += 1
    return found


def _wait_status(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    if not any(_arms(command) for command in script.named("trap")):
        return
    for command in script.named("wait"):
        if not command.context.level and _status_is_used(command):
            yield Problem(
                line=command.line,
                column=command.column,
                message="a trap ends wait with a status above 128 that is not the program's; let "
                "the background part write its status to a file and read that",
            )


def _arms(trap: Command) -> bool:
    words = [word.text for word in trap.arguments]
    if len(words) < 2 or words[0] in {"", "-"}:
        return False
    signals = {word.upper().removeprefix("SIG") for word in words[1:]}
    return bool(signals - {"EXIT", "0", "ERR", "DEBUG", "RETURN"}) and not trap.context.level


def _status_is_used(command: Command) -> bool:
    node = command.node
    while node.parent is not None and node.parent.type in {
        "redirected_statement",
        "negated_command",
    }:
        node = node.parent
    parent = node.parent
    if parent is None:
        return False
    if parent.type == "list":
        right = parent.named_children[-1]
        return right != node and bool(_STATUS.search(_text(right)))
    if parent.type in {"if_statement", "elif_clause"}:
        return any(node == one for one in parent.children_by_field_name("condition"))
    behind = node.next_named_sibling
    while behind is not None and behind.type == "comment":
        behind = behind.next_named_sibling
    if behind is None:
        return parent.type == "program"
    return bool(_STATUS.search(_text(behind)))


def _text(node: Node) -> str:
    return (node.text or b"").decode(errors="replace")


def _modules(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    seen: set[int] = set()
    loads = list(modules(script))
    for name, command in loads:
        if "/" in name or name.startswith("$") or command.line in seen:
            continue
        seen.add(command.line)
        yield Problem(
            line=command.line,
            column=command.column,
            message=f"module {name} without a version is whatever the site's default is that day; "
            "name the version",
        )
    cleared = any(
        word.text in {"purge", "reset", "restore"}
        for command in script.named("module", "ml")
        for word in command.arguments
    )
    if loads and not cleared and not seen:
        first = loads[0][1]
        yield Problem(
            line=first.line,
            column=first.column,
            message="modules of the shell that called sbatch are still loaded; begin with "
            "module purge",
        )


def _unset_variables(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    strict = bool(re.search(r"\s-[a-z]*u", script.lines[0]))
    for command in script.commands:
        if command.name == "set":
            state = set_option(command, "nounset", "u")
            strict = strict if state is None else state
        elif strict and (what := _reads_unset(command)):
            yield Problem(
                line=command.line,
                column=command.column,
                message=f"{what} reads variables that may not be set, and set -u ends the script "
                "there; put set +u before it and set -u behind it",
            )


def _reads_unset(command: Command) -> str:
    words = [word.text for word in command.words]
    if command.name in {"conda", "mamba", "micromamba"} and words[1:2] in (
        ["activate"],
        ["deactivate"],
    ):
        return f"{command.name} {words[1]}"
    if command.name in {"source", "."} and len(words) > 1:
        return _sourced(words[1])
    if command.name == "eval" and "conda" in " ".join(words) and "hook" in " ".join(words):
        return "conda's hook"
    return ""


def _sourced(path: str) -> str:
    matched = _UNBOUND.search(path)
    if matched is None:
        return ""
    if matched[2] != "activate":
        return path
    # A virtual environment's own script copes with set -u, conda's old one does not.
    return path if path == "activate" or "conda" in path else ""


RULES = (
    Rule(
        id="S009",
        severity=Severity.WARNING,
        title="a failure of the work does not fail the job",
        why="Slurm takes the exit status of the script's last command. A trailing `echo` or `cp` "
        "makes a FAILED job COMPLETED, and `afterok` starts what needs its results.",
        source="sbatch(1); bash(1), set -e and pipefail",
        check=_exit_code,
    ),
    Rule(
        id="S010",
        severity=Severity.WARNING,
        title="exit status from wait while traps are armed",
        why="A signal with a trap ends `wait` at once, with 128 plus its number; waiting again "
        "may report that number too. A planned save is then taken for a crash.",
        source="bash(1), Signals; measured with bash 5.2: 4 of 400 runs wrong at two signals",
        check=_wait_status,
    ),
    Rule(
        id="S058",
        severity=Severity.WARNING,
        title="modules without a version, or on top of others",
        why="The run cannot be repeated: defaults change, and what the login shell had loaded "
        "comes along.",
        source="the practice of HPC centres; module(1)",
        check=_modules,
    ),
    Rule(
        id="S059",
        severity=Severity.WARNING,
        title="conda or a start file under set -u",
        why="Their scripts read variables that may be unset. Under `set -u` that ends the job, "
        "with a line number of a file that is not yours.",
        source="bash(1), set -u; scripts of conda",
        check=_unset_variables,
    ),
)
