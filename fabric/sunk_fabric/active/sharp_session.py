"""The runs of a comparison with SHARP and without, from reserving hosts to their texts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from sunk.assess.bundle import Kept
from sunk.assess.evidence import evidence_of
from sunk.errors import EnvironmentFault
from sunk_fabric.active.backends import Backend
from sunk_fabric.active.runner import Ended, Runner
from sunk_fabric.active.session import Quiet, reserved
from sunk_fabric.active.sharp import SharpPlan, SharpRun
from sunk_fabric.parse.traffic_record import Cleanup


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What a comparison left behind.

    Attributes:
        kept: the texts of each run, by format and name of the run.
        cleanup: what was found on the hosts afterwards.
        interrupted: whether it ended before its plan did.
    """

    kept: tuple[Kept, ...]
    cleanup: tuple[Cleanup, ...]
    interrupted: bool


def compare(
    plan: SharpPlan,
    backend: Backend,
    runner: Runner,
    *,
    python: str,
    say: Callable[[str], None],
    quiet: Quiet,
) -> Compared:
    """Run a plan and return what it left; an interrupt ends it early, and cleans up as well.

    Args:
        plan: what to run.
        backend: reserves the hosts.
        runner: runs on them.
        python: runs our programs on hosts.
        say: is told what happens.
        quiet: is called before cleaning up.

    Raises:
        SunkError: the hosts cannot be had; nothing was started.
    """
    kept: list[Kept] = []
    interrupted = False
    with reserved(backend, plan.hosts, plan.minutes, quiet, say):
        try:
            deadline = time.monotonic() + plan.minutes * 60
            for number, one in enumerate(plan.runs, start=1):
                say(f"run {number} of {len(plan.runs)}, {one.name}")
                seconds = min(plan.run_seconds, max(1.0, deadline - time.monotonic()))
                kept += _texts(one, plan, _ended(runner, plan, one, seconds))
        except KeyboardInterrupt:
            interrupted = True
        finally:
            quiet()
            say("looking for what still runs on the hosts")
            cleanup = runner.clean(plan.hosts, python)
    return Compared(kept=tuple(kept), cleanup=cleanup, interrupted=interrupted)


def _ended(runner: Runner, plan: SharpPlan, one: SharpRun, seconds: float) -> Ended:
    try:
        return runner.job(plan.hosts, one.words, plan.mpi, seconds)
    except EnvironmentFault as exc:
        return Ended(at="", exit_code=127, output=b"", errors=exc.message.encode())


def _texts(one: SharpRun, plan: SharpPlan, ended: Ended) -> Iterator[Kept]:
    """Yield the table, and the log that proves which way it went."""

    def text(form: str, output: bytes, errors: bytes = b"") -> Kept:
        made = evidence_of(
            output, command=one.words, at=ended.at, exit_code=ended.exit_code, errors=errors
        )
        late = "" if ended.exit_code is not None else f"no end after {plan.run_seconds:g} s"
        named = replace(made, name=f"{form}.{one.name}", incomplete=late)
        return Kept(evidence=named, output=output, errors=errors)

    yield text(one.output, ended.output, ended.errors)
    if one.errors:
        yield text(one.errors, ended.errors)
