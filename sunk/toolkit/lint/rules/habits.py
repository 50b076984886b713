"""Rules about habits that hurt others or tomorrow: secrets, load on Slurm, lost work."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sunk.toolkit.lint.facts import ClusterFacts
from sunk.toolkit.lint.model import Problem, Rule, Severity
from sunk.toolkit.lint.python_scan import unsafe_saves
from sunk.toolkit.lint.script import Command, Script
from sunk.toolkit.lint.shape import time_limit_seconds
from sunk.toolkit.lint.words import Kind, Word

_SECRET_NAME = re.compile(
    r"(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY|SECRET_KEY|PRIVATE_KEY|CREDENTIALS?)$",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"\b(hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|sk-[A-Za-z0-9_-]{20,}"
    r"|AKIA[0-9A-Z]{16}|glpat-[\w-]{16,}|xox[bap]-[\w-]{16,}|nvapi-[\w-]{20,})"
)
_PLACEHOLDER = re.compile(r"[<>{}*]|\.\.\.|x{4}|your|changeme|example|dummy|redacted", re.I)
_HEX_KEY = re.compile(r"[0-9a-f]{40}")
_LEAST_SECRET = 8
_ASKS = frozenset({"sbatch", "squeue", "scontrol", "sacct", "sinfo", "sstat"})
_LOCAL_VERBS = frozenset({"hostnames", "hostname", "hostlist", "hostlistsorted"})
_PATIENT_SECONDS = 60
_MANY_ELEMENTS = 100
_RANGE = re.compile(r"(\d+)(?:-(\d+)(?::(\d+))?)?")
_LOCAL_FOLDER = re.compile(r"^(/tmp|/var/tmp|/dev/shm|/local|/scratch/local|\$\{?TMPDIR\}?)(/|$)")
_KEEPS = re.compile(r"(ckpt|checkpoint|save|snapshot)", re.IGNORECASE)
_NOT_A_PLACE = re.compile(r"interval|every|freq|steps|total|limit|format|strategy|flag", re.I)


def _secrets(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    seen: set[int] = set()
    for line, column, name in _secret_places(script):
        if line in seen:
            continue
        seen.add(line)
        yield Problem(
            line=line,
            column=column,
            message=f"{name} stands in the script, which Slurm keeps and others may read; read it "
            "from a file with mode 600 when the job runs",
        )


def _secret_places(script: Script) -> Iterator[tuple[int, int, str]]:
    for setting in script.settings:
        if _SECRET_NAME.search(setting.name) and _is_secret(setting.word):
            yield setting.line, setting.column, f"the value of {setting.name}"
    for command in script.commands:
        words = command.words
        if command.name == "wandb" and len(words) > 2 and words[1].text == "login":
            for word in words[2:]:
                if _HEX_KEY.fullmatch(word.text):
                    yield word.line, word.column, "a key"
    for number, line in enumerate(script.lines, start=1):
        if matched := _SECRET_VALUE.search(line):
            yield number, matched.start() + 1, "a token"


def _is_secret(word: Word) -> bool:
    text = word.text
    if not word.constant or len(text) < _LEAST_SECRET or _PLACEHOLDER.search(text):
        return False
    if text.startswith(("/", "~", "./", "http")) or any(char.isspace() for char in text):
        return False
    return not text.isdigit()


def _storm(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    for command in script.named(*_ASKS):
        loops = script.loops(command)
        if not loops or _is_local(command):
            continue
        if command.name != "sbatch" and _is_patient(script, loops):
            continue
        instead = (
            "submit one array" if command.name == "sbatch" else "ask once for all, or every minute"
        )
        yield Problem(
            line=command.line,
            column=command.column,
            message=f"{command.name} in a loop loads the controller for everybody; {instead}",
        )


def _is_local(command: Command) -> bool:
    words = {word.text for word in command.arguments}
    return command.name == "scontrol" and bool(words & _LOCAL_VERBS)


def _is_patient(script: Script, loops: frozenset[int]) -> bool:
    for sleep in script.named("sleep"):
        if not loops & script.loops(sleep) or len(sleep.words) < 2:
            continue
        text = sleep.words[1].text
        number = text.rstrip("smh")
        factor = {"m": 60, "h": 3600}.get(text[-1:], 1)
        if number.isascii() and number.isdigit() and int(number[:9]) * factor >= _PATIENT_SECONDS:
            return True
        if sleep.words[1].parts and sleep.words[1].parts[0].kind is not Kind.TEXT:
            return True  # a pause that grows
    return False


def _array(script: Script, facts: ClusterFacts) -> Iterator[Problem]:
    asked = script.directives.last("array")
    if asked is None:
        return
    indices, percent, _ = (asked.value or "").partition("%")
    size, highest = _elements(indices)
    problems = []
    if facts.max_array_size is not None and highest >= facts.max_array_size:
        problems.append(
            f"index {highest} is not below the cluster's MaxArraySize {facts.max_array_size}, so "
            "sbatch refuses it; split the array"
        )
    if not percent and size > _MANY_ELEMENTS:
        problems.append(
            f"{size} elements and no limit on how many run at once; add one: %{_THROTTLE}"
        )
    limit = time_limit_seconds(script)
    if limit is not None and limit < 60 and size > 1:
        problems.append(
            "elements shorter than a minute cost more to schedule than to run; let each do several"
        )
    for message in problems:
        yield Problem(line=asked.line, column=asked.column, message=message)


_THROTTLE = 32


def _elements(text: str) -> tuple[int, int]:
    """Return how many elements there are and the highest index."""
    size, highest = 0, 0
    for item in text.split(","):
        matched = _RANGE.fullmatch(item.strip())
        if matched is None or len(item) > 40:
            continue
        first = int(matched[1])
        last = int(matched[2] or first)
        size += max(0, last - first) // max(1, int(matched[3] or 1)) + 1
        highest = max(highest, last)
    return size, highest


def _chain(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    directives = script.directives
    again = directives.has("requeue") or any(
        word.text == "requeue" for one in script.named("scontrol") for word in one.arguments
    )
    if not again:
        return
    message = (
        "a job that failed once ends those that wait for afterok, also when it succeeds after a "
        "requeue by hand; use afterany and check the result, or --kill-on-invalid-dep with care"
    )
    asked = directives.last("dependency")
    if asked is not None and "afterok" in (asked.value or ""):
        yield Problem(line=asked.line, column=asked.column, message=message)
    for command in script.named("sbatch"):
        if any("afterok" in word.text for word in command.arguments):
            yield Problem(line=command.line, column=command.column, message=message)


def _node_local(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    seen: set[int] = set()
    for word, name in _places(script):
        if not _LOCAL_FOLDER.match(word.text) or word.line in seen or _copied(script, word.text):
            continue
        seen.add(word.line)
        yield Problem(
            line=word.line,
            column=word.column,
            message=f"{name} is on the node's own disk and lost when the job starts again "
            "elsewhere; use shared storage, or copy it there",
        )


def _places(script: Script) -> Iterator[tuple[Word, str]]:
    for setting in script.settings:
        if _KEEPS.search(setting.name) and not _NOT_A_PLACE.search(setting.name):
            yield setting.word, setting.name
    for command in script.commands:
        words = command.words
        for number, word in enumerate(words):
            name, equals, _ = word.text.partition("=")
            if not name.startswith("--") or not _KEEPS.search(name) or _NOT_A_PLACE.search(name):
                continue
            if equals:
                value = Word(_behind(word, len(name) + 1), word.line, word.column)
                yield value, name
            elif number + 1 < len(words):
                yield words[number + 1], name


def _behind(word: Word, count: int) -> tuple:  # type: ignore[type-arg]
    first, *rest = word.parts
    cut = type(first)(first.kind, first.text[count:], first.name, first.default, first.quoted)
    return (cut, *rest) if cut.text else tuple(rest)


def _copied(script: Script, place: str) -> bool:
    for command in script.named("cp", "rsync", "mv", "tar", "aws", "gsutil", "rclone"):
        for word in command.arguments[:-1]:
            if word.text.rstrip("/").startswith(place.rstrip("/")):
                return True
    return False


def _torn(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    for command in script.commands:
        if not command.name.startswith("python"):
            continue
        for text, line in _python(command):
            for number, what in unsafe_saves(text):
                yield Problem(line=line + number - 1 if line else command.line, message=what)
        for word in command.arguments:
            program = script.programs.get(word.text, "")
            for number, what in unsafe_saves(program):
                yield Problem(
                    line=word.line,
                    column=word.column,
                    message=f"{word.text}:{number}: {what}",
                )


def _python(command: Command) -> Iterator[tuple[str, int]]:
    if command.here is not None:
        yield command.here.word.text, command.here.line
    words = command.words
    for number, word in enumerate(words[:-1]):
        if word.text == "-c":
            yield words[number + 1].text, words[number + 1].line
            return


RULES = (
    Rule(
        id="S051",
        severity=Severity.ERROR,
        title="secret in the script",
        why="Slurm stores scripts and may store their environment for accounting; scripts lie on "
        "shared file systems and in version control.",
        source="slurm.conf(5), AccountingStoreFlags=job_script; sacct(1), --batch-script",
        check=_secrets,
    ),
    Rule(
        id="S052",
        severity=Severity.WARNING,
        title="Slurm's commands in a loop",
        why="Each call is a request to the one controller that schedules everybody's jobs.",
        source="sbatch(1), squeue(1), PERFORMANCE",
        check=_storm,
    ),
    Rule(
        id="S053",
        severity=Severity.WARNING,
        title="array too large, unlimited, or of tiny tasks",
        why="An index must be below MaxArraySize. A large array without `%` takes every free "
        "node at once, and tasks under a minute keep the scheduler busy with itself.",
        source="sbatch(1), --array; slurm.conf(5), MaxArraySize",
        check=_array,
    ),
    Rule(
        id="S054",
        severity=Severity.WARNING,
        title="afterok on a job that requeues",
        why="While the job is requeued its dependents wait. When it fails once, their dependency "
        "can never be met, even if it is run again.",
        source="sbatch(1), --dependency",
        check=_chain,
    ),
    Rule(
        id="S055",
        severity=Severity.WARNING,
        title="checkpoints on a node's own disk",
        why="A requeued job starts on other nodes and finds nothing.",
        source="the meaning of /tmp and TMPDIR on clusters",
        check=_node_local,
    ),
    Rule(
        id="S056",
        severity=Severity.WARNING,
        title="checkpoint that can be torn",
        why="A job killed while torch.save writes leaves half a file under the good name; all "
        "ranks writing one path leave a mixture.",
        source="rename(2), torch.save's documentation",
        check=_torn,
    ),
)
