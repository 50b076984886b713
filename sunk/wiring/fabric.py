"""Puts an active test together: how programs get to hosts, what ends it, where evidence goes."""

from __future__ import annotations

import os
import secrets
import shlex
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from sunk.assess.bundle import Kept, pack
from sunk.clients import evidence_files, process
from sunk.clients.slurm.commands import SlurmCommands
from sunk.errors import InputError
from sunk.render.slurm_texts import read_records
from sunk.toolkit.runs import copy_programs
from sunk.wiring import login
from sunk_fabric.active import sharp_session
from sunk_fabric.active.backends import Backend, CommandBackend
from sunk_fabric.active.layout import NO_RAIL
from sunk_fabric.active.planning import Plan
from sunk_fabric.active.runner import Launch, Runner
from sunk_fabric.active.session import Held, hold
from sunk_fabric.active.sharp import SharpPlan
from sunk_fabric.active.sharp_session import Compared
from sunk_fabric.active.slurm import SlurmBackend
from sunk_fabric.active.tools import TOOLS, Settings, ToolName


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How programs get to hosts.

    Attributes:
        command: a site's command; empty: Slurm.
        partition: of the job; empty: the default.
        account: of the job; empty: the user's.
        job: one that runs already.
        wait_minutes: how long a job may wait for its nodes.
        shared: a folder that the hosts see, for our programs while the test runs; nothing: the
            hosts' Python has them.
        known: returns addresses of hosts that whoever asks need not name.
    """

    command: str = ""
    partition: str = ""
    account: str = ""
    job: int | None = None
    wait_minutes: float = 10.0
    shared: Path | None = None
    known: Callable[[], Mapping[tuple[str, str], str]] = dict

    @property
    def setup_seconds(self) -> float:
        """Return what a round takes beside its transfers, about."""
        return CommandBackend.setup_seconds if self.command else SlurmBackend.setup_seconds


def slurm_addresses() -> dict[tuple[str, str], str]:
    """Return the addresses by which Slurm reaches its nodes: names of Pods are in no DNS.

    Raises:
        RemoteError: slurmctld does not answer.
        EnvironmentFault: this machine has no Slurm commands.
    """
    return addresses_in(login.slurm_texts().nodes())


def addresses_in(text: str) -> dict[tuple[str, str], str]:
    """Return the addresses in what ``scontrol --oneliner show node`` prints."""
    records = read_records(text, "NodeName", source="scontrol show node")
    return {(one["NodeName"], NO_RAIL): one["NodeAddr"] for one in records if "NodeAddr" in one}


def run(  # noqa: PLR0913 - what a test is put together from
    plan: Plan,
    reach: Reach,
    tool: ToolName,
    how: Settings,
    addresses: Mapping[tuple[str, str], str],
    folder: Path,
    say: Callable[[str], None],
    *,
    launch: Launch = process.launch,
    commands: SlurmCommands | None = None,
) -> Held:
    """Run a plan, write its evidence folder, and return what it left.

    Args:
        plan: what to do.
        reach: how programs get to hosts.
        tool: what moves bytes.
        how: how it does.
        addresses: host and rail -> address.
        folder: the evidence folder to make.
        say: is told what happens.
        launch: starts programs on this machine.
        commands: Slurm's, where they are not this machine's.

    Raises:
        InputError: the folder exists, the command is none, or the tool cannot be
            run so.
        SunkError: the hosts cannot be had.
    """
    if TOOLS[tool].server is None:
        _refuse_apart(plan, reach, tool)
    _refuse_existing(folder)
    addresses = {**reach.known(), **addresses}
    with _scratch() as scratch, _python(reach.shared, how.python) as python, _ending() as quiet:
        how = replace(how, python=python)
        slurm = commands or SlurmCommands(environment=lambda: tuple(os.environ))
        backend = _backend(reach, slurm, scratch)
        mark = secrets.token_hex(16)
        runner = Runner(backend, TOOLS[tool], how, addresses, mark, scratch, launch)
        held = hold(
            plan,
            backend,
            runner,
            tool=tool,
            effect=plan.power.effect,
            python=python,
            say=say,
            quiet=quiet,
        )
        _write(folder, held.kept)
        return held


def compare(
    plan: SharpPlan,
    reach: Reach,
    python: str,
    folder: Path,
    say: Callable[[str], None],
    *,
    launch: Launch = process.launch,
    commands: SlurmCommands | None = None,
) -> Compared:
    """Run a program with SHARP and without, write its evidence folder, and return what it left.

    Args:
        plan: what to run.
        reach: how programs get to hosts: Slurm.
        python: runs our programs on hosts.
        folder: the evidence folder to make.
        say: is told what happens.
        launch: starts programs on this machine.
        commands: Slurm's, where they are not this machine's.

    Raises:
        InputError: the folder exists, or hosts are reached by a command.
        SunkError: the hosts cannot be had.
    """
    if reach.command:
        raise InputError(
            f"run {plan.program} through --run: it is one job on all hosts, which Slurm starts",
            hint="leave --run away",
        )
    _refuse_existing(folder)
    with _scratch() as scratch, _python(reach.shared, python) as own, _ending() as quiet:
        slurm = commands or SlurmCommands(environment=lambda: tuple(os.environ))
        backend = _backend(reach, slurm, scratch)
        mark = secrets.token_hex(16)
        how = Settings(python=own)
        plan = _started_by(plan, python, own)
        runner = Runner(backend, TOOLS[ToolName.PAIR], how, {}, mark, scratch, launch)
        done = sharp_session.compare(plan, backend, runner, python=own, say=say, quiet=quiet)
        _write(folder, done.kept)
        return done


def _started_by(plan: SharpPlan, python: str, own: str) -> SharpPlan:
    """Return a plan with another Python in the place of the one that it names."""
    runs = [
        replace(one, words=tuple(own if word == python else word for word in one.words))
        for one in plan.runs
    ]
    return replace(plan, runs=tuple(runs))


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sunk-fabric-") as made:
        yield Path(made)


@contextmanager
def _python(shared: Path | None, python: str) -> Iterator[str]:
    """Yield what starts our programs on hosts: a Python there, with them beside it for a while."""
    if shared is None:
        yield python
        return
    shared.mkdir(parents=True, exist_ok=True)
    # A program that still ends elsewhere may hold a file of an NFS folder; it is no fault of ours.
    with tempfile.TemporaryDirectory(
        prefix=".fabric-", dir=shared, ignore_cleanup_errors=True
    ) as made:
        copy_programs(Path(made) / "sunk_jobs")
        found = f"{shlex.quote(made)}${{PYTHONPATH:+:$PYTHONPATH}}"
        starter = Path(made) / "python"
        starter.write_text(f'#!/bin/sh\nPYTHONPATH={found} exec {shlex.quote(python)} "$@"\n')
        starter.chmod(0o755)
        yield str(starter)


def _refuse_existing(folder: Path) -> None:
    if folder.exists():
        raise InputError(f"write the folder {folder}: it exists", hint="name one that does not")


def _write(folder: Path, kept: Iterable[Kept]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    evidence_files.write(folder, pack(kept))


def _refuse_apart(plan: Plan, reach: Reach, tool: ToolName) -> None:
    """Refuse what a tool that is one job on two hosts cannot do.

    Raises:
        InputError: it would be started on one host, or is to use a rail.
    """
    if reach.command:
        raise InputError(
            f"run {tool} through --run: it is one job on two hosts, which Slurm starts",
            hint="leave --run away, or choose another --tool",
        )
    if plan.layout.rails != (NO_RAIL,):
        raise InputError(
            f"run {tool} on {', '.join(plan.layout.rails)}: its library chooses the adapter",
            hint="leave --rail away, or choose another --tool",
        )


def _backend(reach: Reach, commands: SlurmCommands, scratch: Path) -> Backend:
    if reach.command:
        return CommandBackend(reach.command)
    return SlurmBackend(
        commands,
        scratch,
        partition=reach.partition,
        account=reach.account,
        job=reach.job,
        wait_seconds=reach.wait_minutes * 60,
    )


@contextmanager
def _ending() -> Iterator[Callable[[], None]]:
    """Let SIGTERM end a test as Ctrl-C does; yield what keeps both away from the clean-up."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def ignore() -> None:
        for number in before:
            signal.signal(number, signal.SIG_IGN)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            signal.signal(number, interrupt)
        yield ignore
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
