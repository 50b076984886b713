"""A program in two verbs: on each node or rank say what is there, once judge what all said.

What was said is in a folder that the job's nodes share, a file of JSON for each that speaks.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from sunk_jobs.nodes.seen import Seen
from sunk_jobs.outputs.durable import write_durably
from sunk_jobs.placement.hostlist import HostlistError, checked, expand

WELL = 0
WRONG = 1
USAGE = 2
UNKNOWN = 95

_Said = TypeVar("_Said", bound=Seen)


def parsers(
    program: str, description: str, say: str
) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser, argparse.ArgumentParser]:
    """Return the parser of a program, and those of its verbs: that which says, and ``judge``.

    Args:
        program: its name.
        description: its docstring.
        say: the verb that says.
    """
    parser = argparse.ArgumentParser(prog=program, description=description)
    verbs = parser.add_subparsers(dest="verb", required=True)
    speaker = verbs.add_parser(say, help="on each: write down what is there")
    judge = verbs.add_parser("judge", help="once: say what is wrong")
    for one in (speaker, judge):
        one.add_argument("--folder", type=Path, required=True, help="shared by the job's nodes")
    judge.add_argument("--nodes", required=True, help="hostlist of the nodes that have to speak")
    return parser, speaker, judge


def keep(folder: Path, name: str, said: Seen) -> None:
    """Write down what one says, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    write_durably(folder / f"{name}.json", json.dumps(asdict(said), sort_keys=True) + "\n")


def read(
    folder: Path, build: Callable[[Mapping[str, Any]], _Said], tell: Callable[[str], object]
) -> list[_Said]:
    """Return what was said, in the order of the files' names.

    Args:
        folder: where it was written down.
        build: makes one of the fields in its file; what it raises of `KeyError`, `TypeError` and
            `ValueError` is damage.
        tell: gets a line for each file that is damaged; such a one is left out.
    """
    found = []
    for file in sorted(folder.glob("*.json")):
        try:
            one = build(json.loads(file.read_text()))
            checked(one.node)
            found.append(one)
        except (OSError, ValueError, TypeError, KeyError) as exc:
            tell(f"read {file}: damaged: {type(exc).__name__}: {exc}")
    return found


def pass_judgement(
    program: str,
    options: argparse.Namespace,
    said: Callable[[Path], Sequence[_Said]],
    judge: Callable[[Sequence[_Said], tuple[str, ...]], Mapping[str, Any]],
) -> int:
    """Judge what was said, print the record as one line of JSON, and return the exit code.

    Args:
        program: its name, for what it cannot do.
        options: `--folder` and `--nodes`.
        said: reads the folder.
        judge: from what was said, at least by one, and the job's nodes to a record; its ``faults``
            say whether something is wrong.
    """
    try:
        nodes = expand(options.nodes)
    except HostlistError as exc:
        sys.stderr.write(f"{program}: {exc}\n")
        return USAGE
    found = said(options.folder)
    if not found:
        sys.stderr.write(f"{program}: judge {options.folder}: nobody said anything there\n")
        return UNKNOWN
    record = judge(found, nodes)
    sys.stdout.write(json.dumps(record, sort_keys=True) + "\n")
    return WRONG if record["faults"] else WELL
