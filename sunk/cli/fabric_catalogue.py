"""``sunk fabric catalogue``: which checks there are, and what each proves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli.lazy import Later
from sunk.cli.output import Form, OutputOption, show

if TYPE_CHECKING:
    from sunk_fabric import service
else:
    service = Later("sunk_fabric.service")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="""The catalogue of checks: which there are, and what each proves.

For example:

- `sunk fabric catalogue list`
- `sunk fabric catalogue show ib.topology.rails`
""",
)


@app.command(name="list")
def list_checks(
    group: Annotated[
        str, typer.Option("--group", metavar="GROUP", help="Only this group, such as ib.")
    ] = "",
    output: OutputOption = Form.TABLE,
) -> None:
    """List the checks: domain, title, strongest proof, and whether it is judged or why not.

    Changes nothing and asks nobody. `documented` means tried on texts written after the tool's
    documentation only.

    Exit codes: 0 listed; 2 there is no such group.

    For example:

    - `sunk fabric catalogue list`
    - `sunk fabric catalogue list --group ib --output json`
    """
    rows = service.catalogue_rows(group)
    show(rows, output, ("id", "domain", "title", "proof", "judged"))


@app.command(name="show")
def show_check(
    name: Annotated[str, typer.Argument(metavar="ID", help="A check's id, ib.topology.rails.")],
    output: OutputOption = Form.TABLE,
) -> None:
    """Show one check: what it proves, reads and waits for, its rule with source, and the remedy.

    Changes nothing and asks nobody.

    Exit codes: 0 shown; 2 there is no such check.

    For example:

    - `sunk fabric catalogue show ib.topology.rails`
    - `sunk fabric catalogue show rdma.pair.bandwidth --output yaml`
    """
    show(service.catalogue_entry(name), output)
