"""Typed settings; the only reader of environment variables.

Precedence: command line option, environment variable, default. A command builds one `Settings`
and passes on the parts that a function needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sunk.errors import ConfigError

DEFAULT_STATE_FOLDER = Path("/var/lib/sunk")
DEFAULT_CACHE_FOLDER = Path("/var/cache/sunk")


class SlurmClientKind(StrEnum):
    """How to speak to Slurm."""

    REST = "rest"
    CLI = "cli"
    NATIVE = "native"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """Where the local cluster lives on this machine.

    Attributes:
        state_folder: one sub-folder for each local cluster; removed by ``sunk local down``
            (``SUNK_STATE_DIR``).
        cache_folder: built programs, packages, root file systems, images; keyed by content and
            shared by all clusters (``SUNK_CACHE_DIR``).
        kube_bin: folder with Kubernetes programs, or the multi-call program, to use instead of a
            build (``SUNK_KUBE_BIN``).
        debian_mirror: base of a Debian mirror; the machine's own when absent
            (``SUNK_DEBIAN_MIRROR``).
    """

    state_folder: Path = DEFAULT_STATE_FOLDER
    cache_folder: Path = DEFAULT_CACHE_FOLDER
    kube_bin: Path | None = None
    debian_mirror: str | None = None


def read_local(
    environment: Mapping[str, str],
    *,
    state_folder: Path | None = None,
    cache_folder: Path | None = None,
) -> LocalSettings:
    """Return the local cluster's settings from options and environment.

    Raises:
        ConfigError: a folder is not an absolute path.
    """
    state = state_folder or _folder(environment, "SUNK_STATE_DIR") or DEFAULT_STATE_FOLDER
    cache = cache_folder or _folder(environment, "SUNK_CACHE_DIR") or DEFAULT_CACHE_FOLDER
    return LocalSettings(
        state_folder=_absolute(state, "SUNK_STATE_DIR / --state-dir"),
        cache_folder=_absolute(cache, "SUNK_CACHE_DIR / --cache-dir"),
        kube_bin=_folder(environment, "SUNK_KUBE_BIN"),
        debian_mirror=environment.get("SUNK_DEBIAN_MIRROR") or None,
    )


SERVICE_ACCOUNT_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes puts a Pod's token, the API server's authority and the Pod's namespace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InCluster:
    """What a Pod is told about the cluster that it runs in.

    Attributes:
        server: address of the API server.
        folder: holds ``token``, ``ca.crt`` and ``namespace``.
    """

    server: str
    folder: Path = SERVICE_ACCOUNT_FOLDER

    def namespace(self) -> str:
        """Return the Pod's own namespace.

        Raises:
            ConfigError: it is not told.
        """
        file = self.folder / "namespace"
        try:
            return file.read_text().strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise _no_pod(f"{file}: {getattr(exc, 'strerror', None) or exc}") from exc


def read_in_cluster(environment: Mapping[str, str]) -> InCluster:
    """Return what this Pod is told about its cluster.

    Raises:
        ConfigError: this is no Pod.
    """
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    port = environment.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port:
        raise _no_pod("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
    return InCluster(server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}")


def _no_pod(why: str) -> ConfigError:
    return ConfigError(
        f"reach the cluster that this Pod runs in: {why}",
        hint="outside a Pod use --kubeconfig FILE instead of --in-cluster",
    )


def _folder(environment: Mapping[str, str], name: str) -> Path | None:
    text = environment.get(name, "")
    return Path(text) if text else None


def _absolute(path: Path, origin: str) -> Path:
    if not path.is_absolute():
        raise ConfigError(
            f"read setting {origin}: {str(path)!r} is not an absolute path",
            hint="give a folder that starts with /",
        )
    return path
