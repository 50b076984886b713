"""Rules about how processes of several nodes find each other."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sunk.errors import InputError
from sunk.model.hostlist import expand
from sunk.toolkit.lint.facts import ClusterFacts
from sunk.toolkit.lint.launch import option
from sunk.toolkit.lint.model import Problem, Rule, Severity
from sunk.toolkit.lint.script import Command, Script, Setting
from sunk.toolkit.lint.shape import most_nodes, node_range
from sunk.toolkit.lint.words import Kind, Word

_HOSTNAME = re.compile(r"\$\(\s*(/bin/|/usr/bin/)?hostname\b[^|;&]*\)|`\s*hostname\b[^|;&]*`")
_LOCAL = ("localhost", "127.0.0.1")
_OR_LOCAL = re.compile(r"\|\|\s*(echo|printf)\s+[\"']?(localhost|127\.0\.0\.1)")
_AGREED = re.compile(r"c10d|etcd")
_PORT_NUMBER = re.compile(r"(\d{2,5})")
_PORT_OPTIONS = ("--master_port", "--main_process_port", "--rdzv_port")
_MANY_NODES = 10
_NUMBERED = re.compile(r"(.*?)(\d+)$")
_ADDRESS = ("MASTER_ADDR", "MAIN_ADDR", "HEAD_NODE_IP", "head_node_ip")
_RESUMES = re.compile(r"resume|checkpoint|ckpt|--load\b|snapshot|restart", re.IGNORECASE)


def _own_name(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    one_node = most_nodes(script) == 1 and script.directives.has("nodes")
    for setting in script.sets(*_ADDRESS):
        if _HOSTNAME.search(setting.word.text) or setting.word.expands(
            "HOSTNAME", "SLURMD_NODENAME"
        ):
            if one_node or setting.context.level:
                continue
            yield _at(
                setting,
                "the batch shell's host is rank 0's only by luck; take the first name of "
                "scontrol show hostnames, or the host that the rank map gives",
            )
    for word in _all_words(script):
        if word.expands("SLURM_LAUNCH_NODE_IPADDR"):
            yield Problem(
                line=word.line,
                column=word.column,
                message="SLURM_LAUNCH_NODE_IPADDR exists in steps only and is the address of "
                "srun's host, not of rank 0's; use the first of scontrol show hostnames",
            )


def _all_words(script: Script) -> Iterator[Word]:
    for setting in script.settings:
        yield setting.word
    seen: set[tuple[int, int]] = set()
    for command in script.commands:
        if command.name == "srun":
            continue  # its program's words come by themselves
        for word in command.words:
            if (word.line, word.column) not in seen:
                seen.add((word.line, word.column))
                yield word


def _at(setting: Setting, message: str) -> Problem:
    return Problem(line=setting.line, column=setting.column, message=message)


def _fallback(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    nodes = most_nodes(script) if script.directives.has("nodes") else None
    if nodes == 1:
        return
    for setting in script.sets("MASTER_ADDR", "MAIN_ADDR"):
        text = setting.word.text
        or_else = any(part.default in _LOCAL for part in setting.word.parts)
        if or_else or _OR_LOCAL.search(text) or (text in _LOCAL and (nodes or 0) > 1):
            yield _at(
                setting,
                "with this every node makes a world of its own and trains on; let the job fail "
                "when the address is not known",
            )


def _rank_ignored(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    for command in _torchruns(script):
        backend = _backend(command)
        given = option(command.words, "--node_rank")
        if _AGREED.match(backend) and given is not None:
            yield Problem(
                line=given.line,
                column=given.column,
                message=f"the {backend} rendezvous ignores --node-rank and orders nodes by name; "
                "use --rdzv-backend=static with --master-addr, or drop it",
            )


def _torchruns(script: Script) -> Iterator[Command]:
    return (command for command in script.agents if command.agent == "torchrun")


def _backend(command: Command) -> str:
    word = option(command.words, "--rdzv_backend")
    return word.text if word is not None else "static"


def _scrambled(script: Script, facts: ClusterFacts) -> Iterator[Problem]:
    if (most_nodes(script) or 0) <= _MANY_NODES:
        return
    names = facts.node_names
    if (listed := script.directives.value("nodelist")) and "/" not in listed:
        try:
            names = tuple(expand(listed))
        except InputError:
            return
    if not _unpadded(names):
        return
    for command in _torchruns(script):
        if _AGREED.match(_backend(command)):
            yield Problem(
                line=command.line,
                column=command.column,
                message="c10d orders nodes by their names as text, so node 10 comes before node "
                "2; use --rdzv-backend=static with a node rank of your own",
            )


def _unpadded(names: tuple[str, ...]) -> bool:
    widths: dict[str, set[int]] = {}
    for name in names:
        if matched := _NUMBERED.fullmatch(name):
            widths.setdefault(matched[1], set()).add(len(matched[2]))
    return any(len(found) > 1 for found in widths.values())


def _fixed_port(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    seen: set[int] = set()
    for word in _ports(script):
        if word.line in seen:
            continue
        seen.add(word.line)
        yield Problem(
            line=word.line,
            column=word.column,
            message="a fixed port meets other jobs on a shared node, and this job's own last run "
            "after a requeue; derive it: $((20000 + SLURM_JOB_ID % 20000))",
        )


def _ports(script: Script) -> Iterator[Word]:
    for setting in script.sets("MASTER_PORT", "MAIN_PORT", "RAY_PORT"):
        if _is_port(setting.word):
            yield setting.word
    for command in script.agents:
        words = command.words
        for name in _PORT_OPTIONS:
            given = option(words, name)
            if given is not None and _is_port(given):
                yield given
        endpoint = option(words, "--rdzv_endpoint")
        if endpoint is not None and _ends_in_port(endpoint):
            yield endpoint
        if command.agent == "ray" and any(word.text == "start" for word in words):
            given = option(words, "--port") or option(words, "--address")
            if given is not None and (_is_port(given) or _ends_in_port(given)):
                yield given


def _is_port(word: Word) -> bool:
    if word.constant:
        return _PORT_NUMBER.fullmatch(word.text) is not None
    (part, *more) = word.parts
    return not more and bool(part.default and _PORT_NUMBER.fullmatch(part.default))


def _ends_in_port(word: Word) -> bool:
    last = word.parts[-1] if word.parts else None
    if last is None or last.kind is not Kind.TEXT:
        return False
    return re.search(r":\d{2,5}$", word.text) is not None


def _restarts(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    for command in _torchruns(script):
        given = option(command.words, "--max_restarts")
        backend = _backend(command)
        if given is not None and (given.number or 0) > 0 and backend == "static":
            if option(command.words, "--standalone") or _is_standalone(command):
                continue
            yield Problem(
                line=given.line,
                column=given.column,
                message="the static rendezvous cannot be entered twice, so restarts hang; use "
                "--max-restarts=0 and requeue the job, or --rdzv-backend=c10d",
            )
        nodes = option(command.words, "--nnodes")
        text = " ".join(word.text for word in command.words)
        if nodes is not None and ":" in nodes.text and not _RESUMES.search(text):
            yield Problem(
                line=nodes.line,
                column=nodes.column,
                message="an elastic start begins the program again on every change of nodes; give "
                "it a checkpoint to resume from, or a fixed --nnodes",
            )


def _is_standalone(command: Command) -> bool:
    return any(word.text == "--standalone" for word in command.words)


def _assumed_nodes(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    asked = node_range(script)
    if asked is None or asked[0] == asked[1]:
        return
    found: list[Word] = [
        given
        for command in script.agents
        if (given := option(command.words, "--nnodes", "--num_nodes", "--num_machines"))
    ]
    found += [one.word for one in script.sets("WORLD_SIZE", "NNODES", "NUM_NODES")]
    for command in script.named("srun", "mpirun", "mpiexec"):
        given = option(command.words, "-np", "--np") if command.name != "srun" else None
        found += [given] if given else []
    for word in found:
        if word.number is not None:
            yield Problem(
                line=word.line,
                column=word.column,
                message=f"the job may get {asked[0]} to {asked[1]} nodes and this says "
                f"{word.text}; take the number from SLURM_JOB_NUM_NODES",
            )


RULES = (
    Rule(
        id="S026",
        severity=Severity.WARNING,
        title="rank 0's address taken from the batch shell's host",
        why="The batch shell runs on the first node of the allocation, rank 0 on the first node of "
        "the step's order. With another distribution or a rank map they differ.",
        source="srun(1), SLURM_LAUNCH_NODE_IPADDR and --distribution",
        check=_own_name,
    ),
    Rule(
        id="S028",
        severity=Severity.WARNING,
        title="localhost where the address is missing",
        why="If the look-up fails, each node meets itself, and N separate trainings end without "
        "an error.",
        source="torch.distributed, env:// initialisation",
        check=_fallback,
    ),
    Rule(
        id="S029",
        severity=Severity.WARNING,
        title="node rank with a rendezvous that ignores it",
        why="c10d and etcd give ranks by the order of host names. A topology-aware order given "
        "with --node-rank is thrown away without a word.",
        source="torchrun's documentation and source: dynamic rendezvous",
        check=_rank_ignored,
    ),
    Rule(
        id="S030",
        severity=Severity.WARNING,
        title="ranks in the order of unpadded names",
        why="As text, w-10 sorts before w-2. Neighbouring ranks end up on distant switches.",
        source="torchrun's source: participants are sorted by name",
        check=_scrambled,
    ),
    Rule(
        id="S031",
        severity=Severity.WARNING,
        title="fixed port",
        why="29500, 29400 and 6379 are everybody's. On a shared node two jobs meet; after a "
        "requeue the old socket may still linger.",
        source="torchrun's and ray's defaults; tcp(7), TIME_WAIT",
        check=_fixed_port,
    ),
    Rule(
        id="S032",
        severity=Severity.WARNING,
        title="restarts inside the job that cannot work",
        why="The static rendezvous has no second round, and an elastic restart runs the program "
        "from its beginning: without a checkpoint, data are seen twice.",
        source="torchrun's documentation: --max-restarts, elastic launch",
        check=_restarts,
    ),
    Rule(
        id="S062",
        severity=Severity.WARNING,
        title="range of nodes with a launcher that assumes a number",
        why="Slurm gives any number in the range. The launcher waits for nodes that never come, "
        "or leaves some idle.",
        source="sbatch(1), --nodes",
        check=_assumed_nodes,
    ),
)
