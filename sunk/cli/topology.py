"""``sunk topology``: the topology file, and Slurm's own topology files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import sunk
from sunk.assess import verdict
from sunk.cli import topology_explain
from sunk.cli.lazy import Later
from sunk.cli.output import Form, OutputOption, show
from sunk.model.topology import SlurmForm, Topology

if TYPE_CHECKING:
    from sunk.cli import topology_tree
    from sunk.render import strict_file, topology_checks, topology_slurm
    from sunk.render import topology as files
    from sunk.wiring import login
else:
    topology_tree = Later("sunk.cli.topology_tree")
    strict_file = Later("sunk.render.strict_file")
    files = Later("sunk.render.topology")
    topology_checks = Later("sunk.render.topology_checks")
    topology_slurm = Later("sunk.render.topology_slurm")
    login = Later("sunk.wiring.login")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="""The network between nodes: a file of ours, and Slurm's own files.

For example:

- `sunk topology import > topology.yaml`
- `sunk topology show topology.yaml`
- `sunk topology render topology.yaml --form tree`
""",
)

app.command(name="explain")(topology_explain.explain)

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="A topology file, YAML or JSON.")
]


@app.command(name="show")
def show_topology(file: FileArgument, output: OutputOption = Form.TABLE) -> None:
    """Draw a topology: switches, NVLink domains, and the nodes in them.

    With `--output yaml` or `json` the file itself, folded and sorted. Changes nothing.

    Exit codes: 0 shown; 2 the file is no topology.

    For example:

    - `sunk topology show topology.yaml`
    - `sunk topology show topology.yaml --output json`
    """
    _print(files.load_topology(file), output)


@app.command()
def render(
    file: FileArgument,
    form: Annotated[
        SlurmForm,
        typer.Option(
            "--form",
            help="topology.conf with switches or blocks, or topology.yaml with both.",
            show_choices=True,
        ),
    ] = SlurmForm.TREE,
) -> None:
    """Print one of Slurm's topology files.

    `tree` goes with `TopologyPlugin=topology/tree`, `block` with `topology/block`; `yaml` is
    topology.yaml of Slurm 25.05 and later. Leaves stand in depth-first order, which is the order
    that Slurm ranks nodes in. Changes nothing.

    Exit codes: 0 printed; 2 the file is no topology, or has nothing for this form.

    For example:

    - `sunk topology render topology.yaml --form tree`
    - `sunk topology render topology.yaml --form yaml > /etc/slurm/topology.yaml`
    """
    typer.echo(topology_slurm.render_slurm(files.load_topology(file), form), nl=False)


@app.command()
def validate(file: FileArgument, output: OutputOption = Form.TABLE) -> None:
    """Say whether a topology will do for Slurm and for ordering ranks.

    Finds what slurmctld would not start with, nodes that no job could use, parts that no job could
    span, rails that are not complete. Changes nothing.

    Exit codes: 0 nothing wrong, though there may be warnings; 1 something would not work; 2 the
    file is no topology.

    For example:

    - `sunk topology validate topology.yaml`
    """
    found = topology_checks.findings(files.load_topology(file))
    show(found, output, ("check", "verdict", "found", "remedy"))
    raise typer.Exit(verdict.exit_code(tuple(one.verdict for one in found)))


@app.command(name="import")
def import_topology(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="topology.conf, or saved output of scontrol show topology; Slurm is asked "
            "when absent.",
        ),
    ] = None,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="What the topology is called.")
    ] = "cluster",
    output: OutputOption = Form.YAML,
) -> None:
    """Print the topology that Slurm has, as a topology file.

    Slurm knows places, not cables: count and rate of links stay unknown. Blocks become NVLink
    domains. Changes nothing.

    Exit codes: 0 printed; 2 the text is no topology; 4 Slurm does not answer.

    For example:

    - `sunk topology import > topology.yaml`
    - `sunk topology import /etc/slurm/topology.conf --name alpha`
    - `sunk topology import --output json`
    """
    if file is None:
        text, source = login.slurm_texts().topology(), "scontrol show topology"
        when = datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    else:
        text, source, when = strict_file.load_text(file), str(file), None
    topology = topology_slurm.read_slurm(
        text, source=source, name=name, who=f"sunk {sunk.__version__}", when=when
    )
    _print(topology, output)


def _print(topology: Topology, output: Form) -> None:
    if output is Form.JSON:
        typer.echo(files.dump_topology_json(topology), nl=False)
    elif output is Form.YAML:
        typer.echo(files.dump_topology(topology), nl=False)
    else:
        topology_tree.draw(topology)
