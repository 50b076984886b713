"""squeue's list by fields: whatever stands in a name, and wherever it is cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.clients.slurm.cli_jobs import FIELDS, format_option, fresh_separator, parse_queue
from sunk.errors import UnexpectedReply
from sunk.model.slurm import TERMINAL_STATES, Job, JobId, JobState

SEPARATOR = "|00112233445566aa|"
HOSTILE = (
    "|",
    "a|b",
    "|00112233445566ab|",
    "last_update_time=1 records=0",
    "\x1f\x00\t",
    "\r",
    "名前",
    "(null)",
    "N/A",
    "%j",
)
texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=12).map(lambda text: text.replace("\n", "").replace("|0", "")),
)
paths = texts.map(lambda text: "/" + text.replace("%", "").replace("\\", ""))
times = st.integers(1, 2**32)


@st.composite
def job_records(draw: st.DrawFn) -> Job:
    state = draw(st.sampled_from([state for state in JobState if state is not JobState.UNKNOWN]))
    over = state in TERMINAL_STATES
    started = over or state in (JobState.RUNNING, JobState.SUSPENDED)
    signal = draw(st.integers(0, 64)) or None
    in_array = draw(st.booleans())
    return Job(
        job_id=JobId(draw(st.integers(1, 2**31))),
        state=state,
        array_job_id=JobId(draw(st.integers(1, 2**31))) if in_array else None,
        array_task_id=draw(st.one_of(st.none(), st.integers(0, 9999))) if in_array else None,
        name=draw(texts),
        user=draw(texts),
        account=draw(texts.filter(lambda text: text != "(null)")),
        partition=draw(texts),
        reason=draw(st.sampled_from(["", "Resources", "JobHeldUser"])),
        nodes=draw(st.sampled_from(["", "w[1-3]"])),
        exit_code=draw(st.integers(0, 255)) if over and signal is None else None,
        exit_signal=signal if over else None,
        submit_time=draw(st.one_of(st.none(), times)),
        start_time=draw(times) if started else None,
        end_time=draw(times) if over else None,
        planned_end=draw(times) if started and not over else None,
        restart_count=draw(st.integers(0, 9)),
        stdout_path=draw(paths),
        working_directory=draw(paths),
        node_count=draw(st.integers(0, 10_000)),
        cpus=draw(st.integers(0, 10_000)),
        tasks=draw(st.integers(0, 10_000)),
    )


def render_row(job: Job) -> str:
    """What squeue prints for a job, with its plans where there is no time yet."""
    array = job.job_id if job.array_job_id is None else job.array_job_id
    task = "N/A" if job.array_job_id is None else "0-3%2"
    started = job.start_time is not None
    fields = (
        job.job_id,
        array,
        task if job.array_task_id is None else job.array_task_id,
        job.name,
        job.user,
        job.account,
        job.partition,
        job.state.value,
        job.reason or "None",
        job.nodes,
        f"{job.exit_code or 0}:{job.exit_signal or 0}",
        job.submit_time or "N/A",
        job.start_time if started else 99,
        job.end_time or job.planned_end or "NONE",
        job.restart_count,
        job.stdout_path,
        job.working_directory,
        job.node_count,
        job.cpus,
        job.tasks or 4294967294,
    )
    return "".join(f"{field}{SEPARATOR}" for field in fields) + "\n"


def render(jobs: list[Job], as_of: int = 5) -> str:
    preamble = f"---\nverbose     = 1\n---\n\n\nlast_update_time={as_of} records={len(jobs)}\n"
    return preamble + "".join(map(render_row, jobs))


@given(st.lists(job_records(), max_size=5), times)
def test_jobs_of_any_name_are_read_as_they_were_printed(jobs, as_of):
    queue = parse_queue(render(jobs, as_of), SEPARATOR, "list jobs")
    assert (queue.jobs, queue.unclear, queue.as_of) == (tuple(jobs), (), as_of)


@given(st.lists(job_records(), min_size=1, max_size=3), st.data())
def test_list_that_is_cut_anywhere_is_refused(jobs, data):
    text = render(jobs)
    cut = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(UnexpectedReply):
        parse_queue(text[:cut], SEPARATOR, "list jobs")


@given(st.lists(job_records(), min_size=1, max_size=4), st.data())
def test_list_that_lacks_a_row_is_refused(jobs, data):
    lost = data.draw(st.integers(0, len(jobs) - 1))
    text = render(jobs).replace(render_row(jobs[lost]), "", 1)
    with pytest.raises(UnexpectedReply, match=rf"{len(jobs) - 1} of {len(jobs)} jobs"):
        parse_queue(text, SEPARATOR, "list jobs")


@given(st.lists(job_records(), min_size=1, max_size=3), st.data())
def test_list_that_lost_a_piece_in_the_middle_never_has_fewer_jobs(jobs, data):
    text = render(jobs)
    start = data.draw(st.integers(text.index("last_update"), len(text) - 1))
    end = data.draw(st.integers(start, len(text)))
    try:
        queue = parse_queue(text[:start] + text[end:], SEPARATOR, "list jobs")
    except UnexpectedReply:
        return
    assert len(queue.jobs) + len(queue.unclear) == len(jobs)


@given(job_records(), st.sampled_from(["\n", "x\n7", "\nlast_update_time=1 records=0\n"]))
def test_name_with_a_line_break_is_to_be_read_again(job, name):
    row = render_row(job).split(SEPARATOR)
    row[FIELDS.index("Name")] = name
    text = f"\nlast_update_time=5 records=1\n{SEPARATOR.join(row)}"
    queue = parse_queue(text, SEPARATOR, "list jobs")
    assert (queue.jobs, queue.unclear) == ((), (job.job_id,))


PLAIN = Job(job_id=JobId(12), state=JobState.PENDING, name="n", user="u", submit_time=1)


def with_field(field: str, value: str):
    row = render_row(PLAIN).split(SEPARATOR)
    row[FIELDS.index(field)] = value
    text = f"\nlast_update_time=5 records=1\n{SEPARATOR.join(row)}"
    return parse_queue(text, SEPARATOR, "list jobs")


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/o/%j.out", "/o/12.out"),
        ("/o/%A_%a", "/o/12_4294967294"),
        ("/%u/%x/%%", "/u/n/%"),
        ("(null)", ""),
    ],
)
def test_output_pattern_is_filled_in_as_slurm_does_it(pattern, path):
    assert with_field("STDOUT", pattern).jobs[0].stdout_path == path


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("STDOUT", "/o/%4j"),
        ("STDOUT", "/o/%N"),
        ("STDOUT", "/o/%"),
        ("STDOUT", "/o\\/%j"),
        ("State", "COMPLETING"),
        ("State", "UNKNOWN"),
        ("State", "SOMETHING_NEW"),
        ("Reason", "launch failed"),
        ("NumCPUs", "1.5K"),
        ("NumNodes", "2-4"),
        ("exit_code", ""),
        ("SubmitTime", "yesterday"),
    ],
)
def test_field_that_does_not_say_what_the_record_holds_is_to_be_read_again(field, value):
    queue = with_field(field, value)
    assert (queue.jobs, queue.unclear) == ((), (12,))


def test_details_behind_a_reason_are_no_part_of_it():
    queue = with_field("Reason", "ReqNodeNotAvail, May be reserved for other job")
    assert queue.jobs[0].reason == "ReqNodeNotAvail"


def test_row_without_a_number_is_refused():
    with pytest.raises(UnexpectedReply, match="job number"):
        with_field("JobID", "12_3")


def test_separators_differ_and_stand_behind_every_field():
    first, second = fresh_separator(), fresh_separator()
    assert first != second
    words = format_option(first).split(",")
    assert words == [f"{field}:{first}" for field in FIELDS]
    # squeue reads digits behind the colon as a width, and ends a field at a comma.
    assert re.fullmatch(r"\|[0-9a-f]{16}\|", first)
