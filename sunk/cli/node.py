"""``sunk node``: Slurm nodes with their Pods: list, show, drain, resume."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli.lazy import Later
from sunk.cli.options import (
    DEFAULT_CLUSTER,
    DryRunOption,
    NameOption,
    StateOption,
    local_settings,
)
from sunk.cli.output import Form, OutputOption, say, show
from sunk.cli.places import (
    DEFAULT_NAMESPACE,
    ContextOption,
    KubeconfigOption,
    NamespaceOption,
)
from sunk.errors import InputError
from sunk.model.slurm import NodeName

if TYPE_CHECKING:
    from sunk.bridge.overview import WorkerRow
    from sunk.wiring import bridge as wiring
else:
    wiring = Later("sunk.wiring.bridge")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="""Slurm nodes with their Pods, Kubernetes nodes and jobs.

For example:

- `sunk node list`
- `sunk node drain w-0 --reason "fan broken"`
""",
)

NodeArgument = Annotated[str, typer.Argument(metavar="NODE", help="Slurm node: w-0, w-1, …")]
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; others read it in sinfo -R.")
]


@app.command("list")
def list_nodes(
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    name: NameOption = DEFAULT_CLUSTER,
    namespace: NamespaceOption = DEFAULT_NAMESPACE,
    output: OutputOption = Form.TABLE,
    state_dir: StateOption = None,
) -> None:
    """List every Slurm node: state, reason and whose drain it is, jobs, Pod, Kubernetes node.

    A worker Pod that Slurm does not know has a row too. Changes nothing.

    Exit codes: 0 listed; 3 there is no Slurm cluster of ours; 4 no answer.

    For example:

    - `sunk node list`
    - `sunk node list --output json`
    """
    site = _site(kubeconfig, context, name, namespace, state_dir)
    columns = ("node", "state", "reason", "drained_by", "jobs", "users", "pod", "kube_node")
    show(wiring.workers(site), output, columns)


@app.command("show")
def show_node(
    node: NodeArgument,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    name: NameOption = DEFAULT_CLUSTER,
    namespace: NamespaceOption = DEFAULT_NAMESPACE,
    output: OutputOption = Form.TABLE,
    state_dir: StateOption = None,
) -> None:
    """Show one Slurm node: the same as `sunk node list`, a line each.

    Changes nothing.

    Exit codes: 0 shown; 2 there is no such node; 3 there is no Slurm cluster of ours; 4 no answer.

    For example:

    - `sunk node show w-0`
    """
    site = _site(kubeconfig, context, name, namespace, state_dir)
    show(_row(wiring.workers(site), node), output)


@app.command()
def drain(
    node: NodeArgument,
    reason: ReasonOption,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    name: NameOption = DEFAULT_CLUSTER,
    namespace: NamespaceOption = DEFAULT_NAMESPACE,
    dry_run: DryRunOption = False,
    state_dir: StateOption = None,
) -> None:
    """Let a Slurm node take no more jobs; those on it run on.

    The drain is yours: the bridge never lifts it. Touches the node's state and reason in Slurm;
    with --dry-run nothing.

    Exit codes: 0 drained or draining; 2 there is no such node; 3 there is no Slurm cluster of
    ours; 4 no answer, or Slurm refuses.

    For example:

    - `sunk node drain w-0 --reason "fan broken"`
    """
    site = _site(kubeconfig, context, name, namespace, state_dir)
    row = _row(wiring.workers(site), node)
    running = f"; {_jobs(row)} run on" if row.jobs else ""
    if dry_run:
        say(f"would drain {node}{running}")
        return
    site.slurm.drain(NodeName(node), reason)
    say(f"{node} takes no more jobs{running}; lift it with: sunk node resume {node}")


@app.command()
def resume(
    node: NodeArgument,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    name: NameOption = DEFAULT_CLUSTER,
    namespace: NamespaceOption = DEFAULT_NAMESPACE,
    dry_run: DryRunOption = False,
    state_dir: StateOption = None,
) -> None:
    """Let a drained or down Slurm node take jobs again.

    Also lifts what somebody else or the bridge drained: a running bridge drains a node on a
    cordoned Kubernetes node again. Touches the node's state in Slurm; with --dry-run nothing.

    Exit codes: 0 resumed; 2 there is no such node; 3 there is no Slurm cluster of ours; 4 no
    answer, or Slurm refuses, for example because it is neither drained nor down.

    For example:

    - `sunk node resume w-0`
    """
    site = _site(kubeconfig, context, name, namespace, state_dir)
    row = _row(wiring.workers(site), node)
    was = f" (was: {row.reason})" if row.reason else ""
    if dry_run:
        say(f"would resume {node}{was}")
        return
    site.slurm.resume(NodeName(node))
    say(f"{node} takes jobs again{was}")


def _site(
    kubeconfig: Path | None, context: str | None, name: str, namespace: str, state: Path | None
) -> wiring.Connected:
    place = wiring.Place(
        kubeconfig=kubeconfig, context=context, local_name=name, namespace=namespace
    )
    return wiring.connect(place, local_settings(state))


def _row(rows: tuple[WorkerRow, ...], node: str) -> WorkerRow:
    for one in rows:
        if one.node == node:
            return one
    names = ", ".join(one.node for one in rows) or "none"
    raise InputError(
        f"find Slurm node {node!r}: there is none of that name", hint=f"known: {names}"
    )


def _jobs(row: WorkerRow) -> str:
    return f"job{'s' if len(row.jobs) > 1 else ''} {', '.join(map(str, row.jobs))}"
