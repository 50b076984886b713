"""Decoding what Slurm's commands said, whole and damaged; and what they are asked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.clients.kube.protocol import Executed
from sunk.clients.slurm.cli import UNCLEAR_MAX, CliSlurm
from sunk.errors import (
    ConfigError,
    Conflict,
    EnvironmentFault,
    InputError,
    NotFound,
    Rejected,
    RemoteError,
    SunkError,
    Unauthorized,
    UnexpectedReply,
    Unreachable,
)
from sunk.model.slurm import (
    DRAIN,
    JobId,
    JobState,
    JobSubmission,
    NodeName,
    NodeState,
    UserName,
)
from tests.recordings.record_slurm_commands import verbs

FOLDER = Path(__file__).resolve().parents[2] / "recordings" / "slurm_commands"
SEPARATOR = re.compile(r"\|[0-9a-f]{16}\|")
VERBS = verbs(JobId(1))
JOB = JobSubmission(script="#!/bin/sh\ntrue\n", name="n", working_directory="/tmp")


def recording(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text())


class Machine:
    """Answers every command with what `answer` makes of its words; remembers them."""

    def __init__(self, answer: Callable[[list[str]], Executed]) -> None:
        self.answer = answer
        self.commands: list[list[str]] = []
        self.variables: list[dict[str, str]] = []
        self.inputs: list[str] = []

    def __call__(self, argv, *, timeout_seconds, input_text=""):
        assert argv[:3] == ("env", "-i", "--")
        words = list(argv[3:])
        settings = {}
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            settings[name] = value
        self.variables.append(settings)
        self.commands.append(words)
        self.inputs.append(input_text)
        return self.answer(words)


def ended(status: int = 0, stdout: str = "", stderr: str = "") -> Callable[[list[str]], Executed]:
    return lambda _: Executed(status=status, stdout=stdout, stderr=stderr)


def replayed(name: str, cut: int | None = None) -> CliSlurm:
    """A client whose commands say what they said then; `cut` keeps so many characters."""
    said = recording(name)
    old = SEPARATOR.search(" ".join(said["argv"]))

    def answer(words: list[str]) -> Executed:
        stdout = said["stdout"][:cut]
        new = SEPARATOR.search(" ".join(words))
        if old and new:
            stdout = stdout.replace(old[0], new[0])
        return Executed(status=said["status"], stdout=stdout, stderr=said["stderr"])

    return CliSlurm(Machine(answer), on_warning=_no_warning)


def _no_warning(text: str) -> None:
    raise AssertionError(text)


def client(
    status: int = 0, stdout: str = "", stderr: str = "", **options: Any
) -> tuple[CliSlurm, Machine]:
    machine = Machine(ended(status, stdout, stderr))
    return CliSlurm(machine, **options), machine


# --- recordings --------------------------------------------------------------------------------


def test_recorded_nodes_are_read_with_states_and_flags():
    nodes = {str(node.name): node for node in replayed("nodes").nodes()}
    assert sorted(nodes) == ["w1", "w2", "w3"]
    assert nodes["w1"].state is NodeState.IDLE
    assert DRAIN in nodes["w2"].flags
    assert (nodes["w2"].reason, nodes["w2"].drained) == ("recorded drain", True)
    assert (nodes["w3"].cpus, nodes["w3"].real_memory_mib) == (4, 2000)


def test_recorded_node_is_the_one_of_the_list():
    assert replayed("node").node(NodeName("w1")) == replayed("nodes").nodes()[0]


def test_recorded_jobs_are_read_with_array_and_reason():
    done, held = replayed("jobs").jobs()
    assert (done.state, done.exit_code, done.array_job_id) == (JobState.COMPLETED, 0, None)
    assert (held.state, held.reason, held.start_time) == (JobState.PENDING, "JobHeldUser", None)
    assert (held.array_job_id, held.array_task_id) == (held.job_id, None)


def test_recorded_job_reads_as_it_does_in_the_list():
    assert replayed("job").job(JobId(1)) == replayed("jobs").jobs()[0]


def test_recorded_history_agrees_with_the_controller():
    (past,) = replayed("history").history(JobId(1))
    assert (past.state, past.exit_code, past.account) == (JobState.COMPLETED, 0, "default")


def test_recorded_accounting_is_read():
    assert "default" in {account.name for account in replayed("accounts").accounts()}
    assert UserName("alice") in {user.name for user in replayed("users").users()}
    assert replayed("user").user(UserName("alice")).default_account == "default"
    found = {(a.account, a.user) for a in replayed("associations").associations()}
    assert ("default", "alice") in found


def test_recorded_ping_names_cluster_and_release():
    ping = replayed("ping").ping()
    assert (ping.cluster, ping.controller_up, ping.version) == ("lab", True, "24.11.5")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("node-unknown", NotFound),
        ("drain-unknown", NotFound),
        ("delete-unknown", NotFound),
        ("job-unknown", NotFound),
        ("cancel-unknown", NotFound),
        ("requeue-unknown", NotFound),
        ("history-unknown", NotFound),
        ("resume-idle", Rejected),
        ("submit-nowhere", Rejected),
    ],
)
def test_recorded_refusals_are_told_apart(name, kind):
    with pytest.raises(RemoteError) as caught:
        VERBS[name](replayed(name))
    assert caught.type is kind


def test_recorded_drain_by_a_person_is_unauthorized():
    with pytest.raises(Unauthorized, match="drain node w1"):
        replayed("drain-unauthorized").drain(NodeName("w1"), "test")


def test_recorded_slurm_without_a_controller_is_unreachable():
    with pytest.raises(Unreachable) as caught:
        replayed("unreachable").nodes()
    assert caught.value.transient


def test_job_that_ended_already_is_cancelled_without_a_word():
    replayed("cancel-ended").cancel(JobId(1))


LISTS = ("nodes", "partitions", "jobs", "accounts", "users", "associations", "history", "ping")


@pytest.mark.parametrize("name", LISTS)
@given(data=st.data())
def test_output_that_is_cut_anywhere_is_an_unexpected_reply(name, data):
    whole = recording(name)["stdout"].rstrip("\n")
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(UnexpectedReply):
        VERBS[name](replayed(name, cut))


def test_list_of_jobs_that_is_cut_at_any_character_is_an_unexpected_reply():
    for cut in range(len(recording("jobs")["stdout"])):
        with pytest.raises(UnexpectedReply):
            replayed("jobs", cut).jobs()


@pytest.mark.parametrize("name", LISTS)
@given(stdout=st.text(max_size=80), status=st.sampled_from([0, 1, 127, 137]))
def test_any_output_with_any_status_is_an_error_of_ours(name, stdout, status):
    with pytest.raises(SunkError):
        VERBS[name](client(status, stdout, on_warning=lambda _: None)[0])


# --- unknown is not absent ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["node-unknown", "nodes"])
def test_list_without_a_time_of_change_was_not_sent_by_slurmctld(name):
    said = json.loads(recording(name)["stdout"])
    said["last_update"]["number"] = 0
    with pytest.raises(UnexpectedReply, match="time stamp"):
        VERBS[name](client(stdout=json.dumps(said))[0])


def test_error_inside_an_answer_is_not_an_empty_list():
    said = json.loads(recording("nodes")["stdout"])
    said["nodes"] = []
    said["errors"] = [{"description": "x", "error": "gone", "error_number": 1800}]
    with pytest.raises(Unreachable, match="list nodes"):
        client(stdout=json.dumps(said))[0].nodes()


@pytest.mark.parametrize(
    ("status", "stderr", "kind"),
    [
        (1, "scontrol: error: failed to connect to any sack sockets\nx: Invalid user id", 0),
        (1, "slurm_load_node error: Socket timed out on send/recv operation", 0),
        (1, "slurm_load_node error: Requested nodes are busy", Conflict),
        (1, "a: Invalid node name specified\nb: Requested nodes are busy\n", Conflict),
        (1, "slurm_load_node error: Something that nobody knows", UnexpectedReply),
        (137, "", UnexpectedReply),
        (1, "x: Invalid node name specified: but another end", UnexpectedReply),
        (127, "env: 'scontrol': No such file or directory", EnvironmentFault),
        (
            1,
            "scontrol: error: application/json output not supported by data_parser/v0.0.42",
            ConfigError,
        ),
    ],
)
def test_failures_are_of_the_kind_that_their_text_says(status, stderr, kind):
    with pytest.raises(SunkError, match="list nodes") as caught:
        client(status, stderr=stderr)[0].nodes()
    assert caught.type is (kind or Unreachable)


def test_requeue_without_a_controller_is_unreachable():
    with pytest.raises(Unreachable):
        client(1, stderr="Unexpected message received for job 5")[0].requeue(JobId(5))


def test_warnings_are_told():
    said = json.loads(recording("nodes")["stdout"])
    said["warnings"] = [{"description": "field ignored", "source": "here"}]
    warned: list[str] = []
    stdout = json.dumps(said)
    client(stdout=stdout, stderr="odd", on_warning=warned.append)[0].nodes()
    assert warned == ["list nodes: odd", "list nodes: here field ignored"]


# --- what is asked -----------------------------------------------------------------------------


def test_commands_see_the_variables_that_they_are_given_and_a_path_and_no_other(monkeypatch):
    monkeypatch.setenv("SQUEUE_STATES", "RUNNING")
    slurm, machine = client(variables={"SLURM_CONF": "/x"})
    slurm.resume(NodeName("w1"))
    assert sorted(machine.variables[0]) == ["PATH", "SLURM_CONF"]


def test_reason_is_one_word_that_ends_with_its_own_quotes():
    slurm, machine = client()
    slurm.drain(NodeName("w1"), '"x" State=IDLE')
    assert machine.commands == [
        ["scontrol", "update", "NodeName=w1", "State=DRAIN", 'Reason=""x" State=IDLE"']
    ]


@pytest.mark.parametrize("name", ["-x", "w1,w2", "w1 State=IDLE", "a=b", "w[1-2]", ""])
def test_name_that_is_more_than_a_name_is_never_sent(name):
    slurm, machine = client()
    for verb in (
        lambda: slurm.node(NodeName(name)),
        lambda: slurm.delete_node(NodeName(name)),
        lambda: slurm.user(UserName(name)),
        lambda: slurm.submit(replace(JOB, required_nodes=(name,))),
    ):
        with pytest.raises(InputError):
            verb()
    assert machine.commands == []


def test_every_value_of_a_job_is_part_of_its_option():
    full = JobSubmission(
        script="#!/bin/sh\ntrue\n",
        name="--wrap=evil",
        working_directory="/w",
        environment={"B": "2 =", "A": "1"},
        partition="p",
        account="a",
        qos="q",
        reservation="r",
        nodes="2-4",
        required_nodes=("w1", "w2"),
        tasks=8,
        tasks_per_node=2,
        cpus_per_task=3,
        memory_per_node_mib=0,
        time_limit_minutes=90,
        features="x&y",
        gres_per_node="gres/gpu:h200:8,shard:1",
        array="0-9%2",
        dependency="afterok:5",
        hold=True,
        requeue=False,
        stdout_path="/o",
        stderr_path="/e",
        comment="-c",
    )
    slurm, machine = client(stdout="77;lab\n")
    assert slurm.submit(full) == 77
    assert machine.commands == [
        [
            "sbatch",
            *("--parsable", "--ignore-pbs", "--propagate=NONE", "--job-name=--wrap=evil"),
            *("--chdir=/w", "--partition=p", "--account=a", "--qos=q", "--reservation=r"),
            *("--nodes=2-4", "--nodelist=w1,w2", "--ntasks=8", "--ntasks-per-node=2"),
            *("--cpus-per-task=3", "--mem=0M", "--time=90", "--constraint=x&y"),
            *("--gres=gpu:h200:8,shard:1", "--array=0-9%2", "--dependency=afterok:5"),
            *("--output=/o", "--error=/e", "--comment=-c", "--hold", "--no-requeue"),
        ]
    ]
    assert machine.inputs == ["#!/bin/sh\ntrue\n"]
    assert {name: machine.variables[0][name] for name in "AB"} == {"A": "1", "B": "2 ="}


@pytest.mark.parametrize(
    "change",
    [
        {"script": "#!/bin/sh\n#SBATCH --partition=x\ntrue\n"},
        {"script": "#!/bin/sh\n\n# text\n#SBATCH -p x\n"},
        {"environment": {"SBATCH_PARTITION": "x"}},
        {"environment": {"SLURM_CLUSTERS": "x"}},
        {"environment": {"": "x"}},
        {"environment": {"A=B": "x"}},
        {"gres_per_node": "license/matlab:1"},
        {"comment": "\0"},
    ],
)
def test_job_that_would_mean_something_else_over_rest_is_never_sent(change):
    slurm, machine = client()
    with pytest.raises(InputError):
        slurm.submit(replace(JOB, **change))
    assert machine.commands == []


def test_sbatch_line_behind_the_first_command_is_text_as_it_is_for_sbatch():
    slurm, machine = client(stdout="1\n")
    script = "#!/bin/sh\ncat <<X\n#SBATCH -p x\nX\n"
    slurm.submit(replace(JOB, script=script))
    assert machine.inputs == [script]


@pytest.mark.parametrize("said", ["", "Submitted batch job 7", "²"])
def test_sbatch_that_prints_no_number_is_an_unexpected_reply(said):
    with pytest.raises(UnexpectedReply):
        client(stdout=said)[0].submit(JOB)


def test_job_on_a_node_that_nobody_has_is_rejected_and_not_a_missing_object():
    said = "sbatch: error: Batch job submission failed: Invalid node name specified"
    with pytest.raises(SunkError) as caught:
        client(1, stderr=said)[0].submit(JOB)
    assert caught.type is Rejected


# --- jobs that the fields do not tell ----------------------------------------------------------


def queue_of(*rows: tuple[str, str]) -> Callable[[list[str]], Executed]:
    """A squeue with jobs of these numbers and states; its JSON has them all COMPLETED."""

    def answer(words: list[str]) -> Executed:
        separator = SEPARATOR.search(" ".join(words))
        if separator is None:
            body = json.loads(recording("job")["stdout"])
            listed = [{**body["jobs"][0], "job_id": int(number)} for number, _ in rows]
            return Executed(status=0, stdout=json.dumps({**body, "jobs": listed}), stderr="")
        text = f"\nlast_update_time=5 records={len(rows)}\n"
        for number, state in rows:
            fields = [number, number, "N/A", "n", "u", "a", "p", state, "None", "w1", "0:0"]
            fields += ["1", "2", "3", "0", "/o", "/w", "1", "1", "1"]
            text += "".join(field + separator[0] for field in fields) + "\n"
        return Executed(status=0, stdout=text, stderr="")

    return answer


def test_job_whose_base_state_a_flag_hides_is_read_again_alone():
    machine = Machine(queue_of(("7", "COMPLETING"), ("3", "RUNNING")))
    jobs = CliSlurm(machine).jobs()
    assert [(job.job_id, job.state) for job in jobs] == [
        (3, JobState.RUNNING),
        (7, JobState.COMPLETED),
    ]
    assert [words[-1] for words in machine.commands][1:] == ["--jobs=7"]


def test_many_such_jobs_are_read_again_in_one_list():
    rows = [(str(number), "COMPLETING") for number in range(1, UNCLEAR_MAX + 2)]
    machine = Machine(queue_of(*rows))
    assert len(CliSlurm(machine).jobs()) == len(rows)
    assert machine.commands[1:] == [["squeue", "--json=v0.0.42", "--all", "--states=all"]]


def test_unchanged_jobs_are_none_after_their_last_change():
    slurm = CliSlurm(Machine(queue_of(("3", "RUNNING"))))
    listing = slurm.jobs_since(5)
    assert listing is not None
    assert (listing.as_of, slurm.jobs_since(6)) == (5, None)
