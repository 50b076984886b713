"""Runs a plan on hosts, keeps every output, and sees to it that nothing of it runs afterwards."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from sunk.assess.bundle import Kept
from sunk.assess.evidence import evidence_of
from sunk.errors import EnvironmentFault, clip
from sunk_fabric.active.backends import Backend
from sunk_fabric.active.layout import NO_RAIL
from sunk_fabric.active.patterns import Flow, Round
from sunk_fabric.active.readings import NOT_STARTED, samples_of
from sunk_fabric.active.samples import Gone, Phase, Sample
from sunk_fabric.active.tools import BASE_PORT, Ends, Settings, Tool, limited
from sunk_fabric.parse import formats
from sunk_fabric.parse.text import Parsed
from sunk_fabric.parse.traffic_record import Attempt, Cleanup
from sunk_jobs.leftovers import MARK

_TICK_SECONDS = 0.02
_CLEANUP_SECONDS = 30.0
_AT_ONCE = 32


class Running(Protocol):
    """A program that was started; `sunk.clients.process.Running`."""

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""

    @property
    def output(self) -> bytes:
        """What it wrote."""

    @property
    def errors(self) -> bytes:
        """What it wrote to standard error."""

    def end(self, grace_seconds: float = 2.0) -> None:
        """End it and what it started."""


class Launch(Protocol):
    """Starts a program on this machine; `sunk.clients.process.launch`."""

    def __call__(self, argv: Sequence[str], *, output: Path, errors: Path) -> Running:
        """Start it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A job that has ended, or was ended.

    Attributes:
        at: when it began, in UTC.
        exit_code: None when its time was over.
        output: what it wrote.
        errors: what it wrote to standard error.
    """

    at: str
    exit_code: int | None
    output: bytes
    errors: bytes


@dataclass(slots=True)
class _Going:
    """A transfer that is under way; without a server, both ends are one job."""

    flow: Flow
    words: tuple[str, ...]
    server: Running | None
    client: Running
    started: float
    at: str
    seconds: float = 0.0


class Runner:
    """Moves bytes between hosts.

    Args:
        backend: how programs get to hosts.
        tool: what moves bytes.
        settings: how.
        addresses: host and rail -> address; a rail without one has the host's, and a host without
            one is found by its name.
        mark: names this test; no other test of the machines has it.
        scratch: an empty folder, for outputs while they are written.
        launch: starts programs on this machine.
    """

    def __init__(
        self,
        backend: Backend,
        tool: Tool,
        settings: Settings,
        addresses: Mapping[tuple[str, str], str],
        mark: str,
        scratch: Path,
        launch: Launch,
    ) -> None:
        self._backend = backend
        self._tool = tool
        self._settings = settings
        self._addresses = addresses
        self._mark = mark
        self._scratch = scratch
        self._launch = launch
        self._count = 0
        self._open: list[Running] = []
        self.attempts: list[Attempt] = []
        self.kept: dict[str, Kept] = {}

    def transfer(self, number: int, phase: Phase, flows: Round) -> Sequence[Sample]:
        """Make the transfers of one round, all at once, and return their samples."""
        going: list[_Going] = []
        made: list[Attempt] = []
        for at, flow in enumerate(flows):
            try:
                going.append(self._start(flow, BASE_PORT + at))
            except EnvironmentFault as exc:
                made.append(
                    self._attempt(number, phase, flow, gone=Gone.BROKEN, trouble=exc.message)
                )
        try:
            self._watch(going)
        finally:
            self._end([each for one in going for each in (one.client, one.server) if each])
        made += [self._finished(number, phase, one) for one in going]
        self.attempts += made
        return samples_of(made, self._outputs(made))

    def job(self, hosts: Sequence[str], words: Sequence[str], mpi: str, seconds: float) -> Ended:
        """Run one job of one task on each host to its end, or to the end of its time.

        Raises:
            EnvironmentFault: the program that starts it does not exist.
        """
        at = _now()
        limit = ("timeout", "--kill-after=1", f"{math.ceil(seconds)}")
        command = (*self._marked, *limit, *words)
        running = self._launched(self._backend.together(hosts, command, mpi))
        deadline = time.monotonic() + seconds + self._backend.setup_seconds
        try:
            while running.status is None and time.monotonic() < deadline:
                time.sleep(_TICK_SECONDS)
            code = running.status
        finally:
            self._end([running])
        return Ended(at=at, exit_code=code, output=running.output, errors=running.errors)

    def skip(self, samples: Sequence[Sample]) -> None:
        """Note transfers that are not made."""
        self.attempts += [
            self._attempt(one.round, one.phase, one.flow, gone=one.gone, trouble=one.trouble)
            for one in samples
        ]

    def clean(self, hosts: Sequence[str], python: str) -> tuple[Cleanup, ...]:
        """End what still runs of this test, here and on every host, and say what was found."""
        self._end(list(self._open))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return tuple(pool.map(lambda host: self._cleaned(host, python), hosts))

    def _start(self, flow: Flow, port: int) -> _Going:
        ends = Ends(address=self._address(flow), port=port, rail=flow.rail)
        words = self._tool.client(ends, self._settings)
        if self._tool.server is None:
            client = self._run_together(flow.ends, words)
            return _Going(flow, words, None, client, time.monotonic(), _now())
        server = self._run(flow.receiver, self._tool.server(ends, self._settings))
        try:
            client = self._run(flow.sender, words)
        except EnvironmentFault:
            self._end([server])
            raise
        return _Going(flow, words, server, client, time.monotonic(), _now())

    def _address(self, flow: Flow) -> str:
        known = (self._addresses.get((flow.receiver, rail)) for rail in (flow.rail, NO_RAIL))
        return next((one for one in known if one), flow.receiver)

    def _run(self, host: str, words: Sequence[str], *, marked: bool = True) -> Running:
        mark = self._marked if marked else ()
        return self._launched(self._backend.words(host, (*mark, *words)))

    def _run_together(self, hosts: Sequence[str], words: Sequence[str]) -> Running:
        command = (*self._marked, *limited(self._settings, *words))
        return self._launched(self._backend.together(hosts, command, self._tool.mpi))

    @property
    def _marked(self) -> tuple[str, ...]:
        return ("env", f"{MARK}={self._mark}")

    def _launched(self, argv: Sequence[str]) -> Running:
        self._count += 1
        running = self._launch(
            argv,
            output=self._scratch / f"{self._count}.out",
            errors=self._scratch / f"{self._count}.err",
        )
        self._open.append(running)
        return running

    def _watch(self, going: Sequence[_Going]) -> None:
        """Wait until every client has ended or is late; start again what came too early."""
        waiting = list(going)
        limit = self._settings.within_seconds + self._backend.setup_seconds
        while waiting:
            now = time.monotonic()
            for one in tuple(waiting):
                status = one.client.status
                if status is not None and self._too_early(one, status, now):
                    one.client = self._run(one.flow.sender, one.words)
                elif status is not None or now - one.started > limit:
                    one.seconds = now - one.started
                    waiting.remove(one)
            if waiting:
                time.sleep(_TICK_SECONDS)

    def _too_early(self, one: _Going, status: int, now: float) -> bool:
        if self._tool.waits or status == 0 or status in NOT_STARTED:
            return False
        since = now - one.started
        waiting = one.server is not None and one.server.status is None
        return since < self._settings.wait_seconds and waiting

    def _end(self, programs: Sequence[Running]) -> None:
        for one in programs:
            one.end()
            if one in self._open:
                self._open.remove(one)

    def _finished(self, number: int, phase: Phase, one: _Going) -> Attempt:
        late = one.seconds > self._settings.within_seconds + self._backend.setup_seconds
        code = None if late else one.client.status
        errors = one.client.errors + (one.server.errors if one.server else b"")
        evidence = evidence_of(
            one.client.output,
            command=one.words,
            host=one.flow.sender,
            at=one.at,
            exit_code=code,
            errors=errors,
        )
        self.kept[evidence.id] = Kept(evidence=evidence, output=one.client.output, errors=errors)
        return self._attempt(number, phase, one.flow, evidence=evidence.id)

    @staticmethod
    def _attempt(
        number: int,
        phase: Phase,
        flow: Flow,
        *,
        evidence: str = "",
        gone: Gone = Gone.NO,
        trouble: str = "",
    ) -> Attempt:
        return Attempt(
            round=number,
            phase=phase,
            sender=flow.sender,
            receiver=flow.receiver,
            rail=flow.rail,
            evidence=evidence,
            gone=gone,
            trouble=trouble,
        )

    def _outputs(self, attempts: Sequence[Attempt]) -> dict[str, tuple[int | None, Parsed[Any]]]:
        found = {}
        for one in attempts:
            if one.evidence:
                kept = self.kept[one.evidence]
                form = formats.of_command(kept.evidence.command)
                assert form is not None, "every tool prints a format"
                found[one.evidence] = (kept.evidence.exit_code, form.parse(kept.output))
        return found

    def _cleaned(self, host: str, python: str) -> Cleanup:
        words = (python, "-m", "sunk_jobs.leftovers", f"--mark={self._mark}")
        try:
            running = self._run(host, words, marked=False)
        except EnvironmentFault as exc:
            return Cleanup(host=host, state="unknown", found=exc.message)
        deadline = time.monotonic() + _CLEANUP_SECONDS
        while running.status is None and time.monotonic() < deadline:
            time.sleep(_TICK_SECONDS)
        self._end([running])
        try:
            said = json.loads(running.output)
            ended, remaining = _commands(said["ended"]), _commands(said["remaining"])
        except (ValueError, KeyError, TypeError):
            why = clip(running.errors.decode("utf-8", "replace")) or "no answer"
            return Cleanup(host=host, state="unknown", found=why)
        if remaining:
            return Cleanup(host=host, state="remaining", found=remaining)
        return Cleanup(host=host, state="ended" if ended else "clean", found=ended)


def _commands(said: Sequence[object]) -> str:
    return clip("; ".join(str(one) for one in said))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
