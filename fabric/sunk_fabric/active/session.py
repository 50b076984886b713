"""One test from reserving hosts to its evidence; whatever happens, hosts are left clean."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sunk.assess.bundle import Kept
from sunk.assess.evidence import evidence_of
from sunk_fabric.active.backends import Backend
from sunk_fabric.active.campaign import campaign
from sunk_fabric.active.patterns import Round
from sunk_fabric.active.planning import Plan
from sunk_fabric.active.record import record_of, record_text
from sunk_fabric.active.runner import Runner
from sunk_fabric.active.samples import Phase, Sample
from sunk_fabric.parse.traffic_record import Cleanup, TestRecord

COMMAND = ("sunk", "fabric", "test")
_SPARE_MINUTES = 2.0
"""For starting, and for looking after what is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a test left behind.

    Attributes:
        record: what was planned and tried.
        kept: the outputs, and the record as the last of them.
    """

    record: TestRecord
    kept: tuple[Kept, ...]

    @property
    def interrupted(self) -> bool:
        """Return whether it ended before its plan did."""
        return self.record.interrupted


Quiet = Callable[[], None]
"""Keeps further interrupts from ending the clean-up."""


class TimeOver(Exception):
    """The time that a plan states is used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A mover that tells what it does, before it does it, and keeps to the plan's time.

    Attributes:
        runner: moves bytes.
        plan: what is done.
        say: is told.
        deadline: of the monotonic clock, in seconds.
    """

    runner: Runner
    plan: Plan
    say: Callable[[str], None]
    deadline: float

    def transfer(self, number: int, phase: Phase, flows: Round) -> Sequence[Sample]:
        """Tell and transfer.

        Raises:
            TimeOver: another round could take longer than the plan states.
        """
        if time.monotonic() > self.deadline:
            raise TimeOver
        planned = len(self.plan.rounds)
        what = f"round {number} of {planned}"
        if phase is Phase.CONFIRM:
            what = f"repetition {number - planned} of at most {self.plan.confirm_rounds}"
        self.say(f"{what}, {len(flows)} transfers")
        return self.runner.transfer(number, phase, flows)

    def skip(self, samples: Sequence[Sample]) -> None:
        """Pass it on."""
        self.runner.skip(samples)


def hold(  # noqa: PLR0913 - what a session is made of
    plan: Plan,
    backend: Backend,
    runner: Runner,
    *,
    tool: str,
    effect: float,
    python: str,
    say: Callable[[str], None],
    quiet: Quiet,
) -> Held:
    """Run a plan and return what it left; an interrupt ends it early, and cleans up as well.

    Args:
        plan: what to do.
        backend: reserves the hosts.
        runner: moves bytes on them.
        tool: its name, for the record.
        effect: share of the rate whose loss is a fault.
        python: runs our programs on hosts.
        say: is told what happens.
        quiet: is called before cleaning up.

    Raises:
        SunkError: the hosts cannot be had; nothing was started.
    """
    interrupted = False
    cleanup: tuple[Cleanup, ...] = ()
    with reserved(backend, plan.layout.hosts, plan.minutes, quiet, say):
        try:
            deadline = time.monotonic() + plan.minutes * 60
            campaign(plan, effect, Told(runner=runner, plan=plan, say=say, deadline=deadline))
        except TimeOver:
            say(f"the {plan.minutes:.1f} minutes of the plan are over")
        except KeyboardInterrupt:
            interrupted = True
        finally:
            quiet()
            say("looking for what still runs on the hosts")
            cleanup = runner.clean(plan.layout.hosts, python)
    record = record_of(plan, tool, effect, runner.attempts, cleanup, interrupted=interrupted)
    text = record_text(record)
    last = Kept(evidence=evidence_of(text, command=COMMAND, exit_code=0), output=text)
    return Held(record=record, kept=(*runner.kept.values(), last))


@contextmanager
def reserved(
    backend: Backend,
    hosts: Sequence[str],
    minutes: float,
    quiet: Quiet,
    say: Callable[[str], None],
) -> Iterator[None]:
    """Hold hosts for as long as the plan's minutes, and give them back whatever happens.

    Raises:
        SunkError: they cannot be had.
    """
    try:
        backend.reserve(hosts, minutes + _SPARE_MINUTES)
        yield
    finally:
        quiet()
        left = backend.release()
        if left:
            say(left)


def cleanup_words(cleanup: Sequence[Cleanup]) -> str:
    """Return in one sentence what was found on the hosts."""
    by = {state: [one for one in cleanup if one.state == state] for state in _WORDS}
    parts = [f"{len(some)} {_WORDS[state]}" for state, some in by.items() if some]
    named = [f"{one.host}: {one.found}" for one in cleanup if one.state in {"remaining", "unknown"}]
    return "; ".join([f"hosts afterwards: {', '.join(parts)}", *named])


_WORDS = {
    "clean": "clean",
    "ended": "where something of ours was ended",
    "remaining": "where something of ours would not end",
    "unknown": "that could not be asked",
}
