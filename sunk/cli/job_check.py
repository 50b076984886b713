"""``sunk job check``: whether a job could ever start, before it is submitted."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sunk.assess.verdict import exit_code
from sunk.cli import complete, exits
from sunk.cli.lazy import Later
from sunk.cli.output import Form, OutputOption, say, show

if TYPE_CHECKING:
    from sunk.assess import presubmit
    from sunk.render import snapshot as snapshots
    from sunk.toolkit import job_file, request, saved
    from sunk.wiring import login
else:
    presubmit = Later("sunk.assess.presubmit")
    snapshots = Later("sunk.render.snapshot")
    job_file = Later("sunk.toolkit.job_file")
    request = Later("sunk.toolkit.request")
    saved = Later("sunk.toolkit.saved")
    login = Later("sunk.wiring.login")


def check(
    source: Annotated[
        str,
        typer.Argument(
            metavar="TEMPLATE|FILE",
            help="A template's name, or a job file (YAML).",
            autocompletion=complete.templates,
        ),
    ],
    assign: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A parameter; wins over the file. Repeatable."
        ),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option("--user", metavar="NAME", help="Who would submit it; you when absent."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FOLDER",
            help="Saved texts instead of Slurm's answers: config.txt, partitions.txt and, if "
            "there, topology.txt, nodes.txt, qos.txt, associations.txt, users.txt.",
        ),
    ] = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Say whether a job could ever start here, and if not, why and where else.

    Reads partitions, nodes, QOS and associations once, and checks the partition and who may use it,
    the shapes of its nodes, limits of QOS and accounts, arrays and segments. FAIL: Slurm would
    refuse the job or keep it waiting for ever. Changes nothing and submits nothing.

    Exit codes: 0 it could start; 1 it can never start; 2 a parameter or a text is wrong; 4 Slurm
    does not answer; 5 nothing is wrong, but something is not known.

    For example:

    - `sunk job check mpi --set nodes=4 --set partition=main`
    - `sunk job check ./job.yaml --from ./saved --user alice`
    """
    _, parameters = job_file.read_job(source, assign or [])
    if folder is None:
        said, accounting = login.slurm_says(), login.accounting_says()
    else:
        said, accounting = saved.saved_texts(folder), saved.saved_accounting(folder)
    wanted = request.request_of(parameters, user or getpass.getuser())
    found = presubmit.check_request(wanted, snapshots.snapshot(said, accounting))
    show(found, output, ("check", "verdict", "found", "remedy"))
    code = exit_code(tuple(one.verdict for one in found))
    if code == exits.OK and output is Form.TABLE:
        say("\nit could start")
    raise typer.Exit(code)
