"""Hosts that live in memory: shells that answer what they are told to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sunk.clients.shells import Heard
from sunk.errors import NotReached, Unreachable
from sunk.model.reach import Reason

_RUN = re.compile(rb"\bt [0-9.e+]+ (.*?)(?: </dev/null)? 3>&- 4>&- 5>&-; echo", re.S)


@dataclass(frozen=True)
class Said:
    """What a command says.

    Attributes:
        hangs: it never ends.
        dies: the connection is lost while it runs.
        acts: called when it is asked.
    """

    out: bytes = b""
    err: bytes = b""
    exit_code: int = 0
    hangs: bool = False
    dies: bool = False
    acts: Callable[[], None] | None = None


ABSENT = Said(err=b"sh: no such program\n", exit_code=127)


@dataclass
class MemoryHost:
    """One host.

    Attributes:
        answers: command as one types it -> what it says; others are not there.
        called: what it calls itself.
        refuses: why it cannot be reached; nothing when it can.
        asked: every command that it was asked, in order.
        opened: how many shells were started.
    """

    answers: Mapping[str, Said] = field(default_factory=dict)
    called: str = ""
    refuses: Reason | None = None
    asked: list[str] = field(default_factory=list)
    opened: int = 0
    clock: int | None = None


class MemoryShell:
    """A shell of such a host; `receive` returns at once what a real one would wait for."""

    def __init__(self, host: MemoryHost, now: Callable[[], float]) -> None:
        self._host, self._now = host, now
        self._mark = b""
        self._ready: list[Heard] = []
        self._dead = False
        self.closed = False

    def send(self, text: bytes) -> None:
        if self.closed or self._dead:
            raise Unreachable("talk: it is gone", system="memory")
        if text.startswith(b"m="):
            self._mark = text.splitlines()[0].removeprefix(b"m=").replace(b"''", b"")
            clock = int(self._now()) if self._host.clock is None else self._host.clock
            words = f"{clock} {self._host.called}".encode()
            self._ready.append(self._framed(b"welcome\n", b"", words))
            return
        found = _RUN.search(text)
        assert found, text
        command = found[1].decode()
        self._host.asked.append(command)
        said = self._host.answers.get(command, ABSENT)
        if said.acts is not None:
            said.acts()
        self._dead = said.dies
        if said.hangs or said.dies:
            self._ready.append(Heard(said.out, said.err))
        else:
            self._ready.append(self._framed(said.out, said.err, str(said.exit_code).encode()))

    def receive(self, within_seconds: float) -> Heard:
        if self._ready:
            return self._ready.pop(0)
        if self.closed or self._dead:
            raise Unreachable("talk: it is gone", system="memory")
        return Heard()

    def close(self) -> None:
        self.closed = True

    def _framed(self, out: bytes, err: bytes, words: bytes) -> Heard:
        return Heard(
            out + b"\n" + self._mark + b" " + words + b"\n", err + b"\n" + self._mark + b"\n"
        )


@dataclass
class MemoryTransport:
    """The way to hosts in memory; counts who is talked to at the same time."""

    known: dict[str, MemoryHost]
    now: Callable[[], float]
    prepared: tuple[str, ...] | None = None
    closed: bool = False
    close_fails: bool = False
    pods: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name, host in self.known.items():
            host.called = host.called or name

    def hosts(self) -> tuple[str, ...]:
        return ()

    def over(self, host: str) -> str:
        return "memory"

    def check(self, hosts: tuple[str, ...]) -> None:
        pass

    def prepare(self, hosts: tuple[str, ...]) -> None:
        self.prepared = hosts

    def open(self, host: str) -> MemoryShell:
        found = self.known[host]
        found.opened += 1
        if found.refuses is not None:
            raise NotReached(
                f"reach {host}: \x1b[31mno\x1b[0m",
                reason=found.refuses,
                system="memory",
                hint="mend it",
            )
        return MemoryShell(found, self.now)

    def is_pod(self, host: str) -> bool:
        return host in self.pods

    def is_named(self, host: str, called: str) -> bool:
        return host == called

    def close(self) -> None:
        self.closed = True
        if self.close_fails:
            raise Unreachable("delete DaemonSet: no answer", system="memory")
