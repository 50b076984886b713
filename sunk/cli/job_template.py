"""``sunk job template``: what templates there are, and what they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sunk.cli import complete
from sunk.cli.lazy import Later
from sunk.cli.output import Form, OutputOption, say, show

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from sunk.toolkit import catalogue, starter
else:
    catalogue = Later("sunk.toolkit.catalogue")
    starter = Later("sunk.toolkit.starter")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="""Job templates: which there are, and what they take.

For example:

- `sunk job template list`
- `sunk job template show mpi`
""",
)


@app.command(name="list")
def list_templates(output: OutputOption = Form.TABLE) -> None:
    """List the templates.

    Changes nothing and asks nobody. Says for each on what it was run; a stub stands for an
    application that a machine without GPUs cannot run. Containers were never run, only rendered.

    For example:

    - `sunk job template list`
    """
    rows = [
        {"name": one.name, "summary": one.summary, "tried": str(one.tried)}
        for one in catalogue.TEMPLATES
    ]
    show(rows, output, ("name", "summary", "tried"))
    if output is Form.TABLE:
        say(catalogue.CONTAINERS_TRIED)


@app.command(name="new")
def new_template(
    name: Annotated[
        str,
        typer.Argument(
            metavar="TEMPLATE", help="A template's name.", autocompletion=complete.templates
        ),
    ],
) -> None:
    """Print a job file to start from: every parameter with its default and meaning.

    Changes nothing and asks nobody.

    Exit codes: 0 printed; 2 there is no such template.

    For example:

    - `sunk job template new fsdp2 > job.yaml`
    """
    typer.echo(starter.starter(catalogue.template_named(name)), nl=False)


@app.command(name="show")
def show_template(
    name: Annotated[
        str,
        typer.Argument(
            metavar="TEMPLATE", help="A template's name.", autocompletion=complete.templates
        ),
    ],
    output: OutputOption = Form.TABLE,
) -> None:
    """Show a template's parameters: name, default, limits, meaning.

    Changes nothing and asks nobody. These are the keys of a job file and of `--set`.

    Exit codes: 0 shown; 2 there is no such template.

    For example:

    - `sunk job template show mpi`
    - `sunk job template show mpi --output yaml`
    """
    form = catalogue.template_named(name).form
    rows = [_row(key, field) for key, field in form.model_fields.items()]
    show(rows, output, ("parameter", "default", "limits", "meaning"))


def _row(key: str, field: FieldInfo) -> dict[str, Any]:
    limits = [
        f"{word} {getattr(rule, attribute)}"
        for rule in field.metadata
        for attribute, word in _LIMITS.items()
        if getattr(rule, attribute, None) is not None
    ]
    default = field.get_default(call_default_factory=True)
    return {
        "parameter": field.alias or key,
        "default": default,
        "limits": ", ".join(limits),
        "meaning": field.description or "",
    }


_LIMITS = {
    "gt": "above",
    "ge": "at least",
    "le": "at most",
    "min_length": "length at least",
    "max_length": "length at most",
}
