"""Lint one script: pure, from bytes and facts to findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sunk.toolkit.lint.facts import NO_FACTS, ClusterFacts
from sunk.toolkit.lint.ignores import read_ignores
from sunk.toolkit.lint.model import Finding, Problem, Rule
from sunk.toolkit.lint.reader import read_script
from sunk.toolkit.lint.rules import RULES
from sunk.toolkit.lint.script import Script

_ALWAYS = frozenset({"P003"})
"""Rules that no comment can ignore."""


def lint_bytes(
    path: str,
    data: bytes,
    facts: ClusterFacts = NO_FACTS,
    programs: Mapping[str, str] | None = None,
) -> tuple[Finding, ...]:
    """Return what is wrong with a script, sorted by place and rule.

    Args:
        path: how the file is called in findings.
        data: its bytes; any bytes will do.
        facts: of the cluster that it is for.
        programs: text of the Python programs that it runs, by the word that names them.
    """
    script = read_script(data)
    script.programs = dict(programs or {})
    return lint_script(path, script, facts)


def lint_script(path: str, script: Script, facts: ClusterFacts = NO_FACTS) -> tuple[Finding, ...]:
    """Return what is wrong with a script that was read before."""
    ignores = read_ignores(script)
    found: set[Finding] = set()
    for rule in RULES.values():
        for problem in rule.check(script, facts):
            ignored = any(one.covers(rule.id, problem.line) for one in ignores)
            if not ignored or rule.id in _ALWAYS:
                found.add(_finding(path, script, rule, problem))
    return tuple(sorted(found, key=_order))


def _order(finding: Finding) -> tuple[int, int, str, str]:
    return (finding.line, finding.column, finding.rule, finding.message)


def _finding(path: str, script: Script, rule: Rule, problem: Problem) -> Finding:
    # Behind the last line end there is no line to point at.
    count = len(script.lines) - (1 if len(script.lines) > 1 and not script.lines[-1] else 0)
    line = min(max(problem.line, 1), count)
    return Finding(
        path=path,
        rule=rule.id,
        severity=problem.severity or rule.severity,
        line=line,
        column=problem.column,
        message=problem.message,
        source_line=script.lines[line - 1].strip(),
        edits=problem.edits,
    )


def wanted_folders(script: Script) -> Iterator[str]:
    """Return the absolute folders that the job's output goes to, for whoever can look."""
    for option in script.directives.options:
        folder = (option.value or "").rpartition("/")[0]
        if option.name in {"output", "error"} and folder.startswith("/") and "%" not in folder:
            yield folder


def wanted_programs(script: Script) -> Iterator[str]:
    """Return the Python programs that the script runs, as written."""
    for command in script.commands:
        if command.name.startswith("python") or command.agent:
            for word in command.arguments:
                if word.constant and word.text.endswith(".py"):
                    yield word.text
