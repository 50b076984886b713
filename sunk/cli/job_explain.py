"""``sunk job explain``: what failed first, what followed, and what was done."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from sunk.cli import exits, run_folder
from sunk.cli.lazy import Later
from sunk.cli.output import Form, OutputOption, show
from sunk.cli.run_folder import RunArgument, RunsOption
from sunk.errors import CommandError, EnvironmentFault, InputError, RemoteError

if TYPE_CHECKING:
    from sunk.toolkit import array_ends, run_history, runs
    from sunk.toolkit import explain as explaining
    from sunk.toolkit import follow as following
    from sunk.wiring import login
else:
    array_ends = Later("sunk.toolkit.array_ends")
    explaining = Later("sunk.toolkit.explain")
    following = Later("sunk.toolkit.follow")
    run_history = Later("sunk.toolkit.run_history")
    login = Later("sunk.wiring.login")


def explain(
    run: RunArgument,
    attempt: Annotated[
        int | None,
        typer.Option("--attempt", metavar="N", min=0, help="Which attempt; the last when absent."),
    ] = None,
    run_dir: RunsOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Say in one paragraph what became of an attempt of a run.

    What failed first, by rank, node and time; what only followed from it; what was done; how many
    restarts are left. An attempt that its batch script judged is in `record/ledger.jsonl`; of
    another, and of templates that never start again, the logs are read now, and Slurm is asked if
    it is at hand. Of an array the elements that failed are named, each with what its log says.
    Changes nothing.

    Exit codes: 0 it finished, or the run goes on; 1 it failed, or the run was given up; 2 no such
    run or attempt; 5 the attempt was not judged, or Slurm does not say how the job ended.

    For example:

    - `sunk job explain 17`
    - `sunk job explain ~/sunk-runs/fsdp2-20260102T030405 --attempt 0`
    """
    found = run_folder.find(run, run_dir, "explain")
    if found.elements is not None and found.job_id is not None:
        _array(found, output)
    last = run_history.last_attempt(found.folder)
    if last is None and found.job_id is None:
        raise InputError(f"explain {found.folder}: it was not submitted")
    last = last or 0
    number = last if attempt is None else attempt
    if number > last:
        raise InputError(f"explain attempt {number} of {found.folder}: the last one is {last}")
    line = run_history.verdict(found.folder, number)
    if line is None:
        line = run_history.unjudged(found.folder, number)
        text, code = _unjudged(found, line, str(number + 1) if last > number else "")
    else:
        history = [one for one in run_history.attempts(found.folder) if one.number < number]
        successor = run_history.successor(found.folder, number)
        text = explaining.paragraph(line, history, successor=successor)
        given_up = line["action"] == "stop" and line["class"] != "done"
        code = exits.FAILED_CHECK if given_up else exits.OK
    if output is Form.TABLE:
        typer.echo(text)
    else:
        show({**line, "said": text}, output)
    raise typer.Exit(code)


def _unjudged(run: runs.Run, line: Mapping[str, Any], next_one: str) -> tuple[str, int]:
    """Return the paragraph on an attempt without a verdict, and the exit code for it."""
    state, said = _slurm(run, line["attempt"])
    if run_history.judges_itself(run.folder):
        text = explaining.undecided(line, said, state=state, next_one=next_one)
        return text, exits.UNKNOWN
    return explaining.unjudging(line, state, said), _code({state})


def _array(run: runs.Run, output: Form) -> NoReturn:
    elements = array_ends.ends_of(run, login.slurm_commands())
    said = explaining.array(elements)
    typer.echo(said) if output is Form.TABLE else show({"elements": elements, "said": said}, output)
    raise typer.Exit(_code({one.state for one in elements}))


def _code(states: Set[str]) -> int:
    """Return the exit code for jobs that nobody judged, by Slurm's words; a new one is unknown."""
    if states & explaining.FAILED_STATES:
        return exits.FAILED_CHECK
    return exits.OK if states == {"COMPLETED"} else exits.UNKNOWN


def _slurm(run: runs.Run, attempt: int) -> tuple[str, str]:
    """Return the state of an attempt and what to say of it, as Slurm has it.

    Both are empty where Slurm cannot be asked: the logs speak, too.
    """
    place = run_history.job_of_attempt(run, attempt)
    if place is None:
        return "", ""
    job_id, index = place
    try:
        slurm = login.slurm_commands()
        ended = slurm.allocations([job_id]).get(job_id, ())
        if index < len(ended):
            state = ended[index].state
            return state.split()[0].rstrip("+"), explaining.run_ended(str(job_id), state)
        job = slurm.job(job_id)
    except (RemoteError, CommandError, EnvironmentFault):
        return "", ""
    return job.state.value, following.describe(job)
