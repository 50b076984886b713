"""``sunk cluster``: Slurm clusters as described, and how far they are: list, show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli.lazy import Later
from sunk.cli.options import DEFAULT_CLUSTER, NameOption, StateOption, local_settings
from sunk.cli.output import Form, OutputOption, show
from sunk.cli.places import ContextOption, KubeconfigOption
from sunk.errors import InputError

if TYPE_CHECKING:
    from sunk.wiring import bridge as wiring
else:
    wiring = Later("sunk.wiring.bridge")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="""Slurm clusters: what was described, and how far it is.

For example:

- `sunk cluster list`
- `sunk cluster show demo`
""",
)

NamespaceFilter = Annotated[
    str | None,
    typer.Option(
        "--namespace", metavar="NAME", help="Only of this namespace; of every one when absent."
    ),
]


@app.command("list")
def list_clusters(
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    name: NameOption = DEFAULT_CLUSTER,
    namespace: NamespaceFilter = None,
    output: OutputOption = Form.TABLE,
    state_dir: StateOption = None,
) -> None:
    """List the Slurm clusters of a Kubernetes cluster: ready or why not, and their workers.

    Changes nothing.

    Exit codes: 0 listed, also when there is none; 3 the kubeconfig is not usable; 4 Kubernetes
    does not answer.

    For example:

    - `sunk cluster list`
    - `sunk cluster list --kubeconfig admin.kubeconfig --output json`
    """
    place = wiring.Place(
        kubeconfig=kubeconfig, context=context, local_name=name, namespace=namespace or ""
    )
    columns = (
        "name",
        "namespace",
        "ready",
        "why",
        "workers",
        "idle",
        "allocated",
        "drained",
        "down",
    )
    show(wiring.clusters(place, local_settings(state_dir)), output, columns)


@app.command("show")
def show_cluster(
    cluster: Annotated[str, typer.Argument(metavar="CLUSTER", help="Name of the SlurmCluster.")],
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    name: NameOption = DEFAULT_CLUSTER,
    namespace: NamespaceFilter = None,
    output: OutputOption = Form.TABLE,
    state_dir: StateOption = None,
) -> None:
    """Show one Slurm cluster: every condition of it and of its NodeSets, with the reason.

    Changes nothing.

    Exit codes: 0 shown; 2 there is no such cluster, or several of the name; 3 the kubeconfig is
    not usable; 4 Kubernetes does not answer.

    For example:

    - `sunk cluster show demo`
    """
    place = wiring.Place(
        kubeconfig=kubeconfig, context=context, local_name=name, namespace=namespace or ""
    )
    rows = wiring.clusters(place, local_settings(state_dir))
    found = [one for one in rows if one.name == cluster]
    if len(found) != 1:
        names = ", ".join(sorted(f"{one.namespace}/{one.name}" for one in rows)) or "none"
        raise InputError(
            f"show Slurm cluster {cluster}: {len(found)} of that name, not one",
            hint=f"there are: {names}; say which with --namespace",
        )
    show(found[0].conditions, output, ("of", "condition", "status", "reason", "message"))
