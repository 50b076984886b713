"""A small task graph on threads: what can overlap does, the first error stops the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from sunk.errors import SunkError
from sunk.progress import Reporter, Step, step


class Stopped(SunkError):
    """A task ended early because another one failed or the person asked for an end."""


class Stop:
    """Whether running tasks should end; shared by all tasks of one run."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask every task to end."""
        self._event.set()

    def check(self) -> None:
        """Return at once, or end the caller.

        Raises:
            Stopped: the run is ending.
        """
        if self._event.is_set():
            raise Stopped("stop: another step failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One step of the work.

    Attributes:
        name: shown to people, and how others refer to it.
        work: gets its step and the results of the tasks that it names in `after`.
        after: names of tasks that must have ended well.
        lane: tasks of one lane never overlap (for what uses all cores by itself).
    """

    name: str
    work: Callable[[Step, Mapping[str, Any]], Any]
    after: tuple[str, ...] = ()
    lane: str | None = None


def run_tasks(
    tasks: tuple[Task, ...], reporter: Reporter, stop: Stop, *, threads: int
) -> dict[str, Any]:
    """Run all tasks, earlier ones first, and return their results by name.

    On the first error no further task starts, running ones are asked to end and waited for, and
    the error is raised; so too on KeyboardInterrupt.

    Raises:
        ValueError: tasks name unknown ones or wait for each other (a bug).
    """
    _check(tasks)
    done: dict[str, Any] = {}
    waiting = list(tasks)
    running: dict[Future[Any], Task] = {}
    with ThreadPoolExecutor(max_workers=threads) as pool:
        try:
            while waiting or running:
                for task in _ready(waiting, done, list(running.values()), threads):
                    waiting.remove(task)
                    results = {name: done[name] for name in task.after}
                    running[pool.submit(_run, task, results, reporter, stop)] = task
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                _raise_first(list(finished), stop)
                for future in finished:
                    done[running.pop(future).name] = future.result()
        except BaseException:
            stop.set()
            raise
    return done


def _raise_first(finished: list[Future[Any]], stop: Stop) -> None:
    """Raise the error of a task; one that was merely stopped is not the cause."""
    errors = [error for future in finished if (error := future.exception()) is not None]
    if errors:
        stop.set()
        raise min(errors, key=lambda error: isinstance(error, Stopped))


def _run(task: Task, results: Mapping[str, Any], reporter: Reporter, stop: Stop) -> Any:
    stop.check()
    with step(reporter, task.name) as current:
        return task.work(current, results)


def _ready(
    waiting: list[Task], done: Mapping[str, Any], running: list[Task], threads: int
) -> list[Task]:
    lanes = {task.lane for task in running if task.lane is not None}
    ready: list[Task] = []
    for task in waiting:
        if len(running) + len(ready) >= threads:
            break
        if all(name in done for name in task.after) and task.lane not in lanes:
            ready.append(task)
            if task.lane is not None:
                lanes.add(task.lane)
    return ready


def _check(tasks: tuple[Task, ...]) -> None:
    known: set[str] = set()
    for task in tasks:
        missing = [name for name in task.after if name not in known]
        if missing or task.name in known:
            raise ValueError(f"task {task.name!r} is double or waits for a later one: {missing}")
        known.add(task.name)
