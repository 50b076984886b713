from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.clients.process import Completed
from sunk.clients.slurm.commands import SlurmCommands, job_from_sacct, parse_state
from sunk.errors import NotFound, Rejected, Unauthorized, UnexpectedReply, Unreachable
from sunk.model.accounting import Allocation
from sunk.model.slurm import JobId, JobState

ID = JobId(7)
S = "\x1f"


class Answers:
    """Answers each program with what it was given."""

    def __init__(self, **answers: tuple[int, str, str]) -> None:
        self.answers = answers
        self.calls: list[tuple[tuple[str, ...], dict | None]] = []

    def __call__(self, argv, *, timeout_seconds, env=None, check=True):
        self.calls.append((tuple(map(str, argv)), env))
        status, out, err = self.answers[argv[0]]
        return Completed(argv=tuple(argv), status=status, stdout=out, stderr=err)


def submit(answers: Answers, environment=()) -> JobId:
    commands = SlurmCommands(answers, lambda: environment)
    return commands.submit(Path("/r/job.sbatch"), Path("/r"))


@pytest.mark.parametrize("out", ["7\n", "7;cluster\n"])
def test_submitted_job_has_the_number_that_sbatch_prints(out):
    assert submit(Answers(sbatch=(0, out, ""))) == 7


def test_variables_of_a_surrounding_job_and_those_that_win_over_the_script_are_taken_out():
    answers = Answers(sbatch=(0, "7", ""))
    submit(answers, ["SBATCH_PARTITION", "PATH", "SLURM_CONF", "SLURM_JOB_ID", "SLURM_MEM_PER_CPU"])
    argv, env = answers.calls[0]
    assert argv == ("sbatch", "--parsable", "--chdir=/r", "/r/job.sbatch")
    assert env == {"SBATCH_PARTITION": None, "SLURM_JOB_ID": None, "SLURM_MEM_PER_CPU": None}


@pytest.mark.parametrize(
    ("err", "kind"),
    [
        ("sbatch: error: invalid partition specified: nope", Rejected),
        ("sbatch: error: Unable to contact slurm controller (connect failure)", Unreachable),
        ("sbatch: error: Invalid account or account/partition combination", Unauthorized),
    ],
)
def test_refusals_are_told_apart(err, kind):
    with pytest.raises(kind, match=r"submit /r/job\.sbatch"):
        submit(Answers(sbatch=(1, "", err)))


def test_sbatch_that_prints_no_number_is_an_unexpected_reply():
    with pytest.raises(UnexpectedReply):
        submit(Answers(sbatch=(0, "Submitted batch job 7", "")))


def test_running_job_comes_from_squeue_alone():
    line = S.join(["7", "RUNNING", "None", "w-[0-1]", "n", "alice", "default", "main"])
    answers = Answers(squeue=(0, line + "\n", ""))
    job = SlurmCommands(answers).job(ID)
    assert (job.state, job.nodes, job.reason) == (JobState.RUNNING, "w-[0-1]", "")


def test_ended_job_gets_its_exit_code_from_sacct():
    queue = S.join(["7", "FAILED", "NonZeroExitCode", "w-0", "n", "alice", "default", "main"])
    account = S.join(["7", "FAILED", "3:0", "w-0", "n", "alice", "default", "main"])
    job = SlurmCommands(Answers(squeue=(0, queue, ""), sacct=(0, account, ""))).job(ID)
    assert (job.state, job.exit_code, job.exit_signal) == (JobState.FAILED, 3, None)


def test_job_that_only_sacct_remembers_is_found():
    account = S.join(["7", "CANCELLED by 0", "0:15", "None assigned", "n", "a", "d", "m"])
    answers = Answers(
        squeue=(1, "", "slurm_load_jobs error: Invalid job id specified"), sacct=(0, account, "")
    )
    job = SlurmCommands(answers).job(ID)
    assert (job.state, job.exit_signal, job.nodes) == (JobState.CANCELLED, 15, "")


def test_job_that_nobody_knows_is_not_found():
    answers = Answers(squeue=(1, "", "Invalid job id specified"), sacct=(0, "", ""))
    with pytest.raises(NotFound, match="neither slurmctld nor slurmdbd"):
        SlurmCommands(answers).job(ID)


def test_line_of_another_job_is_never_taken():
    other = S.join(["8", "COMPLETED", "0:0", "w-0", "n", "a", "d", "m"])
    answers = Answers(squeue=(0, "", ""), sacct=(0, other, ""))
    with pytest.raises(NotFound):
        SlurmCommands(answers).job(ID)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("COMPLETED", JobState.COMPLETED),
        ("CANCELLED by 2001", JobState.CANCELLED),
        ("CANCELLED+", JobState.CANCELLED),
        ("COMPLETING", JobState.RUNNING),
        ("CONFIGURING", JobState.PENDING),
        ("", JobState.UNKNOWN),
        ("SOMETHING_NEW", JobState.UNKNOWN),
    ],
)
def test_states_are_read_as_slurm_prints_them(text, state):
    assert parse_state(text) is state


@given(st.text())
def test_any_state_text_is_a_state(text):
    assert parse_state(text) in JobState


@given(code=st.text(max_size=10))
def test_any_exit_code_text_is_read_without_a_crash(code):
    job = job_from_sacct(ID, ["7", "FAILED", code, "w", "n", "u", "a", "p"])
    assert job.exit_code is None or job.exit_code >= 0


def test_elements_of_an_array_come_from_squeue_while_they_live_and_from_sacct_then():
    queued = [
        ("7", "1", "RUNNING", "None", "w-1", "a", "alice", "lab", "main"),
        ("7", "2-3", "PENDING", "JobArrayTaskLimit", "", "a", "alice", "lab", "main"),
        ("7", "0", "COMPLETED", "None", "w-0", "a", "alice", "lab", "main"),
        ("8", "0", "RUNNING", "None", "w-9", "a", "alice", "lab", "main"),
    ]
    ended = [
        ("7_0", "COMPLETED", "0:0", "w-0", "a", "alice", "lab", "main"),
        ("7_1", "RUNNING", "0:0", "w-1", "a", "alice", "lab", "main"),
        ("7_[2-3]", "PENDING", "0:0", "None assigned", "a", "alice", "lab", "main"),
    ]
    answers = Answers(
        squeue=(0, "".join(S.join(row) + "\n" for row in queued), ""),
        sacct=(0, "".join(S.join(row) + "\n" for row in ended), ""),
    )
    found = SlurmCommands(answers).elements(ID)
    assert [(one.array_task_id, one.state, one.exit_code) for one in found] == [
        (0, JobState.COMPLETED, 0),
        (1, JobState.RUNNING, None),
    ]


def test_array_that_nobody_knows_is_not_found():
    answers = Answers(
        squeue=(1, "", "slurm_load_jobs error: Invalid job id specified"), sacct=(0, "", "")
    )
    with pytest.raises(NotFound, match="find job 7"):
        SlurmCommands(answers).elements(ID)


def queued(base, index, number, state, nodes="w-0"):
    return S.join([base, index, number, state, "None", nodes, "n", "alice", "default", "main"])


def accounted(name, state, code="0:0"):
    return S.join([name, state, code, "w-0", "n", "alice", "default", "main"])


def test_many_jobs_are_asked_for_at_once_and_only_the_rest_of_accounting():
    lines = [
        queued("7", "N/A", "7", "RUNNING"),
        queued("8", "0", "10", "RUNNING"),
        queued("8", "1", "11", "PENDING", ""),
        queued("8", "2", "12", "FAILED"),
    ]
    history = [accounted("8_2", "FAILED", "3:0"), accounted("8_0", "PREEMPTED")]
    history += [accounted("9", "COMPLETED"), accounted("8_[4-9]", "PENDING")]
    answers = Answers(squeue=(0, "\n".join(lines), ""), sacct=(0, "\n".join(history), ""))
    wanted = [(JobId(7), None), *((JobId(8), index) for index in range(3)), (JobId(9), None)]
    found = SlurmCommands(answers).jobs([*wanted, (JobId(10), None)])
    assert {key: (job.state.value, job.exit_code) for key, job in found.items()} == {
        (7, None): ("RUNNING", None),
        (8, 0): ("RUNNING", None),
        (8, 1): ("PENDING", None),
        (8, 2): ("FAILED", 3),
        (9, None): ("COMPLETED", 0),
    }
    assert [
        next(word for word in argv if word.startswith("--jobs=")) for argv, _ in answers.calls
    ] == ["--jobs=7,8,9,10", "--jobs=8,9,10"]


def test_accounting_that_is_away_leaves_what_squeue_knows():
    down = (1, "", "sacct: error: Slurm accounting storage is disabled")
    answers = Answers(squeue=(0, queued("7", "N/A", "7", "FAILED"), ""), sacct=down)
    found = SlurmCommands(answers).jobs([(ID, None), (JobId(8), None)])
    assert {key: job.state.value for key, job in found.items()} == {(7, None): "FAILED"}


def test_jobs_that_squeue_never_heard_of_are_asked_of_accounting():
    unknown = (1, "", "slurm_load_jobs error: Invalid job id specified")
    answers = Answers(squeue=unknown, sacct=(0, accounted("7", "COMPLETED"), ""))
    found = SlurmCommands(answers).jobs([(ID, None)])
    assert {key: job.state.value for key, job in found.items()} == {(7, None): "COMPLETED"}


def test_silent_controller_means_that_nothing_is_known_and_accounting_is_not_asked():
    gone = (1, "", "slurm_load_jobs error: Unable to contact slurm controller")
    answers = Answers(squeue=gone)
    with pytest.raises(Unreachable):
        SlurmCommands(answers).jobs([(ID, None)])


def test_ten_thousand_jobs_are_a_few_commands_of_bearable_length():
    answers = Answers(squeue=(0, "", ""), sacct=(0, "", ""))
    SlurmCommands(answers).jobs([(JobId(10_000_000 + one), None) for one in range(10_000)])
    assert len(answers.calls) == 20
    assert max(len(" ".join(argv)) for argv, _ in answers.calls) < 20_000


@pytest.mark.parametrize(("element", "name"), [(None, "7"), (3, "7_3")])
def test_cancel_names_the_job_or_the_element(element, name):
    answers = Answers(scancel=(0, "", ""))
    SlurmCommands(answers).cancel(ID, element)
    assert [argv for argv, _ in answers.calls] == [("scancel", name)]


def test_allocations_are_each_run_of_each_job_in_order_with_what_it_was_given():
    tres = "billing=8,cpu=4,gres/gpu=8,mem=1G,node=2"
    lines = [
        ["17", "CANCELLED by 1001", "300", "Unknown", "400", ""],
        ["17", "PREEMPTED", "100", "110", "290", tres],
        ["170", "RUNNING", "100", "110", "Unknown", tres],
        ["noise"],
    ]
    answers = Answers(sacct=(0, "".join(S.join(one) + "\n" for one in lines), ""))
    found = SlurmCommands(answers).allocations([JobId(170), ID, JobId(17)])
    given = {"nodes": 2, "billing": 8}
    preempted = {"submit_time": 100, "start_time": 110, "end_time": 290, **given}
    assert found == {
        17: (
            Allocation(job_id=JobId(17), state="PREEMPTED", **preempted),
            Allocation(job_id=JobId(17), state="CANCELLED by 1001", submit_time=300, end_time=400),
        ),
        170: (
            Allocation(
                job_id=JobId(170), state="RUNNING", submit_time=100, start_time=110, **given
            ),
        ),
    }
    (argv, env) = answers.calls[0]
    assert ("--duplicates" in argv, "--jobs=7,17,170" in argv) == (True, True)
    assert env == {"SLURM_TIME_FORMAT": "%s"}
