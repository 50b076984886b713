"""One element of a job array: its settings from a frozen file, and a mark when it is done.

``run --settings FILE --sha256 DIGEST --index I --folder OUT -- PROGRAM…`` starts the program with
``{key}`` in its words replaced by the element's settings. What the program needs beside is in its
environment: ``SETTINGS_FILE``, the element's own settings as JSON, and ``OUTPUT_DIR``, its folder.
An element with the mark ``done`` is passed over, so a submission of the same array resumes it.

Exit codes: the program's; 0 also when the element was done before; 93 the file is another one than
when the job was made, or has no such element.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sunk_jobs.outputs.durable import write_durably

NO_RESTART = 93
DONE = "done"
_KEY = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


class SweepError(ValueError):
    """The settings cannot be used; the message says why."""


def element(text: bytes, digest: str, index: int) -> dict[str, Any]:
    """Return the settings of one element.

    Raises:
        SweepError: the file has changed since the job was made, or has no such element.
    """
    found = hashlib.sha256(text).hexdigest()
    if found != digest:
        raise SweepError(f"the settings have changed: sha256 {found[:12]}, not {digest[:12]}")
    elements = json.loads(text)
    if not 0 <= index < len(elements):
        raise SweepError(f"element {index} of {len(elements)}")
    settings: dict[str, Any] = elements[index]
    return settings


def filled(words: Sequence[str], settings: Mapping[str, Any]) -> list[str]:
    """Return a program's words with the settings in place; other braces stay as they are."""

    def value(match: re.Match[str]) -> str:
        key = match[1]
        if key not in settings:
            return match[0]
        found = settings[key]
        return found if isinstance(found, str) else json.dumps(found)

    return [_KEY.sub(value, word) for word in words]


def main(words: Sequence[str] | None = None) -> int:
    """Run one element and return its exit code."""
    given = list(sys.argv[1:] if words is None else words)
    cut = given.index("--") if "--" in given else len(given)
    parser = argparse.ArgumentParser(prog="sunk_jobs.sweep", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="run one element; the program follows behind --")
    run.add_argument("--settings", type=Path, required=True)
    run.add_argument("--sha256", required=True)
    run.add_argument("--index", type=int, required=True)
    run.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args(given[:cut])
    if not given[cut + 1 :]:
        parser.error("no program behind --")
    try:
        settings = element(options.settings.read_bytes(), options.sha256, options.index)
    except (OSError, SweepError) as exc:
        sys.stderr.write(f"sweep: {exc}\n")
        return NO_RESTART
    return _run(options.folder / str(options.index), settings, given[cut + 1 :])


def _run(folder: Path, settings: Mapping[str, Any], program: Sequence[str]) -> int:
    mark = folder / DONE
    if mark.exists():
        sys.stdout.write(f"element {folder.name} is done: {mark}\n")
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    own = folder / "settings.json"
    write_durably(own, json.dumps(settings, sort_keys=True) + "\n")
    variables = {"SETTINGS_FILE": str(own.absolute()), "OUTPUT_DIR": str(folder.absolute())}
    sys.stdout.flush()
    words = filled(program, settings)
    status = subprocess.run(words, env={**os.environ, **variables}, check=False).returncode
    if status == 0:
        write_durably(mark, "")
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
