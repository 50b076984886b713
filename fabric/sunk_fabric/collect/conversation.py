"""Ask one host, over any shell: one command after the other, each with its own deadline."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sunk.clients.shells import Shell
from sunk.errors import NotReached, Unreachable, clip
from sunk.model.reach import Reason
from sunk_fabric.collect import script
from sunk_fabric.collect.questions import Question
from sunk_fabric.parse.text import printable

GRACE_SECONDS = 5.0
"""How much longer than its own limit a command is waited for: the host ends it first where it can,
and its text is whole then."""
HELLO_LIMIT_BYTES = 1 << 20
"""What a host may say before it is asked anything: banners and start-up files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One answer.

    Attributes:
        question: what was asked.
        began: in UTC, to the second.
        ended: in UTC, to the second.
        exit_code: nothing when the command did not end.
        output: standard output.
        errors: standard error.
        incomplete: why the text is not whole; empty when it is.
    """

    question: Question
    began: str
    ended: str
    exit_code: int | None
    output: bytes
    errors: bytes
    incomplete: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a host may cost.

    Attributes:
        start_seconds: until a shell answers: start-up files of the user run in it.
        output_bytes: of each stream of each command.
    """

    start_seconds: float
    output_bytes: int


class Conversation:
    """A host's shell, opened again when a command had to be left behind.

    Args:
        place: the host, for messages.
        open_shell: starts a shell; raises NotReached.
        limits: what it may cost.

    Raises:
        NotReached: no shell, or one that does not answer as a shell does.
    """

    def __init__(self, place: str, open_shell: Callable[[], Shell], limits: Limits) -> None:
        self._place = place
        self._open_shell = open_shell
        self._limits = limits
        self.called = ""
        self.clock_seconds: int | None = None
        self._shell: Shell | None = None
        self._framed = self._start()
        self._since = time.monotonic()

    def close(self) -> None:
        """End the shell; safe to call twice, and from another thread."""
        if self._shell is not None:
            self._shell.close()

    def ask(self, question: Question) -> Taken:
        """Return the answer; what keeps it from being whole is said in it.

        Raises:
            NotReached: the last command had to be left behind, and the host is no longer there.
        """
        time.sleep(max(0.0, self._since + question.after_seconds - time.monotonic()))
        if self._shell is None:
            self._framed = self._start()
        assert self._shell is not None
        began, patience = now(), question.within_seconds + GRACE_SECONDS
        try:
            self._shell.send(script.ask(question, self._limits.output_bytes))
            found = self._take(self._shell, self._framed, patience)
        except Unreachable as exc:
            return self._left_behind(question, began, f"the shell ended: {clip(exc.message)}")
        if found is None:
            return self._left_behind(question, began, f"no end after {patience:g} s")
        output, errors, words = found
        made = Taken(
            question=question,
            began=began,
            ended=now(),
            exit_code=int(words) if words.isdecimal() else None,
            output=output,
            errors=errors,
        )
        return self._judged(made)

    def _judged(self, made: Taken) -> Taken:
        limit = self._limits.output_bytes
        if made.exit_code is None:
            return replace(made, incomplete="its exit code is not known")
        if max(len(made.output), len(made.errors)) > limit:
            cut = f"cut at {limit} bytes"
            return replace(
                made, output=made.output[:limit], errors=made.errors[:limit], incomplete=cut
            )
        if made.exit_code == script.TIMED_OUT:
            return replace(made, incomplete=f"no end after {made.question.within_seconds:g} s")
        return made

    def _left_behind(self, question: Question, began: str, why: str) -> Taken:
        self.close()
        self._shell = None
        limit = self._limits.output_bytes
        return Taken(
            question=question,
            began=began,
            ended=now(),
            exit_code=None,
            output=bytes(self._framed.out[:limit]),
            errors=bytes(self._framed.err[:limit]),
            incomplete=why,
        )

    def _start(self) -> script.Framed:
        shell = self._open_shell()
        mark = secrets.token_hex(16)
        framed = script.Framed(mark.encode(), HELLO_LIMIT_BYTES)
        try:
            shell.send(script.hello(mark))
            found = self._take(shell, framed, self._limits.start_seconds)
        except Unreachable as exc:
            shell.close()
            raise self._no_shell(f"it ended: {clip(exc.message)}") from exc
        if found is None:
            shell.close()
            raise self._no_shell(f"no answer after {self._limits.start_seconds:g} s")
        clock, _, called = found[2].partition(" ")
        self.called = printable(called.strip(), 253)
        # Digits of years to come fit into 12; more is no clock.
        told = int(clock) if clock.isdecimal() and len(clock) <= 12 else None
        self.clock_seconds = None if told is None else told - int(time.time())
        self._shell = shell
        return replace(framed, limit_bytes=self._limits.output_bytes)

    def _take(
        self, shell: Shell, framed: script.Framed, within_seconds: float
    ) -> tuple[bytes, bytes, str] | None:
        deadline = time.monotonic() + within_seconds
        while (found := framed.take()) is None:
            left = deadline - time.monotonic()
            if left <= 0 or framed.flooded:
                return None
            heard = shell.receive(left)
            framed.feed(heard.out, heard.err)
        return found

    def _no_shell(self, why: str) -> NotReached:
        return NotReached(
            f"start a shell on {self._place}: {why}",
            reason=Reason.SHELL,
            system="shell",
            hint="do its start-up files end, and print nothing that a shell would wait for",
        )


def now(later: timedelta = timedelta()) -> str:
    """Return the time in UTC, to the second; or one later."""
    return (datetime.now(UTC) + later).strftime("%Y-%m-%dT%H:%M:%SZ")
