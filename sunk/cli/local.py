"""``sunk local``: a real Kubernetes with a real Slurm on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli import complete, local_node, local_software
from sunk.cli.lazy import Later
from sunk.cli.options import (
    DEFAULT_CLUSTER,
    CacheOption,
    NameOption,
    StateOption,
    local_settings,
)
from sunk.cli.output import Form, OutputOption, say, show
from sunk.cli.progress import reporting
from sunk.errors import EnvironmentFault, InputError
from sunk.progress import Silent

if TYPE_CHECKING:
    from sunk.clients import process
    from sunk.local import cluster as clusters
    from sunk.local import slurm_site
    from sunk.wiring import local as wiring
else:
    clusters = Later("sunk.local.cluster")
    process = Later("sunk.clients.process")
    slurm_site = Later("sunk.local.slurm_site")
    wiring = Later("sunk.wiring.local")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="""A real Kubernetes with a real Slurm on this machine (root, no Docker, no registry).

Every process of it lives in namespaces of its own; all that the machine itself sees are two
ports on 127.0.0.1. Several clusters can be up at once under different names.

For example:

- `sunk local up && sunk local ssh`
""",
)
app.add_typer(local_node.app, name="node")

_PASS_ON = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "allow_interspersed_args": False,
}


@app.command()
def up(
    name: NameOption = DEFAULT_CLUSTER,
    nodes: Annotated[
        int, typer.Option(min=1, max=9, metavar="COUNT", help="Kubernetes nodes, 1 to 9.")
    ] = 2,
    gpus: Annotated[
        int,
        typer.Option(min=0, max=16, metavar="COUNT", help="Simulated GPUs on each node, 0 to 16."),
    ] = 0,
    rails: Annotated[
        int,
        typer.Option(min=0, max=8, metavar="COUNT", help="Simulated rails of each node, 0 to 8."),
    ] = 0,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            metavar="FILE",
            help="Description of the Slurm cluster (YAML) instead of the demo's.",
        ),
    ] = None,
    slurm: Annotated[
        bool, typer.Option("--slurm/--no-slurm", help="Whether to put Slurm on it.")
    ] = True,
    state_dir: StateOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Bring a local cluster up, or complete one that is up in part.

    Installs, builds or downloads first whatever is missing; then starts Kubernetes, then Slurm,
    and waits until every Slurm node takes jobs. Safe to run again at any time and after any
    interruption: what is right already stays as it is. After an edit of the description, it
    applies what changed; another number of nodes, GPUs or rails needs `sunk local down` first.

    Touches: Debian packages (apt-get), the cache, the cluster's state folder, network namespaces
    and cgroups of its own, and three sysctls that the last cluster's `down` restores.

    Exit codes: 0 everything ready; 2 wrong option or description; 3 this machine lacks something,
    or a part did not become ready; 4 Kubernetes, Slurm or a program that was run failed.

    For example:

    - `sunk local up`
    - `sunk local up --file my-cluster.yaml`
    - `sunk local up --name gpus --gpus 2`
    - `sunk local up --name rails --rails 2`
    """
    settings = local_settings(state_dir, cache_dir)
    cluster = slurm_site.described(file) if slurm else None
    with reporting() as reporter:
        parameters = clusters.Parameters(node_count=nodes, gpus=gpus, rails=rails)
        wiring.bring_up(name, parameters, cluster, settings, reporter)
    say(f"cluster {name} is up; look at it with: sunk local status --name {name}")


@app.command()
def down(
    name: NameOption = DEFAULT_CLUSTER,
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove the caches too: the next start builds anew.")
    ] = False,
    state_dir: StateOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Stop a local cluster and remove it with everything on it, without asking.

    Home folders, accounting and keys go with it. Leaves no process, mount, namespace or cgroup
    behind, also after a killed run. Debian packages that were installed stay.

    Touches: what `sunk local up` made; with `--purge` the cache, which all clusters share.

    Exit codes: 0 it is gone, or there was none; 3 not root, or another sunk command works on it.

    For example:

    - `sunk local down`
    - `sunk local down --purge`
    """
    settings = local_settings(state_dir, cache_dir)
    with reporting() as reporter:
        found = wiring.local_cluster(name, settings, reporter).down()
        if purge:
            wiring.purge_cache(settings, reporter)
    say(f"cluster {name} is gone" if found else f"there was no cluster {name}")


@app.command()
def status(
    name: NameOption = DEFAULT_CLUSTER,
    output: OutputOption = Form.TABLE,
    state_dir: StateOption = None,
) -> None:
    """Show every process and node of a local cluster, and how to get in.

    Changes nothing. A process is running or stopped; a node is ready, not ready, cut or
    off; unknown when Kubernetes does not answer.

    Exit codes: 0 shown, whatever the states are; 2 there is no such cluster.

    For example:

    - `sunk local status`
    - `sunk local status --output json`
    """
    cluster = wiring.local_cluster(name, local_settings(state_dir), Silent())
    parts = cluster.status()
    if not parts:
        cluster.parameters()  # raises, with the names of those that are up
    show(parts, output, ("name", "state", "log"))
    if output is Form.TABLE:
        parameters = cluster.parameters()
        say(f"\nkube-apiserver  https://127.0.0.1:{parameters.api_port}")
        say(f"kubeconfig      {cluster.layout.kubeconfig}")
        say(f"login node      127.0.0.1:{parameters.ssh_port} (sunk local ssh --name {name})")


@app.command()
def kubeconfig(
    name: NameOption = DEFAULT_CLUSTER,
    path: Annotated[bool, typer.Option("--path", help="Print the file's path instead.")] = False,
    state_dir: StateOption = None,
) -> None:
    """Print the administrator's kubeconfig of a local cluster.

    Changes nothing; no kubeconfig of yours is edited. It leads to the forwarded port on 127.0.0.1,
    so any tool on this machine can use it. Who holds it may do everything on that cluster.

    Exit codes: 0 printed; 2 there is no such cluster; 3 it is up in part only.

    For example:

    - `sunk local kubeconfig > demo.kubeconfig`
    - `sunk local kubeconfig --path`
    """
    cluster = wiring.local_cluster(name, local_settings(state_dir), Silent())
    file = _require_up(cluster, cluster.layout.kubeconfig)
    typer.echo(str(file) if path else file.read_text(), nl=path)


@app.command(context_settings=_PASS_ON)
def kubectl(
    context: typer.Context,
    name: NameOption = DEFAULT_CLUSTER,
    state_dir: StateOption = None,
) -> None:
    """Run kubectl against a local cluster; everything after the options is passed on.

    Touches what kubectl is told to, as the cluster's administrator. sunk's own options come first.

    Exit codes: kubectl's own; 2 there is no such cluster; 3 it is up in part only.

    For example:

    - `sunk local kubectl get pods -A`
    - `sunk local kubectl --name gpus -n slurm logs slurmctld-0`
    """
    cluster = wiring.local_cluster(name, local_settings(state_dir), Silent())
    file = _require_up(cluster, cluster.layout.kubeconfig)
    program = _require_up(cluster, cluster.layout.programs / "kubectl")
    process.replace([program, f"--kubeconfig={file}", *context.args])


@app.command(context_settings=_PASS_ON)
def ssh(
    context: typer.Context,
    name: NameOption = DEFAULT_CLUSTER,
    user: Annotated[
        str,
        typer.Option(
            "--user", "-l", metavar="USER", help="Who to log in as: a user of the description."
        ),
    ] = "alice",
    state_dir: StateOption = None,
) -> None:
    """Log in to the login node, or run a command there.

    Uses the key that the cluster made for its users, and verifies the host key; your own SSH
    settings and known hosts are not touched. Everything after the options is passed on.

    Exit codes: those of the command there; 255 when ssh gets no connection; 2 there is no such
    cluster; 3 its Slurm is not up, or this machine has no ssh.

    For example:

    - `sunk local ssh`
    - `sunk local ssh --user bob sinfo`
    """
    cluster = wiring.local_cluster(name, local_settings(state_dir), Silent())
    parameters = cluster.parameters()
    access = cluster.layout.access
    hosts = _require_up(cluster, access / "known_hosts", "its Slurm")
    words = ["ssh", "-i", str(access / "id_ed25519"), "-p", str(parameters.ssh_port)]
    words += ["-o", f"UserKnownHostsFile={hosts}"]
    words += ["-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes"]
    words += ["-o", "LogLevel=ERROR", f"{user}@127.0.0.1", *context.args]
    if shutil.which("ssh") is None:
        raise EnvironmentFault(
            "log in over SSH: this machine has no ssh program",
            hint="apt-get install openssh-client",
        )
    process.replace(words)


@app.command()
def logs(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="LOG",
            help="A log, as listed without this argument.",
            autocompletion=complete.cluster_logs,
        ),
    ] = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=1, metavar="COUNT", help="How many lines.")
    ] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing.")] = False,
    name: NameOption = DEFAULT_CLUSTER,
    output: OutputOption = Form.TABLE,
    state_dir: StateOption = None,
) -> None:
    """List the logs of a local cluster, or print the end of one.

    Changes nothing. These are the logs of Kubernetes' own processes; those of Pods:
    `sunk local kubectl logs`.

    Exit codes: 0 printed; 2 there is no such log or cluster.

    For example:

    - `sunk local logs`
    - `sunk local logs node1-kubelet -n 20 --follow`
    """
    cluster = wiring.local_cluster(name, local_settings(state_dir), Silent())
    cluster.parameters()
    found = {path.stem: path for path in sorted(cluster.layout.logs.glob("*.log"))}
    if what is None:
        rows = [{"name": n, "bytes": p.stat().st_size, "path": str(p)} for n, p in found.items()]
        show(rows, output, ("name", "bytes", "path"))
        return
    if what not in found:
        raise InputError(
            f"find log {what!r}: there is none", hint=f"choose: {', '.join(found) or 'none yet'}"
        )
    if follow:
        process.replace(["tail", f"-n{lines}", "-F", found[what]])
    typer.echo(process.tail_of(found[what], lines))


def _require_up(cluster: clusters.LocalCluster, file: Path, what: str = "it") -> Path:
    """Return a file of a cluster.

    Raises:
        InputError: there is no such cluster.
        EnvironmentFault: the file is not there, because the cluster is up in part only.
    """
    cluster.parameters()
    if not file.exists():
        name = cluster.layout.name
        raise EnvironmentFault(
            f"use local cluster {name}: {what} was never brought up whole ({file} is missing)",
            hint=f"sunk local up --name {name}",
        )
    return file


@app.command()
def images(
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="DIR", help="Write the OCI archives into this folder."),
    ] = None,
    output: OutputOption = Form.TABLE,
    cache_dir: CacheOption = None,
) -> None:
    """List the container images, or export them for kind, k3s or a registry.

    Builds what is missing first, as `sunk local software` does. `--export` writes one archive
    `NAME.oci.tar` for each image.

    Touches: Debian packages (apt-get), the cache, the folder of `--export`.

    Exit codes: 0 listed or written; 3 this machine lacks something; 4 a download or build failed.

    For example:

    - `sunk local images`
    - `sunk local images --export ./images`
    """
    settings = local_settings(None, cache_dir)
    with reporting() as reporter:
        software = wiring.ensure_software(settings, reporter)
        if export is not None:
            wiring.export_images(software, export, reporter)
    show([{"name": i.name, "digest": i.digest} for i in software.images], output)


app.command()(local_software.software)
