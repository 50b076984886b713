"""How to reach an API server: from a kubeconfig file, read strictly, or from inside a Pod.

Nothing else is looked at: neither the environment nor a file that was not named.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException
from urllib3.util.ssl_ import create_urllib3_context

from sunk.errors import ConfigError, InputError, clip
from sunk.settings import InCluster

_WRONG = (yaml.YAMLError, ConfigException, AttributeError, KeyError, TypeError, ValueError)
"""What reading a document of another shape ends in, here and in the library."""
_HINT = "kubectl config view --raw --minify prints a whole one; sunk local kubeconfig too"


def context_of(kubeconfig: Path, context: str | None = None) -> tuple[str, str]:
    """Return the name of a kubeconfig's context and the server it leads to, without connecting.

    Raises:
        ConfigError: the file cannot be read.
        InputError: it has no such context; the hint lists those it has.
    """
    loaded = load(kubeconfig, context)
    return loaded[0], str(loaded[1].host)


def load(kubeconfig: Path, context: str | None) -> tuple[str, client.Configuration]:
    """Return the name of the chosen context and the client configuration it means.

    Raises:
        ConfigError: the file cannot be read, or is no kubeconfig.
        InputError: it lacks the context; the hint lists those it has.
    """
    what = f"read kubeconfig {kubeconfig}"
    try:
        document = yaml.safe_load(kubeconfig.read_bytes())
        if not isinstance(document, dict):
            raise ConfigError(f"{what}: not a kubeconfig (no mapping at its top)", hint=_HINT)
        contexts, current = config.list_kube_config_contexts(  # type: ignore[no-untyped-call]
            str(kubeconfig)
        )
        names = sorted(str(entry["name"]) for entry in contexts)
        chosen = context or str(current["name"])
        if chosen not in names:
            raise InputError(
                f"{what}: no context {chosen!r}", hint=f"its contexts are {', '.join(names)}"
            )
        _check_parts(document, next(one for one in contexts if one["name"] == chosen)["context"])
        configuration = client.Configuration()
        config.load_kube_config(  # type: ignore[no-untyped-call]
            str(kubeconfig),
            context=chosen,
            client_configuration=configuration,
            persist_config=False,
        )
    except (OSError, UnicodeDecodeError) as exc:
        cause = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        raise ConfigError(f"{what}: {cause}", hint="give the path of a readable file") from exc
    except _WRONG as exc:
        raise ConfigError(f"{what}: {clip(str(exc))}", hint=_HINT) from exc
    return chosen, configuration


def load_in_cluster(place: InCluster) -> client.Configuration:
    """Return the client configuration of a Pod's service account.

    The token is read anew for every request: the kubelet replaces it long before it expires. Where
    that fails, the last one goes on: whether it still holds is the server's to say.

    Raises:
        ConfigError: token or authority cannot be read.
    """
    authority = place.folder / "ca.crt"
    configuration = client.Configuration()
    configuration.host = place.server
    configuration.ssl_ca_cert = str(authority)

    def renew(into: client.Configuration) -> None:
        with suppress(ConfigError):
            into.api_key["BearerToken"] = f"Bearer {_read(place.folder / 'token')}"

    _read(authority)
    configuration.api_key["BearerToken"] = f"Bearer {_read(place.folder / 'token')}"
    configuration.refresh_api_key_hook = renew  # type: ignore[assignment] # its type is None's
    return configuration


def tls_context(configuration: client.Configuration) -> ssl.SSLContext:
    """Return how the API server's certificate is verified: chain, name and dates, like Go does.

    Python 3.13 demands extensions besides (an authority key identifier, …) that authorities of
    Kubernetes have long done without, those of Amazon's EKS among them.
    """
    required = ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE
    context = create_urllib3_context(cert_reqs=required)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _read(file: Path) -> str:
    try:
        text = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as exc:
        cause = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        raise ConfigError(
            f"read service account file {file}: {cause}",
            hint="does the Pod set automountServiceAccountToken: false",
        ) from exc
    if not text:
        raise ConfigError(f"read service account file {file}: it is empty")
    return text


def _check_parts(document: Mapping[str, Any], context: Mapping[str, Any]) -> None:
    """Check what the library passes over: it would take localhost, or nobody, for what is missing.

    Raises:
        ValueError: the context's user or cluster is not there, or its server is no address.
    """
    users = {one["name"] for one in document.get("users") or ()}
    if context.get("user") not in users:
        raise ValueError(f"its context names user {context.get('user')!r}, which is not in it")
    clusters = {one["name"]: one["cluster"] for one in document.get("clusters") or ()}
    if context.get("cluster") not in clusters:
        raise ValueError(
            f"its context names cluster {context.get('cluster')!r}, which is not in it"
        )
    server = str(clusters[context["cluster"]].get("server") or "")
    if urlsplit(server).scheme not in {"http", "https"} or not urlsplit(server).hostname:
        raise ValueError(f"its server {server!r} is not an address like https://HOST:PORT")
