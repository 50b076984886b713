"""``sunk fabric``: is the path that was bought the path that jobs get?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from sunk.assess.verdict import exit_code
from sunk.cli import (
    exits,
    fabric_catalogue,
    fabric_collect,
    fabric_findings,
    fabric_traffic,
    result_file,
)
from sunk.cli.lazy import Later
from sunk.cli.output import Form, OutputOption, say, show

if TYPE_CHECKING:
    from sunk_fabric import folder as folders
    from sunk_fabric import service
    from sunk_fabric.topology.tree import Branch
else:
    folders = Later("sunk_fabric.folder")
    service = Later("sunk_fabric.service")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="""The fabric: RDMA, SR-IOV and SHARP paths, from what the tools print and by traffic.

For example:

- `sunk fabric collect ./collected gpu[001-128]`
- `sunk fabric check ./collected`
- `sunk fabric topology ibnetdiscover.txt`
- `sunk fabric test gpu-[001-032] --dry-run`
""",
)
app.command(name="collect")(fabric_collect.collect)
app.add_typer(fabric_catalogue.app, name="catalogue")
app.command()(fabric_traffic.test)

IntendedOption = Annotated[
    Path | None,
    typer.Option(
        "--intended",
        metavar="FILE",
        help="The plan: a CSV list of links, or an earlier output of ibnetdiscover.",
    ),
]


@app.command()
def check(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Collected texts, or an archive of them."),
    ],
    expect: Annotated[
        Path | None,
        typer.Option(
            "--expect", metavar="FILE", help="What the site declares about itself, as YAML."
        ),
    ] = None,
    intended: IntendedOption = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="PREFIX",
            help="Ask these checks, and what they wait for: a group or an id. May be repeated.",
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show PASS, SKIP and what is not implemented too.")
    ] = False,
    output: OutputOption = Form.TABLE,
) -> None:
    """Check texts that were collected from a site.

    Every answer is PASS, WARN, FAIL, SKIP, UNKNOWN or BLOCKED. What is not there, is damaged or is
    not understood is UNKNOWN and never PASS; so is a check that this version cannot judge yet, of
    which the table shows the number: choose with --only what you can ask. Of what hangs together,
    the cause is FAIL and the rest BLOCKED by it. Hosts that were not collected are UNKNOWN. The
    digest of every text is compared first. In the table, what is the same of many hosts is one row
    with their hostlist; JSON and YAML have every answer, with its evidence. Reads the folder or
    archive; changes nothing.

    Exit codes: 0 fine; 1 a check failed; 2 the folder, the plan or a name is wrong; 5 nothing
    failed, and something is not known.

    For example:

    - `sunk fabric check ./collected`
    - `sunk fabric check site.tar.gz`
    - `sunk fabric check ./collected --only ib.topology --intended plan.csv`
    - `sunk fabric check ./collected --expect site.yaml --output json`
    """
    declared = folders.read_expected(expect) if expect else None
    plan = folders.read_intended(intended) if intended else None
    findings = service.check(folder, declared, plan, only or ())
    if output is Form.TABLE:
        fabric_findings.show_findings(findings, everything=everything)
    else:
        show(fabric_findings.document(findings), output)
    raise typer.Exit(exit_code(one.verdict for one in findings))


@app.command()
def topology(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Output of ibnetdiscover, of the whole fabric.")
    ],
    intended: IntendedOption = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Draw the fabric into this file.")
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE", help="Write it as a topology file (YAML)."),
    ] = None,
    routes: Annotated[
        Path | None,
        typer.Option(
            "--routes", metavar="FILE", help="Forwarding tables: output of dump_lfts, or opensm's."
        ),
    ] = None,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Name of the network in that file.")
    ] = "fabric",
    output: OutputOption = Form.TABLE,
) -> None:
    """Rebuild a fabric from a scan: levels, rails, units, capacity, and what breaks them.

    Says which cable to move in words of the data centre. Oversubscription is a figure here; what
    was bought is for `sunk fabric check --expect`. The file of --export is what `sunk topology`
    reads: for Slurm's topology.conf, the order of ranks and layouts. With --routes every way
    between adapters is followed too. Touches nothing but the files of --svg and --export.

    Exit codes: 0 no defect; 1 a defect, or a way that does not arrive or can lock up; 2 a file or
    the plan is wrong.

    For example:

    - `sunk fabric topology ibnetdiscover.txt`
    - `sunk fabric topology ibnetdiscover.txt --intended accepted.txt --svg fabric.svg`
    - `sunk fabric topology ibnetdiscover.txt --routes dump_lfts.txt`
    - `sunk fabric topology ibnetdiscover.txt --export hall.yaml --name hall`
    """
    plan = folders.read_intended(intended) if intended else None
    found = service.topology(file, plan, routes)
    if svg is not None:
        result_file.write(svg, found.picture())
    if export is not None:
        result_file.write(export, found.exported(name, str(file)))
    _show_topology(found, output)
    raise typer.Exit(exits.OK if found.sound else exits.FAILED_CHECK)


def _show_topology(found: service.Topology, output: Form) -> None:
    rows = [
        {"kind": one.kind, "subject": one.subject, "found": one.found, "remedy": one.remedy}
        for one in found.defects
    ]
    if output is not Form.TABLE:
        show({**found.figures, "defects": rows, "notes": found.notes}, output)
        return
    _print_tree(found.branches())
    if rows:
        show(rows, output, ("kind", "subject", "found", "remedy"))
    for line in found.notes:
        say(line)


def _print_tree(branch: Branch) -> None:
    console = Console()
    if not console.is_terminal:
        # A pipe has no width: never fold or cut what another program will read.
        console = Console(width=10_000)
    console.print(_grown(branch))


def _grown(branch: Branch) -> Tree:
    tree = Tree(Text(branch.text))
    for one in branch.below:
        tree.children.append(_grown(one))
    return tree
