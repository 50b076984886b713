"""Rules about ``#SBATCH`` lines: read at all, and read as meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from sunk.toolkit.lint.directives import Directive, Fault, FaultKind
from sunk.toolkit.lint.facts import ClusterFacts, minutes_of
from sunk.toolkit.lint.model import Edit, Problem, Rule, Severity
from sunk.toolkit.lint.options import SBATCH, SPANK
from sunk.toolkit.lint.script import Script
from sunk.toolkit.lint.shape import line_start

_EXPANSION = re.compile(r"\$[A-Za-z_{(]|`")
_FREE_TEXT = frozenset({"comment", "wrap", "extra"})
_ADDS_UP = frozenset({"mail-type", "verbose", "quiet"})
_CLOSE = 0.75
"""Likeness (difflib) above which an unknown name is taken for a misspelling."""
_MAKES_FOLDERS = (24, 11)
"""Release that was seen to make missing folders of the output."""
_BOM = b"\xef\xbb\xbf"


def _late(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    inside = _lines_of_texts(script)
    stop = script.directives.last_line + 1
    for line in script.directives.late:
        if line not in inside:
            yield Problem(
                line=line,
                message=f"sbatch stopped reading at line {stop}, so this does nothing; "
                "move it above the first command",
            )


def _lines_of_texts(script: Script) -> set[int]:
    """Return the lines inside here-documents and strings: other scripts, not this one's."""
    found: set[int] = set()
    waiting = [script.root] if script.root is not None else []
    while waiting:
        node = waiting.pop()
        if node.type in {"heredoc_body", "string", "raw_string"}:
            found |= set(range(node.start_point[0] + 1, node.end_point[0] + 2))
        elif node.end_point[0] > node.start_point[0]:
            waiting += node.children
    return found


def _expansion(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    for option in script.directives.options:
        if option.name not in _FREE_TEXT and _EXPANSION.search(option.value or ""):
            yield Problem(
                line=option.line,
                column=option.column,
                message=f"sbatch takes {option.value} to the letter; write the value, or give "
                "the option on sbatch's command line",
            )


def _output_folder(script: Script, facts: ClusterFacts) -> Iterator[Problem]:
    made = _folders_made(script)
    makes = facts.release is not None and facts.release >= _MAKES_FOLDERS
    for option in script.directives.options:
        path = option.value or ""
        folder = path.rpartition("/")[0]
        if option.name not in {"output", "error"} or not folder or _EXPANSION.search(path):
            continue
        severity: Severity | None = Severity.WARNING
        if facts.folders.get(folder) is False:
            severity = None
            words = f"there is no folder {folder} and the job may not make it"
        elif makes or folder in facts.folders:
            continue
        elif folder.rstrip("/").removeprefix("./") in made:
            words = f"the script makes {folder} after Slurm opened the file"
        elif not folder.startswith(("/", "%")) and not script.directives.has("chdir"):
            words = f"{folder} counts from the folder that sbatch is called in"
        else:
            continue
        yield Problem(
            line=option.line,
            column=option.column,
            severity=severity,
            message=f"{words}, and without it the job may fail and leave no log; use a folder that "
            "exists, as an absolute path",
        )


def _folders_made(script: Script) -> set[str]:
    words = (word for command in script.named("mkdir") for word in command.arguments)
    return {word.text.rstrip("/").removeprefix("./") for word in words if word.constant}


def _file_form(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    data = script.data
    if data.startswith(_BOM):
        yield Problem(
            line=1,
            message="the file begins with a byte order mark, so its first line is not #!; "
            "save it as plain UTF-8",
            edits=(Edit(start=0, end=len(_BOM), text=""),),
        )
    if not data.strip():
        yield Problem(line=1, message="the script is empty; sbatch refuses it")
        return
    if not data.removeprefix(_BOM).startswith(b"#!"):
        start = len(_BOM) if data.startswith(_BOM) else 0
        yield Problem(
            line=1,
            message="the first line names no interpreter and sbatch refuses the script; "
            "begin it with #!/bin/bash",
            edits=(Edit(start=start, end=start, text="#!/bin/bash\n"),),
        )
    if (at := data.find(b"\r\n")) >= 0:
        yield Problem(
            line=data.count(b"\n", 0, at) + 1,
            message="lines end the DOS way (CR LF) and sbatch refuses the script; "
            "convert it: sed -i 's/\\r$//'",
            edits=tuple(
                Edit(start=found.start(), end=found.start() + 1, text="")
                for found in re.finditer(rb"\r\n", data)
            ),
        )
    if (at := data.find(b"\0")) >= 0:
        yield Problem(
            line=data.count(b"\n", 0, at) + 1,
            message="the script holds a NUL character and sbatch refuses it; remove it",
        )


def _lookalike(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    for line in script.directives.lookalikes:
        yield Problem(
            line=line,
            message="this is a comment to sbatch: only #SBATCH in the first column counts; "
            "mend or remove it",
        )
    for fault in script.directives.faults:
        if fault.kind is FaultKind.COLON:
            yield Problem(
                line=fault.line,
                column=fault.column,
                severity=Severity.ERROR,
                message="a colon behind #SBATCH: sbatch refuses the script; remove the colon",
            )


def _twice(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    seen: dict[tuple[int, str], Directive] = {}
    for option in script.directives.options:
        key = (option.component, option.name)
        before = seen.get(key)
        seen[key] = option
        if before is None or before.value == option.value or option.name in _ADDS_UP:
            continue
        yield Problem(
            line=option.line,
            column=option.column,
            message=f"--{option.name} is {before.value} in line {before.line} and "
            f"{option.value} here, and the last one wins; keep one",
        )


def _unknown(script: Script, facts: ClusterFacts) -> Iterator[Problem]:
    for fault in script.directives.faults:
        if fault.kind is not FaultKind.COLON:
            problem = _explain(fault, facts)
            if problem is not None:
                yield problem
    yield from _too_new(script, facts)
    for option in script.directives.options:
        if not option.abbreviated:
            continue
        start = line_start(script, option.line)
        before = script.lines[option.line - 1][: option.column - 1]
        at = start + len(before.encode())
        written = option.written.encode()
        exact = script.data[at : at + len(written)] == written
        edit = Edit(start=at, end=at + len(written), text=f"--{option.name}")
        yield Problem(
            line=option.line,
            column=option.column,
            severity=Severity.WARNING,
            message=f"{option.written} is short for --{option.name} only until Slurm has another "
            "option that begins so; write it out",
            edits=(edit,) if exact else (),
        )


def _too_new(script: Script, facts: ClusterFacts) -> Iterator[Problem]:
    for option in script.directives.options:
        form = SBATCH.get(option.name)
        if form is None or form.since is None or facts.release is None:
            continue
        if facts.release < form.since:
            year, month = form.since
            yield Problem(
                line=option.line,
                column=option.column,
                message=f"--{option.name} came with Slurm {year}.{month:02d}, and this cluster is "
                "older",
            )


def _explain(fault: Fault, facts: ClusterFacts) -> Problem | None:
    severity = None
    if fault.kind is FaultKind.AMBIGUOUS:
        words = f"{fault.text} may mean --{', --'.join(fault.candidates)}; write it out"
    elif fault.kind is FaultKind.NO_VALUE:
        words = f"{fault.text} needs a value"
    elif fault.kind is FaultKind.UNWANTED_VALUE:
        words = f"{fault.text} takes no value"
    elif fault.kind is FaultKind.STRAY_WORD:
        words = f"sbatch refuses the word {fault.text[:60]!r} here; remove it, or quote the value"
    elif fault.kind is FaultKind.QUOTE:
        words = f"the quote {fault.text} is not closed on this line and sbatch refuses the script"
    elif fault.text.lstrip("-") in facts.sbatch_options:
        return None  # an option of a plugin, which sbatch itself lists
    else:
        name = fault.text.lstrip("-")
        near = difflib.get_close_matches(name, sorted({*SBATCH, *SPANK}), n=1, cutoff=_CLOSE)
        words = f"sbatch has no option {fault.text}"
        if near:
            words += f"; it may mean --{near[0]}"
        elif not facts.sbatch_options:
            severity = Severity.WARNING
            words += ", unless a plugin of the cluster brings it; sbatch --help lists them all"
    return Problem(line=fault.line, column=fault.column, severity=severity, message=words)


def _time(script: Script, facts: ClusterFacts) -> Iterator[Problem]:
    directives = script.directives
    asked = directives.last("time")
    if asked is None:
        yield Problem(
            line=1,
            message="no --time: the partition's default may be minutes, or days that no gap "
            "fits; give a limit",
        )
        return
    partition = (directives.value("partition") or facts.default_partition or "").split(",")[0]
    limit = facts.partition_max_minutes.get(partition)
    minutes = minutes_of(asked.value or "")
    if limit is None or minutes is None or directives.has("time-min"):
        return
    if minutes >= limit:
        yield Problem(
            line=asked.line,
            column=asked.column,
            message=f"--time is the longest that partition {partition} allows, so the job fits "
            "few gaps; give --time-min too, if it can be cut short",
        )


_READ = "sbatch's own reading of scripts; sbatch(1)"

RULES = (
    Rule(
        id="S001",
        severity=Severity.ERROR,
        title="#SBATCH after the first command",
        why="sbatch reads options up to the first line that is neither empty nor a comment. Those "
        "below are lost without a word: the job runs with the defaults.",
        source=_READ,
        check=_late,
    ),
    Rule(
        id="S002",
        severity=Severity.ERROR,
        title="variable or command in an #SBATCH line",
        why="No shell reads these lines. `$HOME` or `$(date)` reaches Slurm as these very "
        "characters: a folder of that name, or an option that is refused.",
        source=_READ,
        check=_expansion,
    ),
    Rule(
        id="S003",
        severity=Severity.ERROR,
        title="output goes to a folder that may not exist",
        why="Slurm opens the output before the script's first line runs. A folder that it can "
        "neither find nor make fails the job at once, and no log says why. Not every release makes "
        "missing folders (24.11 does), so without facts what may be missing is a warning.",
        source="sbatch(1), filename pattern; tried with 24.11",
        check=_output_folder,
    ),
    Rule(
        id="S004",
        severity=Severity.ERROR,
        title="the file is no script to sbatch",
        why="sbatch refuses a script without `#!`, with DOS line ends, with a NUL character, or "
        "without a word in it; a byte order mark hides the `#!`.",
        source=_READ,
        check=_file_form,
    ),
    Rule(
        id="S005",
        severity=Severity.WARNING,
        title="comment that looks like a directive",
        why="`# SBATCH`, `##SBATCH` or an indented line is a comment. With a colon, `#SBATCH:`, "
        "sbatch refuses the script.",
        source=_READ,
        check=_lookalike,
    ),
    Rule(
        id="S006",
        severity=Severity.WARNING,
        title="the same option twice with different values",
        why="The last one wins, whatever its spelling (`-N` and `--nodes`). One of the two is not "
        "what its author thinks.",
        source="getopt_long(3), sbatch(1)",
        check=_twice,
    ),
    Rule(
        id="S007",
        severity=Severity.ERROR,
        title="option that sbatch does not know, or only as an abbreviation",
        why="sbatch refuses the script. A unique beginning of a name works today, and stops when "
        "a release brings another option that begins so.",
        source="getopt_long(3), sbatch(1)",
        check=_unknown,
    ),
    Rule(
        id="S008",
        severity=Severity.WARNING,
        title="no time limit, or the partition's longest",
        why="The default limit is the partition's: often far too short or far too long. The "
        "backfill scheduler starts early what is known to end early.",
        source="sbatch(1), --time and --time-min; sched_config",
        check=_time,
    ),
)
