"""``sunk job record``, ``diff`` and ``replay``: what a run was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli import exits, run_folder
from sunk.cli.lazy import Later
from sunk.cli.output import Form, OutputOption, say, show
from sunk.cli.run_folder import RunArgument, RunsOption
from sunk.errors import InputError

if TYPE_CHECKING:
    from sunk.render import strict_file
    from sunk.toolkit import catalogue, parameters, run_difference, runs, script
else:
    catalogue = Later("sunk.toolkit.catalogue")
    parameters = Later("sunk.toolkit.parameters")
    run_difference = Later("sunk.toolkit.run_difference")
    runs = Later("sunk.toolkit.runs")
    script = Later("sunk.toolkit.script")
    strict_file = Later("sunk.render.strict_file")


def record(run: RunArgument, run_dir: RunsOption = None, output: OutputOption = Form.YAML) -> None:
    """Print what a run was made from.

    Template and parameters, digest of the script, version of sunk, and what it was submitted from:
    git commit and a digest of changes beside it, Python, and the variables that change jobs, with
    secrets masked. Changes nothing.

    Exit codes: 0 printed; 2 no such run, or it has no record.

    For example:

    - `sunk job record 17`
    """
    show(_record(run_folder.find(run, run_dir, "show")), output)


def diff(
    first: RunArgument,
    second: Annotated[str, typer.Argument(metavar="RUN|JOBID", help="The other run.")],
    run_dir: RunsOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Say how two runs differ, what decides a job first.

    Template, cluster, parameters, code, environment, versions, then the script, which follows from
    these. Numbers and times of the runs themselves are left out. Changes nothing.

    Exit codes: 0 they do not differ; 1 they do; 2 no such run, or it has no record.

    For example:

    - `sunk job diff 17 18`
    """
    records = [_record(run_folder.find(one, run_dir, "compare")) for one in (first, second)]
    found = run_difference.differences(*records)
    if output is Form.TABLE:
        say(f"first difference: {found[0].key}" if found else "no difference")
    if found or output is not Form.TABLE:
        show(found, output, ("key", "first", "second"))
    raise typer.Exit(exits.FAILED_CHECK if found else exits.OK)


def replay(run: RunArgument, run_dir: RunsOption = None) -> None:
    """Print the script that a run's record gives now, and say how it differs from the run's own.

    Another version of sunk may write another script. To submit it again, give the printed script
    or the run's own to sbatch, in a folder like the run's. Changes nothing.

    Exit codes: 0 it is the same; 1 it differs, and stderr shows how; 2 no such run, it has no
    record, or this version of sunk cannot make it any more.

    For example:

    - `sunk job replay 17`
    """
    found = run_folder.find(run, run_dir, "replay")
    made = _record(found)
    if made.get("cluster") is not None:
        say(f"made for cluster {made['cluster']} with its profile; here without one")
    template = catalogue.template_named(str(made.get("template")))
    values = made.get("parameters")
    if not isinstance(values, dict):
        raise InputError(f"replay {found.folder}: its record has no parameters")
    again = script.render_job(
        template, parameters.validated(template.form, values, str(found.folder))
    )
    typer.echo(again.script, nl=False)
    lines = script.differences(str(found.script), strict_file.load_text(found.script), again.script)
    say(lines.rstrip("\n") if lines else "the same script")
    raise typer.Exit(exits.FAILED_CHECK if lines else exits.OK)


def _record(run: runs.Run) -> dict[str, object]:
    found = runs.read_record(run.folder)
    if not found:
        raise InputError(f"read record of {run.folder}: there is none that can be read")
    return found
