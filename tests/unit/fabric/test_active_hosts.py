"""How active tests reach hosts: a site's command, a Slurm job, addresses."""

from __future__ import annotations

import pytest

from sunk.errors import InputError, JobEnded, NotFound, Unreachable
from sunk.model.slurm import Job, JobId, JobState
from sunk_fabric.active import slurm
from sunk_fabric.active.backends import CommandBackend
from sunk_fabric.active.hosts import named, read_addresses
from sunk_fabric.active.tools import TOOLS, Ends, Settings, ToolName

COMMAND = ("python3", "-c", "print('a b')")
ENDS = Ends(address="10.0.0.2", port=18516, rail="mlx5_1")


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("ip netns exec {host} {command}", ("ip", "netns", "exec", "h1", *COMMAND)),
        ("ssh root@{host} {shell}", ("ssh", "root@h1", "python3 -c 'print('\"'\"'a b'\"'\"')'")),
    ],
)
def test_template_is_filled_in_word_by_word(template, words):
    assert CommandBackend(template).words("h1", COMMAND) == words


@pytest.mark.parametrize(
    "template",
    ["ssh {host}", "{command}", "ssh {host} {command} {shell}", "ssh {host} 'x{command}'"],
)
def test_template_without_host_or_command_is_refused(template):
    with pytest.raises(InputError, match=r"it needs \{host\}, and \{command\} or \{shell\}"):
        CommandBackend(template)


def test_template_with_an_open_quote_is_refused():
    with pytest.raises(InputError, match="No closing quotation"):
        CommandBackend("ssh {host} '{command}")


@pytest.mark.parametrize("name", sorted(name for name in TOOLS if TOOLS[name].server))
def test_every_server_ends_by_itself(name):
    words = TOOLS[name].server(ENDS, Settings(seconds=3.0, wait_seconds=2.0))
    assert "10" in words[2] or "--within=10" in words
    assert words[0] == "timeout" or "sunk_jobs.pair" in words


def test_words_of_perftest_name_the_rail_and_its_peer():
    words = TOOLS[ToolName.IB_WRITE_BW].client(ENDS, Settings(seconds=3.0))
    assert words == (
        *("ib_write_bw", "-d", "mlx5_1", "-p", "18516", "-s", "8388608", "-q", "1", "-D", "3"),
        *("-F", "--report_gbits", "10.0.0.2"),
    )


def test_addresses_are_read_like_etc_hosts(tmp_path):
    file = tmp_path / "hosts"
    file.write_text("# rails\n10.0.0.1 h0 h0.example\n\n10.1.0.1  h0/mlx5_1 # second\n")
    assert read_addresses(file) == {
        ("h0", ""): "10.0.0.1",
        ("h0.example", ""): "10.0.0.1",
        ("h0", "mlx5_1"): "10.1.0.1",
    }


def test_line_that_begins_with_no_address_is_named(tmp_path):
    file = tmp_path / "hosts"
    file.write_text("10.0.0.1 h0\nh1 10.0.0.2\n")
    with pytest.raises(InputError, match=r"line 2: 'h1' does not appear to be"):
        read_addresses(file)


def test_hosts_are_a_hostlist_each_once():
    assert named("h[1-3],h2") == ("h1", "h2", "h3")


class Commands:
    """Slurm's commands: a job with the states that a test wants, one for each look."""

    def __init__(self, *states, nodes="h[0-1]"):
        self.states = list(states)
        self.nodes = nodes
        self.script = ""
        self.cancelled = []

    def submit(self, script, folder):
        self.script = script.read_text()
        return JobId(7)

    def job(self, job_id):
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state is None:
            raise NotFound("find job", system="slurm")
        return Job(job_id=job_id, state=state, nodes=self.nodes, reason="Resources")

    def cancel(self, job_id):
        self.cancelled.append(job_id)
        self.states = [JobState.CANCELLED]


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(slurm, "_POLL_SECONDS", 0.0)


def backend(commands, tmp_path, **words):
    return slurm.SlurmBackend(commands, tmp_path, partition="gpu", **words)


def test_job_holds_the_hosts_for_the_plan_and_is_cancelled(tmp_path):
    commands = Commands(None, JobState.PENDING, JobState.RUNNING)
    made = backend(commands, tmp_path)
    made.reserve(("h0", "h1"), 4.2)
    assert commands.script == (
        "#!/bin/sh\n#SBATCH --job-name=sunk-fabric-test\n#SBATCH --nodes=2\n"
        "#SBATCH --ntasks-per-node=1\n#SBATCH --nodelist=h[0-1]\n#SBATCH --time=6\n"
        "#SBATCH --exclusive\n#SBATCH --no-requeue\n#SBATCH --output=/dev/null\n"
        "#SBATCH --partition=gpu\nexec sleep 360\n"
    )
    assert made.words("h1", ("true",)) == (
        *("srun", "--jobid=7", "--overlap", "--nodes=1", "--ntasks=1", "--nodelist=h1"),
        *("--cpu-bind=none", "--input=none", "true"),
    )
    assert (made.release(), commands.cancelled) == ("", [7])


def test_job_that_is_given_is_not_ended(tmp_path):
    commands = Commands(JobState.RUNNING)
    made = backend(commands, tmp_path, job=9)
    made.reserve(("h0", "h1"), 4.2)
    assert (made.release(), commands.cancelled, commands.script) == ("", [], "")


def test_job_that_ends_before_it_runs_is_said_with_its_state(tmp_path):
    with pytest.raises(JobEnded, match="hold 2 nodes: job 7 ended as FAILED"):
        backend(Commands(JobState.FAILED), tmp_path).reserve(("h0", "h1"), 1.0)


def test_job_that_waits_too_long_is_said_with_its_reason(tmp_path):
    made = backend(Commands(JobState.PENDING), tmp_path, wait_seconds=0.0)
    with pytest.raises(Unreachable, match="job 7 has waited 0 s: Resources"):
        made.reserve(("h0", "h1"), 1.0)


def test_job_without_a_host_of_the_plan_is_refused(tmp_path):
    with pytest.raises(JobEnded, match="job 9 has not h2"):
        backend(Commands(JobState.RUNNING), tmp_path, job=9).reserve(("h0", "h2"), 1.0)
