"""``sunk doctor``: what this machine, or a cluster, lacks, and the command that mends it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sunk.assess.verdict import Verdict, exit_code
from sunk.cli import exits
from sunk.cli.lazy import Later
from sunk.cli.options import CacheOption, StateOption, local_settings
from sunk.cli.output import Form, OutputOption, say, show

if TYPE_CHECKING:
    from sunk.wiring import clients
else:
    clients = Later("sunk.wiring.clients")

app = typer.Typer(rich_markup_mode="markdown", add_completion=False)


@app.command()
def doctor(
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            "--kubeconfig",
            metavar="FILE",
            help="Look at this cluster instead of this machine. Only this option redirects.",
        ),
    ] = None,
    namespace: Annotated[
        str,
        typer.Option(metavar="NAMESPACE", help="Namespace that a Slurm cluster would get there."),
    ] = "slurm",
    output: OutputOption = Form.TABLE,
    state_dir: StateOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Say what is missing, and the command that mends it.

    Without options: this machine, for a local cluster (root, Python, Go, disk, memory, cgroups,
    programs). With `--kubeconfig`: that cluster, for a Slurm cluster in one namespace (version,
    Nodes, StorageClass, your rights). Each check is PASS, WARN, FAIL, SKIP, UNKNOWN or BLOCKED.
    Changes nothing, here or there.

    Exit codes: 0 all is there; 1 something is missing; 5 nothing is missing, but something could
    not be found out.

    For example:

    - `sunk doctor`
    - `sunk doctor --kubeconfig ~/.kube/config --namespace slurm`
    """
    settings = local_settings(state_dir, cache_dir)
    if kubeconfig is None:
        findings = clients.check_machine(settings)
    else:
        findings = clients.check_cluster(kubeconfig, namespace)
    show(findings, output, ("check", "verdict", "found", "remedy"))
    verdicts = tuple(finding.verdict for finding in findings)
    code = exit_code(verdicts)
    if code == exits.OK and output is Form.TABLE:
        warned = sum(1 for one in verdicts if one is Verdict.WARN)
        say(f"\nall there{f', {warned} to note' if warned else ''}")
    raise typer.Exit(code)
