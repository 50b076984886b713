"""``sunk fabric collect``: what the tools of many hosts print, into one folder."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sunk.cli import exits
from sunk.cli.lazy import Later
from sunk.cli.options import DryRunOption
from sunk.cli.output import Form, OutputOption, say, show
from sunk.cli.places import ContextOption
from sunk.cli.progress import reporting
from sunk.errors import InputError, Interrupted
from sunk.model.reach import Over

if TYPE_CHECKING:
    from sunk.clients import ssh_config
    from sunk.wiring import collect as wiring
    from sunk_fabric.collect import brought, conversation, gather, kube_texts, over_kube, service
    from sunk_fabric.collect import plan as planning
    from sunk_fabric.collect.service import Collected
else:
    brought = Later("sunk_fabric.collect.brought")
    conversation = Later("sunk_fabric.collect.conversation")
    gather = Later("sunk_fabric.collect.gather")
    kube_texts = Later("sunk_fabric.collect.kube_texts")
    over_kube = Later("sunk_fabric.collect.over_kube")
    planning = Later("sunk_fabric.collect.plan")
    service = Later("sunk_fabric.collect.service")
    ssh_config = Later("sunk.clients.ssh_config")
    wiring = Later("sunk.wiring.collect")

_MIB = 1 << 20


def collect(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where the texts go; made here.")
    ],
    hosts: Annotated[
        list[str] | None,
        typer.Argument(metavar="HOST", help="Hosts, also folded: gpu[001-128]."),
    ] = None,
    hosts_file: Annotated[
        Path | None,
        typer.Option("--hosts-file", metavar="FILE", help="Hosts, one or more a line."),
    ] = None,
    over: Annotated[Over, typer.Option("--over", help="How hosts are reached.")] = Over.SSH,
    user: Annotated[
        str | None, typer.Option("--user", metavar="NAME", help="SSH: log in as this user.")
    ] = None,
    identity: Annotated[
        list[Path] | None,
        typer.Option(
            "--identity", metavar="FILE", help="SSH: this private key only. May be repeated."
        ),
    ] = None,
    jump: Annotated[
        str | None,
        typer.Option(
            "--jump", metavar="[USER@]HOST[:PORT]", help="SSH: through these hosts, by commas."
        ),
    ] = None,
    ssh_file: Annotated[
        Path | None,
        typer.Option("--ssh-config", metavar="FILE", help="SSH: instead of ~/.ssh/config."),
    ] = None,
    known_hosts: Annotated[
        Path | None,
        typer.Option("--known-hosts", metavar="FILE", help="SSH: the only file of host keys."),
    ] = None,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            "--kubeconfig", metavar="FILE", help="Ask this Kubernetes cluster for its objects too."
        ),
    ] = None,
    context: ContextOption = None,
    namespace: Annotated[
        str, typer.Option("--namespace", metavar="NAME", help="Kubernetes: of the Pods.")
    ] = "default",
    selector: Annotated[
        str,
        typer.Option("--selector", metavar="LABELS", help="Kubernetes: use Pods with these."),
    ] = "",
    container: Annotated[
        str, typer.Option("--container", metavar="NAME", help="Kubernetes: in those Pods.")
    ] = "",
    image: Annotated[
        str,
        typer.Option(
            "--image", metavar="IMAGE", help="Kubernetes: a DaemonSet of it where no Pod is."
        ),
    ] = "",
    pods: Annotated[
        str,
        typer.Option(
            "--pods",
            metavar="LABELS",
            help="Kubernetes: ask Pods with these too, for what they were given.",
        ),
    ] = "",
    pods_namespace: Annotated[
        str | None,
        typer.Option("--pods-namespace", metavar="NAME", help="Kubernetes: of those, if another."),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(
            "--text",
            metavar="FORMAT[@HOST]=FILE",
            help="Keep this too: a job's log, a test's output. Can be repeated.",
        ),
    ] = None,
    pod_seconds: Annotated[
        float,
        typer.Option(
            "--pod-seconds", metavar="SECONDS", min=0, help="Kubernetes: for its Pods to start."
        ),
    ] = 120.0,
    at_once: Annotated[
        int,
        typer.Option(
            "--at-once", metavar="N", min=1, max=1024, help="Most hosts at the same time."
        ),
    ] = 32,
    connect_seconds: Annotated[
        float,
        typer.Option(
            "--connect-seconds",
            metavar="SECONDS",
            min=0.1,
            help="For each step of a login, and for the shell's start.",
        ),
    ] = 10.0,
    command_seconds: Annotated[
        float,
        typer.Option("--command-seconds", metavar="SECONDS", min=0.1, help="For each command."),
    ] = 60.0,
    output_mib: Annotated[
        int,
        typer.Option(
            "--output-mib", metavar="N", min=1, max=1024, help="Of each command, at most."
        ),
    ] = 64,
    window: Annotated[
        float,
        typer.Option("--window", metavar="SECONDS", min=0, help="Read counters again after this."),
    ] = 0.0,
    sysfs_root: Annotated[
        str, typer.Option("--sysfs-root", metavar="DIR", help="Where sysfs is on the hosts.")
    ] = "/sys",
    fabric_from: Annotated[
        str, typer.Option("--fabric-from", metavar="HOST", help="Ask it about the whole fabric.")
    ] = "",
    any_name: Annotated[
        bool, typer.Option("--any-name", help="Take hosts whatever they call themselves.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with FOLDER: take only what is missing.")
    ] = False,
    archive: Annotated[
        Path | None,
        typer.Option("--archive", metavar="FILE", help="Pack the folder into this .tar.gz too."),
    ] = None,
    dry_run: DryRunOption = False,
    output: OutputOption = Form.TABLE,
) -> None:
    """Collect what the tools of many hosts print, for `sunk fabric check`.

    Every command only reads. A tool that a host lacks is evidence too. One host with an active
    InfiniBand port is asked about the whole fabric, one about Slurm. Host keys are verified and
    never learned on the way. Passwords, tokens, keys and community strings are taken out before a
    text is written. A dead host costs its own time and is named; an interrupt keeps what is there.
    Touches FOLDER and the file of --archive; on the hosts nothing is written. With --image it makes
    a privileged DaemonSet, and deletes it at the end whatever happens.

    Exit codes: 0 every host was collected; 2 a name or FOLDER is wrong; 3 a file of settings is
    wrong; 4 a host was not reached, or answered in part; 130 interrupted.

    For example:

    - `sunk fabric collect ./collected gpu[001-128]`
    - `sunk fabric collect ./collected --resume`
    - `sunk fabric collect ./collected --hosts-file hosts.txt --jump bastion --dry-run`
    - `sunk fabric collect ./here --over local --archive here.tar.gz`
    - `sunk fabric collect ./pods --over kubernetes --kubeconfig FILE --image busybox`
    """
    if archive is not None and archive.exists():
        raise InputError(f"write {archive}: it exists", hint="name one that does not")
    if archive is not None and not archive.absolute().parent.is_dir():
        raise InputError(f"write {archive}: its folder is not there", hint="make it first")
    for file in (*(identity or ()), *([known_hosts] if known_hosts else ())):
        if not file.is_file():
            raise InputError(f"read {file}: there is no such file")
    request = service.Request(
        folder=folder,
        hosts=_hosts(hosts or (), hosts_file),
        resume=resume,
        command_seconds=command_seconds,
        window_seconds=window,
        sysfs_root=sysfs_root,
    )
    ssh = wiring.SshSettings(
        config=ssh_file,
        overrides=ssh_config.Overrides(
            user=user, keys=tuple(identity or ()), known_hosts=known_hosts, jump=jump
        ),
        step_seconds=connect_seconds,
    )
    kube = wiring.cluster(wiring.KubeSettings(kubeconfig=kubeconfig, context=context))
    choice = over_kube.PodChoice(
        namespace=namespace,
        selector=selector,
        container=container,
        image=image,
        wait_seconds=pod_seconds,
        inside=pods,
        inside_namespace=pods_namespace or namespace,
    )
    transport = wiring.way(over, ssh, kube, choice)
    limit = output_mib * _MIB
    manner = gather.Manner(
        limits=conversation.Limits(start_seconds=connect_seconds, output_bytes=limit),
        at_once=at_once,
        any_name=any_name,
        fabric_from=fabric_from,
        kube_texts=kube_texts.KubeTexts(kube, command_seconds, limit) if kube else None,
        brought=tuple(brought.brought(word) for word in text or ()),
    )
    if dry_run:
        show(service.rows(service.planned(request, transport), transport, manner), output)
        return
    with _terminable(), reporting() as reporter:
        made = service.collect(request, transport, manner, reporter)
    if archive is not None:
        service.pack(folder, archive)
    _tell(made, output)
    if made.record.interrupted:
        raise Interrupted(
            f"collect into {folder}: interrupted; what is there is kept",
            hint=f"sunk fabric collect {folder} --resume",
        )
    raise typer.Exit(exits.OK if made.record.whole else exits.REMOTE_SYSTEM)


def _hosts(words: list[str] | tuple[str, ...], file: Path | None) -> tuple[str, ...]:
    named = planning.hosts_of(words)
    if file is None:
        return named
    try:
        text = file.read_text()
    except OSError as exc:
        raise InputError(f"read {file}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise InputError(f"read {file}: {exc}") from exc
    return tuple(dict.fromkeys((*named, *planning.hosts_in(text))))


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the work as Ctrl-C does: what is there is kept, and what was made undone."""

    def interrupt(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(made: Collected, output: Form) -> None:
    record = made.record
    counted = Counter(str(one.outcome) for one in record.hosts)
    if output is not Form.TABLE:
        show(
            {
                "folder": made.folder,
                "counts": counted,
                "texts": made.texts,
                "redactions": made.redactions,
                **{name: getattr(record, name) for name in ("interrupted", "fabric_from", "notes")},
                "hosts": record.hosts,
            },
            output,
        )
        return
    bad = [
        {
            **{name: getattr(one, name) for name in ("host", "outcome", "reason", "words")},
            "missing": one.missing if one.outcome == "partly" else "all",
        }
        for one in record.hosts
        if one.outcome != "collected"
    ]
    if bad:
        show(bad, output)
    for note in record.notes:
        say(note)
    words = ", ".join(f"{count} {name}" for name, count in sorted(counted.items()))
    secrets = f"; {made.redactions} secrets taken out" if made.redactions else ""
    many = f"{len(record.hosts)} host{'s' * (len(record.hosts) != 1)}"
    say(f"{many}: {words}; {made.texts} texts in {made.folder}{secrets}")
