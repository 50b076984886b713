"""``sunk bridge`` and ``sunk plan``: keep Slurm nodes and Kubernetes in agreement."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli.lazy import Later
from sunk.cli.options import DEFAULT_CLUSTER, DryRunOption, NameOption, StateOption, local_settings
from sunk.cli.output import say
from sunk.cli.places import (
    DEFAULT_NAMESPACE,
    ContextOption,
    KubeconfigOption,
)
from sunk.errors import InputError
from sunk.settings import SlurmClientKind, read_in_cluster

if TYPE_CHECKING:
    from sunk.wiring import bridge as wiring
    from sunk.wiring import bridge_service as service
else:
    wiring = Later("sunk.wiring.bridge")
    service = Later("sunk.wiring.bridge_service")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="""Keep the Slurm nodes of a cluster and its Kubernetes in agreement.

For example:

- `sunk bridge run`
""",
)


@app.callback()
def group() -> None:
    """Keep `run` a command of its own: typer would take the only one for the group."""


InClusterOption = Annotated[
    bool,
    typer.Option(
        "--in-cluster",
        help="This is a Pod: reach Kubernetes as its service account, and slurmrestd directly.",
    ),
]
RunNamespaceOption = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        metavar="NAME",
        help="Where the Slurm cluster is; in a Pod its own namespace when absent "
        f"[default: {DEFAULT_NAMESPACE}].",
    ),
]
ListenOption = Annotated[
    str | None,
    typer.Option(
        "--listen",
        metavar="ADDRESS:PORT",
        help="Serve /healthz, /readyz and /metrics there; nowhere when absent.",
    ),
]
LeaderElectOption = Annotated[
    bool,
    typer.Option(
        "--leader-elect",
        help="Act only while holding the lease, so that several may run; wait for a Slurm cluster.",
    ),
]
SlurmClientOption = Annotated[
    SlurmClientKind,
    typer.Option(
        "--slurm-client",
        help="Speak to slurmrestd; or use Slurm's own commands (cli): they run in the login node's "
        "sackd container, which takes the right to exec there; or this machine's libslurm "
        "(native): takes a pyslurm of the same release.",
    ),
]
NodeConditionsOption = Annotated[
    bool,
    typer.Option(
        "--node-conditions",
        help="Show drains that people made in Slurm on Kubernetes nodes too, as condition "
        "SlurmDrain; needs the right to patch nodes/status.",
    ),
]


@app.command()
def run(
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    name: NameOption = DEFAULT_CLUSTER,
    in_cluster: InClusterOption = False,
    namespace: RunNamespaceOption = None,
    leader_elect: LeaderElectOption = False,
    listen: ListenOption = None,
    slurm_client: SlurmClientOption = SlurmClientKind.REST,
    node_conditions: NodeConditionsOption = False,
    dry_run: DryRunOption = False,
    state_dir: StateOption = None,
) -> None:
    """Run the bridge beside a cluster, or in it, until it is interrupted or told to end.

    Slurm's daemons and workers are made as the SlurmCluster and NodeSets of the namespace say.
    Cordons become drains and uncordons lift them; workers whose Pod is gone are taken down, so that
    their jobs are requeued at once; each worker's Pod shows Slurm's state of it as conditions. A
    drain that somebody else made is never lifted, and nothing is done on an answer that is in
    doubt: the log says what waits, and why. Reaches slurmrestd through the API server, or directly
    with --in-cluster. SIGTERM ends it after the round at hand; the lease is given back, so that
    another leads at once. The log is JSON, a line each, where stderr is no terminal.

    Touches the Slurm cluster's objects in the namespace and its worker Pods, the status of
    SlurmClusters and NodeSets, users and accounts in Slurm, Slurm's node states (drain, resume,
    down, records of workers that are gone), the
    conditions of worker Pods, with --node-conditions of Kubernetes nodes, and with --leader-elect a
    Lease; with --dry-run only the Lease.

    Exit codes: 2 --in-cluster together with another cluster, a wrong address; 3 there is no Slurm
    cluster of ours (with --in-cluster or --leader-elect it waits for one), the kubeconfig is not
    usable, the address is taken; 4 Kubernetes does not answer; 130 interrupted.

    For example:

    - `sunk bridge run`
    - `sunk bridge run --kubeconfig admin.kubeconfig --namespace slurm --dry-run`
    - `sunk bridge run --in-cluster --leader-elect --listen 0.0.0.0:8080`
    """
    if in_cluster and (kubeconfig is not None or context is not None):
        raise InputError(
            "choose a cluster: --in-cluster is one, --kubeconfig and --context are another",
            hint="leave one of them out",
        )
    own = read_in_cluster(os.environ) if in_cluster else None
    place = wiring.Place(
        kubeconfig=kubeconfig,
        context=context,
        local_name=name,
        namespace=namespace or (own.namespace() if own else DEFAULT_NAMESPACE),
        own=own,
    )
    service.run(
        place,
        local_settings(state_dir),
        service.Options(
            listen=service.parse_address(listen) if listen else None,
            leader_elect=leader_elect,
            slurm_client=slurm_client,
            node_conditions=node_conditions,
            dry_run=dry_run,
        ),
        say,
    )
