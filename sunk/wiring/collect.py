"""Ways to hosts for `sunk fabric collect`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from sunk.clients.conversation import Conversation
from sunk.clients.kube.protocol import Kube
from sunk.clients.ssh_config import Logins, Overrides
from sunk.clients.ssh_shells import SshShells
from sunk.errors import InputError
from sunk.model.reach import Over
from sunk.wiring import clients
from sunk_fabric.collect.over_kube import OverKube, PodChoice
from sunk_fabric.collect.transport import Local, OverSsh, Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class SshSettings:
    """How to log in.

    Attributes:
        config: OpenSSH's client configuration; the user's own when absent.
        overrides: what wins over it.
        agent: whether keys of an agent are offered.
        step_seconds: the longest that each step of a login may take.
    """

    config: Path | None = None
    overrides: Overrides
    agent: bool = True
    step_seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeSettings:
    """Which Kubernetes cluster.

    Attributes:
        kubeconfig: a file; nothing asks Kubernetes when absent.
        context: in it; its current one when absent.
        request_seconds: the longest that each request may take.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    request_seconds: float = 30.0


def way(over: Over, ssh: SshSettings, kube: Kube | None, pods: PodChoice) -> Transport:
    """Return the way to hosts.

    Raises:
        ConfigError: a configuration cannot be read.
        InputError: something is missing for it.
    """
    match over:
        case Over.SSH:
            shells = SshShells(within_seconds=ssh.step_seconds, use_agent=ssh.agent)
            return OverSsh(Logins(ssh.config, ssh.overrides), shells)
        case Over.LOCAL:
            return Local(start=lambda: Conversation(("/bin/sh",)))
        case Over.KUBERNETES:
            if kube is None:
                raise InputError(
                    "collect over Kubernetes: no cluster is named", hint="give --kubeconfig FILE"
                )
            return OverKube(kube, pods, ssh.step_seconds)
        case _:
            assert_never(over)


def cluster(settings: KubeSettings) -> Kube | None:
    """Return a client of the cluster, or nothing when none is named.

    Raises:
        ConfigError: the kubeconfig is not usable.
    """
    if settings.kubeconfig is None:
        return None
    return clients.connect_kube(
        settings.kubeconfig, settings.context, within_seconds=settings.request_seconds
    )
