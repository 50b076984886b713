"""``sunk job explain``: what failed first, what followed, and what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli import exits, run_folder
from sunk.cli.lazy import Later
from sunk.cli.output import Form, OutputOption, show
from sunk.cli.run_folder import RunArgument, RunsOption
from sunk.errors import CommandError, EnvironmentFault, InputError, RemoteError

if TYPE_CHECKING:
    from sunk.toolkit import catalogue, run_history, runs
    from sunk.toolkit import explain as explaining
    from sunk.toolkit import follow as following
    from sunk.wiring import login
else:
    catalogue = Later("sunk.toolkit.catalogue")
    explaining = Later("sunk.toolkit.explain")
    following = Later("sunk.toolkit.follow")
    run_history = Later("sunk.toolkit.run_history")
    runs = Later("sunk.toolkit.runs")
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
    another, the logs are read now, and Slurm is asked if it is at hand. Changes nothing.

    Exit codes: 0 it finished, or the run goes on; 1 the run was given up; 2 no such run or attempt;
    5 the attempt was not judged.

    For example:

    - `sunk job explain 17`
    - `sunk job explain ~/sunk-runs/fsdp2-20260102T030405 --attempt 0`
    """
    found = run_folder.find(run, run_dir, "explain")
    number = run_history.last_attempt(found.folder) if attempt is None else attempt
    if number is None:
        raise InputError(
            f"explain {found.folder}: it has no attempt yet",
            hint="sunk job list shows how its job is",
        )
    line = run_history.verdict(found.folder, number)
    if line is None:
        line = run_history.unjudged(found.folder, number)
        told = _slurm(found, number)
        if not told and number > (run_history.last_attempt(found.folder) or 0):
            raise InputError(
                f"explain {run}: attempt {number} left nothing there, and Slurm knows of none",
                hint="without --attempt the last one is explained",
            )
        template = str(runs.read_record(found.folder).get("template") or "")
        unjudged = "" if template in catalogue.judging() else template
        text = explaining.undecided(line, told, unjudged=unjudged)
        code = exits.UNKNOWN
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


def _slurm(run: runs.Run, attempt: int) -> str:
    """Return what Slurm says of an attempt; nothing where it cannot be asked: logs speak, too."""
    place = run_history.job_of_attempt(run, attempt)
    if place is None:
        return ""
    job_id, index = place
    try:
        slurm = login.slurm_commands()
        ended = slurm.allocations([job_id]).get(job_id, ())
        if index < len(ended):
            return explaining.run_ended(str(job_id), ended[index].state)
        return following.describe(slurm.job(job_id))
    except (RemoteError, CommandError, EnvironmentFault):
        return ""
