"""Print the variables for this node, or compare the nodes of a job."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sunk_jobs.durable import write_durably
from sunk_jobs.fabric_env.adapters import Wishes
from sunk_jobs.fabric_env.choose import Choice, Options, choose
from sunk_jobs.fabric_env.compare import differences
from sunk_jobs.fabric_env.evidence import Evidence, NotEvidence, as_json, evidence, read_evidence
from sunk_jobs.fabric_env.host import Sources, examine
from sunk_jobs.hostlist import HostlistError, expand

USAGE = 2
REFUSED = 3
UNKNOWN = 95
_UNPRINTABLE = re.compile(r"[^ -~]")
_DETECT = """\
Find out what this node's fast network is, and print the variables that make NCCL (with --mpi: and
MPI) use it, as `export NAME='value'` lines with the reason above each. Warnings go to stderr.

Variables that are set already are left as they are. A GID index is never printed.

Exit codes: 0 printed; 2 usage; 95 the evidence cannot be written. `check` compares nodes.
"""
_CHECK = """\
Compare the evidence of a job's nodes, and say on stderr where they differ, field by field with the
nodes that have each value.

Exit codes: 0 alike, or nothing grave; 2 usage; 3 they differ so that the job should not start, or a
node has no evidence.
"""


def shell_lines(choice: Choice) -> Iterator[str]:
    """Yield what a shell is to evaluate: a comment with the reason above each export."""
    for one in choice.exports:
        yield f"# {_UNPRINTABLE.sub('?', one.why)}"
        yield f"export {one.name}={quoted(one.value)}"


def quoted(value: str) -> str:
    """Return a value in single quotes, whatever is in it."""
    return shlex.quote(value) if "'" in value else f"'{value}'"


def main(words: Sequence[str] | None = None) -> int:
    """Detect, or compare, and return the exit code."""
    given = list(sys.argv[1:] if words is None else words)
    if given[:1] == ["check"]:
        return _check(_check_parser().parse_args(given[1:]))
    return _detect(_detect_parser().parse_args(given), os.environ)


def _parser(prog: str, text: str) -> argparse.ArgumentParser:
    shape = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(prog=prog, description=text, formatter_class=shape)


def _detect_parser() -> argparse.ArgumentParser:
    parser = _parser("sunk_jobs.fabric_env", _DETECT)
    parser.add_argument("--evidence", type=Path, help="write what was found here, as JSON")
    parser.add_argument("--only", default="", help="names of the rails, a,b; others are none")
    parser.add_argument("--exclude", default="", help="adapters that are no rails, a,b")
    parser.add_argument("--traffic-class", type=_byte, help="of RoCE packets: DSCP times 4")
    parser.add_argument("--service-level", type=_byte, help="of InfiniBand packets")
    parser.add_argument("--queue-pairs", type=_byte, help="of each connection")
    parser.add_argument("--sharp", action="store_true", help="reductions in the switches")
    parser.add_argument("--mpi", action="store_true", help="variables of MPI, too")
    for name in ("sysfs", "proc", "dev"):
        parser.add_argument(f"--{name}", type=Path, default=Path("/", name.replace("sysfs", "sys")))
    parser.add_argument("--nvidia-smi", type=Path, help="recorded output of nvidia-smi -q")
    return parser


def _check_parser() -> argparse.ArgumentParser:
    parser = _parser("sunk_jobs.fabric_env check", _CHECK)
    parser.add_argument("--nodes", default="", help="hostlist of the nodes that should have some")
    parser.add_argument("--warn", action="store_true", help="only say what differs")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    return parser


def _byte(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", text) or int(text) > 255:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 255")
    return int(text)


def _detect(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    sources = Sources(options.sysfs, options.proc, options.dev, options.nvidia_smi)
    try:
        host = examine(sources, environment)
    except OSError as exc:
        sys.stderr.write(f"fabric_env: cannot read {exc.filename}: {exc.strerror}\n")
        return USAGE
    wishes = Wishes(_names(options.only), _names(options.exclude))
    choice = choose(
        host,
        Options(
            wishes=wishes,
            traffic_class=options.traffic_class,
            service_level=options.service_level,
            queue_pairs=options.queue_pairs,
            sharp=options.sharp,
            mpi=options.mpi,
        ),
    )
    for one in choice.warnings:
        sys.stderr.write(f"fabric_env: {host.node}: {_UNPRINTABLE.sub('?', one)}\n")
    if options.evidence is not None:
        try:
            options.evidence.parent.mkdir(parents=True, exist_ok=True)
            write_durably(options.evidence, as_json(evidence(host, choice)))
        except OSError as exc:
            sys.stderr.write(f"fabric_env: cannot write {options.evidence}: {exc.strerror}\n")
            return UNKNOWN
    sys.stdout.write("".join(f"{line}\n" for line in shell_lines(choice)))
    return 0


def _names(text: str) -> tuple[str, ...]:
    return tuple(one for one in text.split(",") if one)


def _check(options: argparse.Namespace) -> int:
    try:
        wanted = expand(options.nodes) if options.nodes else ()
    except HostlistError as exc:
        sys.stderr.write(f"fabric_env: {exc}\n")
        return USAGE
    found: list[Evidence] = []
    damaged: dict[str, str] = {}
    for file in options.files:
        try:
            found.append(read_evidence(file))
        except NotEvidence as exc:
            damaged[str(file)] = str(exc)
    differing = differences(found, wanted, damaged)
    for one in differing:
        word = "refused" if one.grave and not options.warn else "warning"
        sys.stderr.write(f"fabric_env: {word}: nodes differ in {one.words()}\n")
    grave = any(one.grave for one in differing)
    return REFUSED if grave and not options.warn else 0


if __name__ == "__main__":
    sys.exit(main())
