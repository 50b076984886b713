"""Submit calls of functions, and wait for many of them."""

from __future__ import annotations

import json
import shutil
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import cloudpickle

from sunk.errors import InputError
from sunk.toolkit.catalogue import CALL
from sunk.toolkit.executor.backend import FOLDER, Backend
from sunk.toolkit.executor.future import Future, wait_for
from sunk.toolkit.follow import REAL_CLOCK, Clock
from sunk.toolkit.parameters import validated
from sunk.toolkit.runs import make_run
from sunk.toolkit.script import render_job
from sunk_jobs.call import ABOUT, FUNCTION, arguments_file, version

T = TypeVar("T")
_COUNT = "calls"
"""The one parameter that an executor sets itself."""
_Arguments = tuple[Sequence[Any], Mapping[str, Any]]


class CallExecutor:
    """Calls functions elsewhere.

    Args:
        backend: what runs the calls.
        root: parent of run folders; on a cluster one that nodes see, too.
        parameters: of each job: ``timeLimit``, ``cpusPerTask``, ``partition``, …
        clock: time.

    Raises:
        InputError: there is no such parameter, or its value is wrong.
    """

    def __init__(
        self,
        backend: Backend,
        root: Path,
        parameters: Mapping[str, Any],
        clock: Clock = REAL_CLOCK,
    ) -> None:
        self._backend = backend
        self._root = root
        self._parameters = dict(parameters)
        self._clock = clock
        _only_known(self._parameters)
        validated(CALL.form, self._parameters, "sunk.Executor")

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Submit one call, and return what it will be.

        Raises:
            InputError: function or arguments cannot be pickled.
            RemoteError: Slurm refuses the job, or does not answer.
        """
        return self._start(function, [(args, kwargs)], None)[0]

    def map_array(
        self, function: Callable[..., T], /, *iterables: Iterable[Any]
    ) -> list[Future[T]]:
        """Submit a call for each set of arguments as one job array, in their order.

        Args:
            function: what to call.
            *iterables: its first arguments, its second ones, …; all of one length.

        Raises:
            InputError: lengths differ, or function or arguments cannot be pickled.
            RemoteError: Slurm refuses the job, or does not answer.
        """
        try:
            calls: list[_Arguments] = [(args, {}) for args in zip(*iterables, strict=True)]
        except ValueError as exc:
            raise InputError(f"map {_name(function)}: the arguments are not of one length") from exc
        return self._start(function, calls, len(calls)) if calls else []

    def as_completed(
        self, futures: Iterable[Future[T]], timeout: float | None = None
    ) -> Iterator[Future[T]]:
        """Yield calls as they end, each once.

        Args:
            futures: of this executor.
            timeout: seconds to wait at most, for all.

        Raises:
            TimeoutError: not all have ended by then.
        """
        left = list(dict.fromkeys(futures))
        until = None if timeout is None else self._clock.now() + timeout
        while left:
            rest = None if until is None else until - self._clock.now()
            ended = wait_for(partial(_ended, left), rest, self._clock)
            if not ended:
                raise TimeoutError(f"wait for {len(left)} jobs: they have not ended")
            left = [one for one in left if one not in ended]
            yield from ended

    def _start(
        self, function: Callable[..., T], calls: Sequence[_Arguments], count: int | None
    ) -> list[Future[T]]:
        made = self._parameters | ({} if count is None else {_COUNT: count})
        parameters = validated(CALL.form, made, "sunk.Executor")
        pickled = _pickle(f"function {_name(function)}", function)
        arguments = [_pickle(f"arguments of {_name(function)}", one) for one in calls]
        job = render_job(CALL, parameters)
        run = make_run(self._root, CALL, parameters, job, datetime.now(tz=UTC))
        folder = run.folder / FOLDER
        folder.mkdir()
        (folder / ABOUT).write_text(json.dumps({"python": version(), "path": _own_path()}) + "\n")
        (folder / FUNCTION).write_bytes(pickled)
        for index, one in enumerate(arguments):
            arguments_file(folder, index).write_bytes(one)
        # Functions that are pickled by value need it where they are called.
        source = Path(cloudpickle.__file__).parent
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, run.folder / source.name, ignore=ignored)
        started = self._backend.start(run)
        return [Future(call, self._backend, self._clock) for call in started]


def _ended(futures: Iterable[Future[T]]) -> list[Future[T]]:
    return [one for one in futures if one.done()]


def _only_known(parameters: Mapping[str, Any]) -> None:
    """Refuse names that are none of an executor's, and say those that are as Python writes them."""
    fields = {name: one.alias for name, one in CALL.form.model_fields.items() if name != _COUNT}
    known = {*fields, *fields.values()}
    for name in parameters:
        if name not in known:
            raise InputError(
                f"make executor: {name}: no such parameter",
                hint="parameters: " + ", ".join(sorted(fields)),
            )


def _pickle(what: str, value: object) -> bytes:
    try:
        made: bytes = cloudpickle.dumps(value)
    except Exception as exc:
        raise InputError(f"pickle {what}: {type(exc).__name__}: {exc}") from exc
    return made


def _own_path() -> list[str]:
    """Return where this program looks for modules, beside what every Python has."""
    common = tuple(sysconfig.get_paths().values())
    return [
        str(Path(entry).absolute())
        for entry in sys.path
        if entry not in common and not entry.startswith(common) and not entry.endswith(".zip")
    ]


def _name(function: Callable[..., object]) -> str:
    return getattr(function, "__qualname__", repr(function))
