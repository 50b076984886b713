"""``sunk demo``: the first tour, from nothing to a checked MPI result."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli import complete, exits
from sunk.cli.lazy import Later
from sunk.cli.options import (
    DEFAULT_CLUSTER,
    CacheOption,
    NameOption,
    StateOption,
    YesOption,
    local_settings,
)
from sunk.cli.output import Form, OutputOption, program, say, show
from sunk.cli.progress import reporting
from sunk.errors import InputError
from sunk.model.cluster import Images

if TYPE_CHECKING:
    from sunk.local import cluster as clusters
    from sunk.local import slurm_site
    from sunk.wiring import clients
    from sunk.wiring import local as local_wiring
    from sunk_validation.demo import DemoResult
else:
    clusters = Later("sunk.local.cluster")
    slurm_site = Later("sunk.local.slurm_site")
    clients = Later("sunk.wiring.clients")
    local_wiring = Later("sunk.wiring.local")

app = typer.Typer(rich_markup_mode="markdown", add_completion=False)


@app.command()
def demo(
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            "--kubeconfig",
            metavar="FILE",
            help="Use this existing cluster; nothing local is built. Only this option redirects: "
            "the environment variable KUBECONFIG is never looked at.",
        ),
    ] = None,
    context: Annotated[
        str | None,
        typer.Option(
            metavar="CONTEXT",
            help="Context in the kubeconfig; its current one by default.",
            autocompletion=complete.contexts,
        ),
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            metavar="NAMESPACE",
            help="Namespace to make and use; nothing else is touched [default: slurm].",
        ),
    ] = None,
    image_prefix: Annotated[
        str | None,
        typer.Option(
            metavar="PREFIX",
            help="Where the images are for an existing cluster, for example "
            "registry.example.org/sunk; see `sunk local images --export`.",
        ),
    ] = None,
    storage_class: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="StorageClass of the claims (home needs ReadWriteMany); "
            "the cluster's default one by default.",
        ),
    ] = None,
    yes: YesOption = False,
    name: NameOption = DEFAULT_CLUSTER,
    output: OutputOption = Form.TABLE,
    state_dir: StateOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Bring up Slurm on Kubernetes, log in, run an MPI job, and check its result.

    Does what `sunk local up` does, then logs in over SSH as an ordinary user, submits an MPI
    all-reduce with the job toolkit, follows it to its end, and checks what it computed and where
    it ran. Prints its output, `sinfo`, `sacct` and the Pods, and leaves everything running. What
    is up already stays up, so it can be run again at any time.

    With `--kubeconfig`: the same on an existing cluster. Server, context and namespace are shown
    and it asks before the first change; `--yes` does not ask. The options `--context`,
    `--image-prefix` and `--storage-class` are for such a cluster.

    Touches: what `sunk local up` touches; with `--kubeconfig` one namespace of that cluster, and a
    folder with an SSH key below the state folder.

    Exit codes: 0 only if the job's result was checked and right; 1 the job did not complete, or
    its result is wrong; 2 wrong option, or you said no; 3 this machine lacks something, or a part
    did not become ready; 4 Kubernetes, Slurm or a program that was run failed.

    For example:

    - `sunk demo`
    - `sunk demo --kubeconfig ./other.kubeconfig --namespace sunk-demo`
    """
    settings = local_settings(state_dir, cache_dir)
    cluster = slurm_site.described(
        None,
        namespace=namespace,
        storage_class=storage_class,
        images=None if image_prefix is None else _images_at(image_prefix),
    )
    if kubeconfig is not None:
        where = clients.describe_target(kubeconfig, context)
        say(
            f"cluster:   {where.server}\ncontext:   {where.context}\nnamespace: {cluster.namespace}"
        )
        if not (yes or _agreed()):
            say("nothing was changed")
            raise typer.Exit(exits.USAGE)
        with reporting() as reporter:
            result = local_wiring.demo_elsewhere(
                (kubeconfig, context), cluster, _bridge_at(image_prefix), settings, reporter, say
            )
        _print(result, output)
        kubectl = f"kubectl --kubeconfig {kubeconfig}"
        say(
            "\nTear down, the cluster first, so that the bridge ends its jobs and workers:\n"
            f"  {kubectl} --namespace {cluster.namespace} delete nodesets,slurmclusters --all\n"
            f"  {kubectl} delete namespace {cluster.namespace}"
        )
        return
    with reporting() as reporter:
        result = local_wiring.demo_here(
            name, clusters.Parameters(), cluster, settings, reporter, say
        )
    _print(result, output)
    suffix = "" if name == DEFAULT_CLUSTER else f" --name {name}"
    sunk = program()
    say(
        "\nThe cluster is left running:\n"
        f"  log in      {sunk} local ssh{suffix}\n"
        f"  look around {sunk} local status{suffix};  {sunk} local kubectl{suffix} get pods -A\n"
        f"  tear down   {sunk} local down{suffix}"
    )


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise InputError(
            "ask before touching another cluster: there is no terminal to ask on",
            hint="look at the three lines above, then add --yes (make demo: ARGS=--yes)",
        )
    return typer.confirm("Make this namespace there and run the demo in it?", err=True)


def _images_at(prefix: str) -> Images:
    base = prefix.rstrip("/")
    return Images(slurm=f"{base}/slurm:local", login=f"{base}/login:local")


def _bridge_at(prefix: str | None) -> str:
    return f"{'sunk.dev' if prefix is None else prefix.rstrip('/')}/bridge:local"


def _print(result: DemoResult, output: Form) -> None:
    if output is not Form.TABLE:
        show(result, output)
        return
    typer.echo(f"\n--- output of job {result.job_id}\n{result.log.rstrip()}")
    for command, text in result.screens.items():
        typer.echo(f"\n--- {command}\n{text.rstrip()}")
    typer.echo(
        f"\nall-reduce over {result.result['ranks']} ranks on {', '.join(result.kube_nodes)}: right"
    )
