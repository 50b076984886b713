"""Clients of Kubernetes and Slurm, and the checks that ask them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from sunk import wellknown
from sunk.assess.verdict import Finding
from sunk.clients.kube.protocol import Kube
from sunk.clients.kube.service_transport import ServiceTransport
from sunk.clients.slurm.cli import CliSlurm
from sunk.clients.slurm.native import NativeSlurm
from sunk.clients.slurm.native import load as load_pyslurm
from sunk.clients.slurm.protocol import SlurmClient
from sunk.clients.slurm.rest import RestSlurm
from sunk.clients.slurm.runners import PodRunner, ProcessRunner
from sunk.clients.slurm.token import TokenSource
from sunk.errors import ConfigError, EnvironmentFault
from sunk.local import cluster_checks, machine_checks
from sunk.render.keys import ClusterKeys
from sunk.settings import InCluster, LocalSettings, SlurmClientKind

_SACKD = "sackd"


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeTarget:
    """Where a kubeconfig leads, known without connecting."""

    context: str
    server: str


def connect_kube(
    kubeconfig: Path, context: str | None = None, *, within_seconds: float = 30.0
) -> Kube:
    """Return a client of the cluster that a kubeconfig file leads to.

    Args:
        kubeconfig: the file.
        context: in it; its current one when absent.
        within_seconds: time limit of each request.

    Raises:
        ConfigError: the file is no usable kubeconfig, or this installation lacks the extra.
    """
    try:
        from sunk.clients.kube.api import KubeApi  # noqa: PLC0415 - an extra: see pyproject.toml
    except ImportError as exc:
        raise _lacking(exc) from exc
    return KubeApi(kubeconfig, context, within_seconds=within_seconds)


def connect_own_kube(place: InCluster, *, within_seconds: float = 30.0) -> Kube:
    """Return a client of the cluster that this Pod runs in, as its service account.

    Args:
        place: what the Pod is told.
        within_seconds: time limit of each request.

    Raises:
        ConfigError: the Pod has no token, or this installation lacks the extra.
    """
    try:
        from sunk.clients.kube.api import KubeApi  # noqa: PLC0415 - an extra: see pyproject.toml
    except ImportError as exc:
        raise _lacking(exc) from exc
    return KubeApi(place, within_seconds=within_seconds)


def describe_target(kubeconfig: Path, context: str | None = None) -> KubeTarget:
    """Return where a kubeconfig file leads.

    Raises:
        ConfigError: the file is no usable kubeconfig, or this installation lacks the extra.
    """
    try:
        from sunk.clients.kube.config import context_of  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise _lacking(exc) from exc
    name, server = context_of(kubeconfig, context)
    return KubeTarget(context=name, server=server)


def connect_slurm(
    kube: Kube,
    namespace: str,
    keys: ClusterKeys,
    kind: SlurmClientKind = SlurmClientKind.REST,
    *,
    directly: bool = False,
) -> SlurmClient:
    """Return a client of a namespace's Slurm, as its administrator.

    Args:
        kube: its cluster.
        namespace: where it is.
        keys: its secrets.
        kind: over slurmrestd, over Slurm's commands in the login node's sackd container, or over
            this machine's libslurm.
        directly: slurmrestd by its Service's name, for Pods, rather than through the API server.
    """
    match kind:
        case SlurmClientKind.REST if directly:
            return connect_slurm_directly(namespace, keys)
        case SlurmClientKind.REST:
            port = wellknown.SLURMRESTD_PORT
            return RestSlurm(
                base_url=f"http://slurmrestd:{port}",
                http=ServiceTransport(kube, namespace, "slurmrestd", port),
                token=TokenSource(keys.jwt_key, user="root"),
            )
        case SlurmClientKind.CLI:
            return connect_slurm_commands(kube, namespace)
        case SlurmClientKind.NATIVE:
            return connect_slurm_natively()
        case _:
            assert_never(kind)


def connect_slurm_directly(namespace: str, keys: ClusterKeys) -> SlurmClient:
    """Return a client of a namespace's slurmrestd, by its Service's name, for Pods."""
    return RestSlurm(
        base_url=f"http://slurmrestd.{namespace}.svc:{wellknown.SLURMRESTD_PORT}",
        token=TokenSource(keys.jwt_key, user="root"),
    )


def connect_slurm_commands(kube: Kube, namespace: str) -> CliSlurm:
    """Return a client over the commands in the login node's sackd container.

    There they run as SlurmUser, who is an administrator, beside the socket that signs for them.
    """
    return CliSlurm(PodRunner(kube, namespace=namespace, pod=wellknown.LOGIN_POD, container=_SACKD))


def connect_slurm_natively() -> NativeSlurm:
    """Return a client over this machine's libslurm, as the user of this process.

    Raises:
        ConfigError: pyslurm is not installed, or was made for another release of Slurm.
    """
    runner = ProcessRunner()

    def version() -> str:
        try:
            return runner(("scontrol", "--version"), timeout_seconds=10).stdout
        except EnvironmentFault:
            return ""  # told as unknown

    return NativeSlurm(load_pyslurm(version), runner)


def local_slurm_commands() -> CliSlurm:
    """Return a client over the commands of this machine, as the user of this process."""
    return CliSlurm(ProcessRunner())


def check_machine(settings: LocalSettings) -> tuple[Finding, ...]:
    """Return what this machine lacks for a local cluster."""
    return machine_checks.judge(machine_checks.gather(settings))


def check_cluster(kubeconfig: Path, namespace: str) -> tuple[Finding, ...]:
    """Return what a cluster lacks for a Slurm cluster."""
    return cluster_checks.check_cluster(connect_kube(kubeconfig), namespace)


def _lacking(error: ImportError) -> ConfigError:
    return ConfigError(
        f"talk to Kubernetes: this installation of sunk lacks a library ({error.name})",
        hint="pip install 'sunk[bridge]'",
    )
