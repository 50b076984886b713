"""``sunk job check``: whether a job could ever start, before it is submitted."""

from __future__ import annotations

import getpass
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sunk.assess.verdict import exit_code
from sunk.cli import complete, exits
from sunk.cli.lazy import Later
from sunk.cli.output import Form, OutputOption, say, show
from sunk.errors import Rejected

if TYPE_CHECKING:
    from sunk.assess import presubmit, presubmit_start
    from sunk.assess.verdict import Finding
    from sunk.model.profile import ClusterProfile
    from sunk.render import profile as profiles
    from sunk.render import snapshot as snapshots
    from sunk.toolkit import job_file, request, saved, script
    from sunk.wiring import login
else:
    presubmit = Later("sunk.assess.presubmit")
    presubmit_start = Later("sunk.assess.presubmit_start")
    profiles = Later("sunk.render.profile")
    snapshots = Later("sunk.render.snapshot")
    job_file = Later("sunk.toolkit.job_file")
    request = Later("sunk.toolkit.request")
    saved = Later("sunk.toolkit.saved")
    script = Later("sunk.toolkit.script")
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
    profile: Annotated[
        Path | None,
        typer.Option(
            "--profile",
            metavar="FILE",
            help="Profile of the cluster, as for submit: it decides parts of the script.",
        ),
    ] = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Say whether a job could ever start here, and if not, why and where else.

    Reads partitions, nodes, QOS and associations once, and checks the partition and who may use it,
    the shapes of its nodes, limits of QOS and accounts, arrays and segments. FAIL: Slurm would
    refuse the job or keep it waiting for ever. Last, `sbatch --test-only` gets the script and says
    when and where it would start; with `--from` or for somebody else it is not asked.

    Changes nothing and submits nothing.

    Exit codes: 0 it could start; 1 it can never start; 2 a parameter or a text is wrong; 4 Slurm
    does not answer; 5 nothing is wrong, but something is not known.

    For example:

    - `sunk job check mpi --set nodes=4 --set partition=main`
    - `sunk job check ./job.yaml --from ./saved --user alice`
    """
    template, parameters = job_file.read_job(source, assign or [])
    if folder is None:
        said, accounting = login.slurm_says(), login.accounting_says()
    else:
        said, accounting = saved.saved_texts(folder), saved.saved_accounting(folder)
    wanted = request.request_of(parameters, user or getpass.getuser())
    found = presubmit.check_request(wanted, snapshots.snapshot(said, accounting))
    if folder is not None:
        found += (presubmit_start.not_asked("saved texts cannot say when a job would start"),)
    elif user not in {None, getpass.getuser()}:
        found += (presubmit_start.not_asked("Slurm says when a job would start only to its user"),)
    else:
        job = script.render_job(template, parameters, None if profile is None else _of(profile))
        found += (_estimate(job.script),)
    show(found, output, ("check", "verdict", "found", "remedy"))
    code = exit_code(tuple(one.verdict for one in found))
    if code == exits.OK and output is Form.TABLE:
        say("\nit could start")
    raise typer.Exit(code)


def _of(profile: Path) -> ClusterProfile:
    return profiles.load_profile(profile)[1]


def _estimate(text: str) -> Finding:
    """Ask Slurm when a script would start."""
    with tempfile.TemporaryDirectory(prefix="sunk-check-") as folder:
        file = Path(folder) / "job.sbatch"
        file.write_text(text)
        try:
            return presubmit_start.would_start(login.slurm_commands().start_estimate(file))
        except Rejected as exc:
            return presubmit_start.would_not_start(exc.message)
