"""``sunk profile``: what jobs need to know of a cluster: detect, show, validate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli import exits
from sunk.cli.lazy import Later
from sunk.cli.output import Form, OutputOption, say, show
from sunk.cli.run_folder import RunsOption, runs_folder
from sunk.errors import InputError

if TYPE_CHECKING:
    from sunk.model.profile import ClusterProfile
    from sunk.render import profile as files
    from sunk.render import profile_detect, profile_probe
    from sunk.toolkit import node_probe, saved
    from sunk.wiring import login
else:
    files = Later("sunk.render.profile")
    profile_detect = Later("sunk.render.profile_detect")
    node_probe = Later("sunk.toolkit.node_probe")
    profile_probe = Later("sunk.render.profile_probe")
    saved = Later("sunk.toolkit.saved")
    login = Later("sunk.wiring.login")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="""What jobs need to know of a cluster: partitions, fabric, containers, prices, mounts.

For example:

- `sunk profile detect > profile.yaml`
- `sunk profile show profile.yaml`
""",
)

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="A cluster profile, YAML or JSON.")
]


@app.command()
def detect(
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FOLDER",
            help="Saved texts instead of Slurm's answers: config.txt, partitions.txt and, if "
            "there, topology.txt and nodes.txt.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="Name of the profile [default: ClusterName]."),
    ] = None,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe", help="Run one short job, to find out what a node has; it leaves nothing."
        ),
    ] = False,
    probe_partition: Annotated[
        str | None,
        typer.Option(
            "--probe-partition",
            metavar="NAME",
            help="With --probe: whose nodes [default: those of jobs that name no partition].",
        ),
    ] = None,
    probe_seconds: Annotated[
        int,
        typer.Option(
            "--probe-seconds",
            metavar="SECONDS",
            min=120,
            max=86400,
            help="With --probe: after these Slurm drops the job if it could not run.",
        ),
    ] = 300,
    run_dir: RunsOption = None,
    output: OutputOption = Form.YAML,
) -> None:
    """Print the profile that Slurm's own words make.

    Reads scontrol show config, partition, topology and node. What only a job on a node can find
    out, or the site knows, is listed under `unknown`, each with what would find it: fill it in and
    take it off the list. With `--probe` a job of one task does that for adapters, their rates and
    what starts containers; one node then speaks for all of them.

    Changes nothing, and starts no job. With `--probe`: one job, which is cancelled when this
    command is ended and dropped by Slurm at its deadline, and one folder below `--run-dir`, which
    is removed.

    Exit codes: 0 printed; 1 the probe ended without a result; 2 a text is not what it should be; 3
    the folder cannot be made; 4 Slurm does not answer, or refuses the probe.

    For example:

    - `sunk profile detect > profile.yaml`
    - `sunk profile detect --probe --probe-partition gpu > profile.yaml`
    - `sunk profile detect --from ./saved --output json`
    """
    if probe and source is not None:
        raise InputError(
            "detect a profile: --probe asks a node, and --from saved texts", hint="give one of them"
        )
    said = login.slurm_says() if source is None else saved.saved_texts(source)
    profile = profile_detect.detect(said)
    if probe:
        slurm, root = login.slurm_commands(), runs_folder(run_dir)
        facts = node_probe.probe(slurm, root, probe_partition, probe_seconds, say)
        profile = profile_probe.with_facts(profile, facts)
        for line in profile_probe.remarks(said, facts):
            say(line)
    _print(name or profile.cluster, profile, output)


@app.command(name="show")
def show_profile(file: FileArgument, output: OutputOption = Form.TABLE) -> None:
    """Show a profile: a line for each partition; with `--output yaml` or `json` the whole file.

    Changes nothing.

    Exit codes: 0 shown; 2 the file is no profile.

    For example:

    - `sunk profile show profile.yaml`
    - `sunk profile show profile.yaml --output json`
    """
    name, profile = files.load_profile(file)
    _print(name, profile, output)


@app.command()
def validate(file: FileArgument) -> None:
    """Say whether a profile is one, and what nobody found out yet.

    Changes nothing.

    Exit codes: 0 it is, and nothing is unknown; 2 the file is no profile; 5 something is unknown.

    For example:

    - `sunk profile validate profile.yaml`
    """
    _, profile = files.load_profile(file)
    _say_unknown(profile)
    raise typer.Exit(exits.UNKNOWN if profile.unknown else exits.OK)


def _print(name: str, profile: ClusterProfile, output: Form) -> None:
    if output is Form.JSON:
        typer.echo(files.dump_profile_json(name, profile), nl=False)
    elif output is Form.YAML:
        typer.echo(files.dump_profile(name, profile), nl=False)
    else:
        rows = [
            {
                "partition": one.name,
                "state": one.state,
                "default": one.default,
                "nodes": one.total_nodes,
                "max_time_minutes": one.max_time_minutes,
                "max_nodes": one.max_nodes,
                "gpus": ", ".join(
                    f"{kind.count} x {kind.gpus} {kind.gpu_type or ''}".strip()
                    for kind in one.nodes
                    if kind.gpus
                )
                or None,
            }
            for one in profile.partitions
        ]
        show(rows, Form.TABLE)
        _say_unknown(profile)


def _say_unknown(profile: ClusterProfile) -> None:
    if profile.unknown:
        say("\nunknown, and what finds it out:")
    for key, finds in profile.unknown.items():
        say(f"  {key}: {finds}")
