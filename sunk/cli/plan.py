"""``sunk plan``: what the bridge would do now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli.lazy import Later
from sunk.cli.options import DEFAULT_CLUSTER, NameOption, StateOption, local_settings
from sunk.cli.output import Form, OutputOption, say, show
from sunk.cli.places import (
    DEFAULT_NAMESPACE,
    ContextOption,
    KubeconfigOption,
    NamespaceOption,
)

if TYPE_CHECKING:
    from sunk.wiring import bridge as wiring
else:
    wiring = Later("sunk.wiring.bridge")

app = typer.Typer(rich_markup_mode="markdown", add_completion=False)


@app.command()
def plan(
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            metavar="FILE",
            help="Plan for this SlurmCluster and its NodeSets instead of what is there.",
        ),
    ] = None,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    name: NameOption = DEFAULT_CLUSTER,
    namespace: NamespaceOption = DEFAULT_NAMESPACE,
    output: OutputOption = Form.TABLE,
    state_dir: StateOption = None,
) -> None:
    """Say what the bridge would do now, which jobs and users that touches, and what has to wait.

    With --file as if that description had been applied. Takes some seconds: a reading is believed
    when a second one agrees with it. Changes nothing.

    Exit codes: 0 said, also when there is nothing to do; 2 the file describes no valid cluster; 3
    there is no Slurm cluster of ours; 4 Kubernetes or Slurm does not answer.

    For example:

    - `sunk plan`
    - `sunk plan --file edited.yaml`
    - `sunk plan --kubeconfig admin.kubeconfig --output json`
    """
    place = wiring.Place(
        kubeconfig=kubeconfig, context=context, local_name=name, namespace=namespace
    )
    rows = wiring.plan(wiring.connect(place, local_settings(state_dir)), file)
    if not rows and output is Form.TABLE:
        say("nothing to do")
        return
    show(rows, output, ("action", "node", "why", "jobs", "users"))
