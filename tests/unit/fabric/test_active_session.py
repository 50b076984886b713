"""A session from reserving to evidence, with programs that are none: what is kept and ended."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sunk.errors import EnvironmentFault
from sunk_fabric.active.backends import CommandBackend
from sunk_fabric.active.patterns import Flow
from sunk_fabric.active.readings import samples_of
from sunk_fabric.active.runner import Runner
from sunk_fabric.active.samples import Phase
from sunk_fabric.active.session import hold
from sunk_fabric.active.slurm import SlurmBackend
from sunk_fabric.active.tools import TOOLS, Ends, Settings, ToolName
from sunk_fabric.parse import collectives, formats
from sunk_fabric.parse.traffic_record import Attempt
from sunk_jobs.leftovers import MARK
from sunk_jobs.outputs.results import COLLECTIVES, PAIR
from tests.support.active_world import made_plan

SENT = {
    "schema": PAIR,
    "complete": True,
    "bytes": 125_000_000,
    "seconds": 1.0,
    "gbit_per_s": 1.0,
    "segments": 1000,
    "retransmits": 0,
    "local_device": "eth0",
    "peer_device": "eth0",
}
HOW = Settings(seconds=0.1, wait_seconds=0.1)


class Program:
    """One that has ended, or that runs until it is ended."""

    def __init__(self, words, output=b"", status=0, errors=b""):
        self.words = words
        self.output = output
        self.errors = errors
        self.status = status

    def end(self, grace_seconds=2.0):
        if self.status is None:
            self.status = -15


class Machine:
    """Starts programs that do at once what ours would.

    Attributes:
        started: all of them.
    """

    def __init__(self, *, fails=lambda _words: None, left=()):
        self.started = []
        self.fails = fails
        self.left = list(left)

    def __call__(self, argv, *, output, errors):
        words = tuple(argv)
        if error := self.fails(words):
            raise error
        if "serve" in words:
            made = Program(words, status=None)
        elif "sunk_jobs.leftovers" in words:
            said = {"ended": [], "remaining": self.left}
            made = Program(words, json.dumps(said).encode())
        else:
            made = Program(words, (json.dumps(SENT) + "\n").encode())
        self.started.append(made)
        return made

    @property
    def running(self):
        return [one.words for one in self.started if one.status is None]


class Session:
    """A plan of four hosts, run on a machine."""

    def __init__(self, tmp_path, machine, minutes=None):
        made = made_plan(4)
        self.plan = made if minutes is None else replace(made, minutes=minutes)
        self.machine = machine
        self.said = []
        self.quieted = []
        backend = CommandBackend("reach {host} {command}")
        where = {("h0", ""): "10.0.0.1"}
        runner = Runner(backend, TOOLS[ToolName.PAIR], HOW, where, "m4rk", tmp_path, machine)
        self.held = hold(
            self.plan,
            backend,
            runner,
            tool="pair",
            effect=0.2,
            python="python3",
            say=self.said.append,
            quiet=lambda: self.quieted.append(len(machine.started)),
        )


def test_every_output_is_kept_with_its_command_and_host(tmp_path):
    session = Session(tmp_path, Machine())
    record = session.held.record
    kept = {one.evidence.id: one.evidence for one in session.held.kept}
    assert len(record.attempts) == 12
    assert {kept[one.evidence].host for one in record.attempts} == {"h0", "h1", "h2", "h3"}
    for one in record.attempts:
        address = "10.0.0.1" if one.receiver == "h0" else one.receiver
        assert f"--to={address}" in kept[one.evidence].command
        assert kept[one.evidence].host == one.sender
    assert session.held.kept[-1].evidence.command == ("sunk", "fabric", "test")
    assert not record.interrupted


def test_every_program_of_a_test_carries_its_mark_and_none_runs_afterwards(tmp_path):
    machine = Machine()
    session = Session(tmp_path, machine)
    for one in machine.started:
        marked = f"{MARK}=m4rk" in one.words
        assert marked != ("sunk_jobs.leftovers" in one.words)
    assert machine.running == []
    assert {one.state for one in session.held.record.cleanup} == {"clean"}


def test_interrupt_ends_the_plan_and_cleans_up_all_the_same(tmp_path):
    started = []

    def third(words):
        started.append(words)
        return KeyboardInterrupt() if len(started) == 7 else None

    machine = Machine(fails=third)
    session = Session(tmp_path, machine)
    assert session.held.interrupted
    assert machine.running == []
    assert len(session.held.record.cleanup) == 4
    assert session.quieted


def test_no_round_starts_after_the_time_of_the_plan(tmp_path):
    session = Session(tmp_path, Machine(), minutes=0.0)
    assert session.held.record.attempts == ()
    assert "the 0.0 minutes of the plan are over" in session.said
    assert len(session.held.record.cleanup) == 4


def test_what_would_not_end_is_in_the_record(tmp_path):
    session = Session(tmp_path, Machine(left=["ib_write_bw -p 18515"]))
    found = {(one.state, one.found) for one in session.held.record.cleanup}
    assert found == {("remaining", "ib_write_bw -p 18515")}


def test_program_that_cannot_be_started_is_broken_and_the_rest_goes_on(tmp_path):
    def missing(words):
        lacks = "send" in words and words[1] == "h2"
        return EnvironmentFault("run reach: no such program") if lacks else None

    machine = Machine(fails=missing)
    session = Session(tmp_path, machine)
    broken = {one.sender for one in session.held.record.attempts if one.gone == "broken"}
    assert broken == {"h2"}
    assert machine.running == []


@pytest.mark.parametrize("text", [b"", b"bash: python3: not found\n", b"[]"])
def test_host_that_cannot_say_what_is_left_is_unknown(tmp_path, text):
    class Dumb(Machine):
        def __call__(self, argv, *, output, errors):
            made = super().__call__(argv, output=output, errors=errors)
            if "sunk_jobs.leftovers" in argv:
                made.output = text
            return made

    session = Session(tmp_path, Dumb())
    assert {one.state for one in session.held.record.cleanup} == {"unknown"}


# --- one job on two hosts


def ranks_said(hosts, **more):
    rates = [[None, 2.0], [3.0, None]]
    matrix = {"size_bytes": 8, "gb_per_s": rates, "wrong_elements": 0}
    said = {"schema": COLLECTIVES, "correct": True, "hosts": hosts, "pairs": matrix} | more
    return collectives.parse(json.dumps(said).encode())


@pytest.mark.parametrize(
    ("hosts", "more", "code", "rate", "trouble"),
    [
        (["h0", "h1"], {}, 0, 16.0, ""),
        (["h1.cluster.local", "h0.cluster.local"], {}, 0, 24.0, ""),
        (["h0", "h0"], {}, 0, None, "its ranks were on h0 and h0"),
        (["h0", "h1"], {"pairs": None}, 0, None, "its ranks were on h0 and h1"),
        (["h0", "h1"], {"correct": False}, 1, None, "it ended with exit code 1"),
    ],
)
def test_rate_of_ranks_is_that_of_the_senders_way(hosts, more, code, rate, trouble):
    attempt = Attempt(round=1, phase="screen", sender="h0", receiver="h1", rail="", evidence="e")
    (sample,) = samples_of([attempt], {"e": (code, ranks_said(hosts, **more))})
    assert (sample.gbit_per_s, sample.trouble) == (rate, trouble)
    assert sample.path is None


def test_ranks_are_one_step_on_both_hosts_and_of_their_tools_format(tmp_path):
    slurm = SlurmBackend(None, tmp_path, job=7)
    ends = Ends(address="10.0.0.1", port=18515, rail="")
    how = Settings(total_bytes=10_000_000, message_bytes=2**20)
    for name, mpi in ((ToolName.MPI4PY, "pmix"), (ToolName.TORCH, "none")):
        words = TOOLS[name].client(ends, how)
        assert formats.of_command(words).name == "collectives"
        assert "--samples=10" in words
        step = slurm.together(("h0", "h1"), words, TOOLS[name].mpi)
        assert step[:5] == ("srun", "--jobid=7", "--overlap", "--nodes=2", "--ntasks=2")
        assert {"--nodelist=h0,h1", f"--mpi={mpi}"} < set(step)
        assert step[-len(words) :] == words


@pytest.mark.parametrize("name", [one for one in TOOLS if TOOLS[one].server is None])
def test_job_on_both_hosts_is_marked_and_ends_by_itself(tmp_path, name):
    machine = Machine()
    backend = SlurmBackend(None, tmp_path, job=7)
    runner = Runner(backend, TOOLS[name], HOW, {}, "m4rk", tmp_path, machine)
    runner.transfer(1, Phase.SCREEN, (Flow("h0", "h1", ""),))
    (started,) = machine.started
    ranks = started.words[started.words.index("env") :]
    assert ranks[:5] == ("env", f"{MARK}=m4rk", "timeout", "--kill-after=1", "6")
    assert machine.running == []
