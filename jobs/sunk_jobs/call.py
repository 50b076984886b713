"""Call one function that a program submitted, and leave its result.

The folder, made at submission, holds ``call.json`` (which Python made it, and where it looked for
modules), ``function.pkl``, and ``<index>.arguments.pkl``. The call leaves ``<index>.result.pkl``,
whole or not at all: what was returned, or the exception and its traceback. Whoever waits need not
ask Slurm once it is there. Pickles are read only from this folder, which is its user's own.

Exit codes: 0 it returned; 1 it raised; 93 it cannot be called here: another version of Python, or
a module that is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sunk_jobs.outputs.durable import put_in_place

ABOUT = "call.json"
FUNCTION = "function.pkl"
RAISED = 1
NO_RESTART = 93


class CallError(Exception):
    """A function cannot be called here; the message says why."""


@dataclass(frozen=True)
class Result:
    """What a call came to.

    Attributes:
        payload: the pickled value, or the pickled exception; None when it cannot be pickled.
        error: the traceback; None when the function returned.
    """

    payload: bytes | None
    error: str | None = None


def arguments_file(folder: Path, index: int) -> Path:
    """Return where the arguments of a call are."""
    return folder / f"{index}.arguments.pkl"


def result_file(folder: Path, index: int) -> Path:
    """Return where the result of a call will be."""
    return folder / f"{index}.result.pkl"


def version() -> str:
    """Return this Python's version, as far as pickled functions depend on it."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def read_result(folder: Path, index: int) -> Result | None:
    """Return the result of a call, or None while there is none.

    Raises:
        CallError: the file is not a result.
    """
    file = result_file(folder, index)
    try:
        raw = pickle.loads(file.read_bytes())  # noqa: S301 - written by the call, in its own folder
        return Result(payload=raw["payload"], error=raw["error"])
    except FileNotFoundError:
        return None
    except Exception as exc:
        raise CallError(f"read {file}: {type(exc).__name__}: {exc}") from exc


def write_result(folder: Path, index: int, result: Result) -> None:
    """Write the result of a call under its name once all of it is on the disk."""
    target = result_file(folder, index)
    draft = folder / f".{target.name}.{os.getpid()}"
    draft.write_bytes(pickle.dumps({"payload": result.payload, "error": result.error}))
    put_in_place(draft, target)


def call(folder: Path, index: int) -> tuple[Result, int]:
    """Call a function and return what it came to, and the exit code that says so."""
    try:
        function, arguments, named = _load(folder, index)
    except Exception:  # noqa: BLE001 - whatever a module raises when it is loaded
        return Result(payload=None, error=traceback.format_exc()), NO_RESTART
    try:
        value = function(*arguments, **named)
    except BaseException as exc:  # noqa: BLE001 - sys.exit() in a function is its result, too
        # The first frame is this one.
        frames = exc.__traceback__.tb_next if exc.__traceback__ is not None else None
        text = "".join(traceback.format_exception(type(exc), exc, frames))
        return Result(payload=_pickled_error(exc), error=text), RAISED
    try:
        return Result(payload=_pickled(value)), 0
    except Exception:  # noqa: BLE001 - whatever a value's own pickling raises
        return Result(payload=None, error=traceback.format_exc()), RAISED


def _load(folder: Path, index: int) -> tuple[Any, Sequence[Any], dict[str, Any]]:
    about = json.loads((folder / ABOUT).read_text())
    if about["python"] != version():
        raise CallError(f"the function was pickled by Python {about['python']}, not {version()}")
    sys.path.extend(path for path in about["path"] if path not in sys.path)
    function = pickle.loads((folder / FUNCTION).read_bytes())  # noqa: S301 - see above
    arguments, named = pickle.loads(  # noqa: S301 - see above
        arguments_file(folder, index).read_bytes()
    )
    return function, arguments, named


def _pickled(value: object) -> bytes:
    """Pickle a value, by cloudpickle where the function brought it along."""
    # Copied beside the run by who submitted; without it, pickle does for most results.
    try:
        import cloudpickle  # noqa: PLC0415
    except ImportError:
        return pickle.dumps(value)
    made: bytes = cloudpickle.dumps(value)
    return made


def _pickled_error(exc: BaseException) -> bytes | None:
    try:
        made = _pickled(exc)
        pickle.loads(made)  # noqa: S301 - some exceptions pickle, and cannot be made again
    except Exception:  # noqa: BLE001 - whatever an exception's own pickling raises
        return None
    return made


def main(words: Sequence[str] | None = None) -> int:
    """Call, leave the result, and return the exit code."""
    parser = argparse.ArgumentParser(prog="sunk_jobs.call", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--index", type=int, default=0)
    options = parser.parse_args(words)
    result, status = call(options.folder, options.index)
    write_result(options.folder, options.index, result)
    if result.error is not None:
        sys.stderr.write(result.error)
    return status


if __name__ == "__main__":
    sys.exit(main())
