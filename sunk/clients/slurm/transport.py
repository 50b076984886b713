"""HTTP with slurmrestd: tokens, time limits, version discovery, and one reading of its errors.

What lives here is the same for every data_parser version: the envelope (``errors``, ``warnings``,
``meta``) around each answer. Used by `sunk.clients.slurm.rest` alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

import httpx
import msgspec
import structlog

from sunk.clients.slurm.codes import error_class
from sunk.errors import (
    ConfigError,
    NotFound,
    Rejected,
    RemoteError,
    Unauthorized,
    UnexpectedReply,
    Unreachable,
    clip,
)

SYSTEM = "slurmrestd"
TIMEOUT_SECONDS = 30.0
"""Time limit of a call. slurmrestd itself needs 9 s to notice that slurmctld is gone."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")
_VERSION = re.compile(r"/slurm/v(0\.0\.[0-9]{1,6})/")
_EMPTY = ("found nothing", "Zero jobs to dump", "No job changes since")
"""Warnings that only say that the list is empty or unchanged."""

T = TypeVar("T")


class ErrorEntry(msgspec.Struct):
    """One entry of ``errors``."""

    description: str = ""
    error_number: int = 0
    error: str = ""
    source: str = ""


class WarningEntry(msgspec.Struct):
    """One entry of ``warnings``."""

    description: str = ""
    source: str = ""


class Envelope(msgspec.Struct):
    """What every answer of slurmrestd holds beside its data."""

    errors: list[ErrorEntry]
    warnings: list[WarningEntry]


class Reply(NamedTuple):
    """An HTTP answer from which the token, should it be repeated there, is gone."""

    status: int
    content: bytes


class _Spec(msgspec.Struct):
    paths: dict[str, msgspec.Raw]


def log_warning(text: str) -> None:
    """Log a warning of slurmrestd; the default for what to do with one."""
    structlog.get_logger().warning("slurm.warning", text=text)


class Transport:
    """Sends requests and returns decoded answers, or raises what went wrong.

    Args:
        base_url: where slurmrestd is, without the version; may be the path of a Kubernetes
            service proxy.
        token: returns the token for the next request.
        http: the httpx transport; for a unix socket ``httpx.HTTPTransport(uds=...)``.
        timeout_seconds: time limit of each call.
        on_warning: told about every entry of ``warnings``. slurmrestd only warns when it ignores
            a field that it does not know, so the tests raise here.
    """

    def __init__(
        self,
        *,
        base_url: str,
        token: Callable[[], str],
        http: httpx.BaseTransport | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        on_warning: Callable[[str], None] = log_warning,
    ) -> None:
        self._token = token
        self._on_warning = on_warning
        self._timeout_seconds = timeout_seconds
        # trust_env would send the token through whatever proxy the environment names.
        self._client = httpx.Client(
            base_url=base_url, transport=http, timeout=timeout_seconds, trust_env=False
        )

    def close(self) -> None:
        """Close the kept connections."""
        self._client.close()

    def data_parsers(self) -> tuple[str, ...]:
        """Return the data_parser versions that the server has, for example ``0.0.42``, sorted."""
        what = "ask for the API versions"
        reply = self._send("GET", "/openapi/v3", what=what)
        if reply.status != httpx.codes.OK:
            raise _foreign(reply, what)
        paths = decode(reply.content, _Spec, what).paths
        found = {match[1] for path in paths if (match := _VERSION.match(path))}
        return tuple(sorted(found, key=lambda version: int(version.rpartition(".")[2])))

    def call(
        self,
        method: str,
        path: str,
        answer: type[T],
        *,
        what: str,
        params: Mapping[str, str] | None = None,
        body: object = None,
        lookup: bool = False,
    ) -> T | None:
        """Send a request; return its decoded answer, or None for "nothing changed" (HTTP 304).

        Args:
            method: HTTP method.
            path: below `base_url`, already quoted.
            answer: msgspec struct to decode.
            what: begins error messages: ``read node w1``.
            params: query.
            body: sent as JSON.
            lookup: an error without a number means that the one object asked for does not exist;
                24.11 answers so for nodes.

        Raises:
            RemoteError: one of its kinds, as `sunk.clients.slurm.protocol` says.
        """
        reply = self._send(method, path, what=what, params=params, body=body)
        if reply.status == httpx.codes.NOT_MODIFIED:
            return None
        envelope = _envelope(reply, what)
        if envelope.errors:
            raise _refusal(envelope.errors, what, lookup=lookup)
        for warning in envelope.warnings:
            if not any(word in warning.description for word in _EMPTY):
                self._on_warning(f"{what}: {clip(f'{warning.source} {warning.description}')}")
        if reply.status != httpx.codes.OK:
            raise _foreign(reply, what)
        return decode(reply.content, answer, what)

    def _send(
        self,
        method: str,
        path: str,
        *,
        what: str,
        params: Mapping[str, str] | None = None,
        body: object = None,
    ) -> Reply:
        token = self._token().strip()
        if _TOKEN.fullmatch(token) is None:
            # httpx would refuse the header too, with the token in its message.
            raise ConfigError(
                f"{what}: the Slurm token is empty or holds a character that no token has",
                hint="get one with: scontrol token",
            )
        headers = {"X-SLURM-USER-TOKEN": token}
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            response = self._client.request(
                method, path, params=params, content=content, headers=headers
            )
        except httpx.TimeoutException as exc:
            raise Unreachable(
                f"{what}: no answer within {self._timeout_seconds:g} s",
                system=SYSTEM,
                hint="look at the log of slurmrestd and slurmctld",
            ) from exc
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise Unreachable(
                f"{what}: {clip(str(exc)) or type(exc).__name__}",
                system=SYSTEM,
                hint="check that slurmrestd runs and that its address is right",
            ) from exc

        return Reply(response.status_code, response.content.replace(token.encode(), b"***"))


def _envelope(reply: Reply, what: str) -> Envelope:
    """Return errors and warnings; an answer without them did not come from slurmrestd."""
    try:
        return msgspec.json.decode(reply.content, type=Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        if reply.status == httpx.codes.OK:
            raise _damaged(exc, what) from exc
        raise _foreign(reply, what) from exc


def _foreign(reply: Reply, what: str) -> RemoteError:
    """Return the error for an answer that only its HTTP status explains."""
    text = clip(reply.content.decode(errors="replace"))
    message = f"{what}: HTTP {reply.status}: {text or 'no text'}"
    match reply.status:
        case 401 | 403 | 511:
            return Unauthorized(message, system=SYSTEM, hint="renew the token")
        case 429 | 502 | 503 | 504:
            return Unreachable(message, system=SYSTEM)
        case 400:
            return Rejected(message, system=SYSTEM)
        case _:
            return UnexpectedReply(
                message, system=SYSTEM, hint="check that this is the address of slurmrestd"
            )


def decode(content: bytes, answer: type[T], what: str) -> T:
    """Return a decoded answer.

    Raises:
        UnexpectedReply: it is damaged or of another form; names the place.
    """
    try:
        return msgspec.json.decode(content, type=answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise _damaged(exc, what) from exc


def _damaged(exc: Exception, what: str) -> UnexpectedReply:
    return UnexpectedReply(
        f"{what}: the answer is damaged: {clip(str(exc))}",
        system=SYSTEM,
        hint="if it happens again, report it with the versions of Slurm and sunk",
    )


def _refusal(entries: list[ErrorEntry], what: str, *, lookup: bool) -> RemoteError:
    """Return the error for the entries of ``errors``, of the kind of the last one.

    The last entry comes from the outermost call; the ones before it add the details.
    """
    text = "; ".join(_sentence(entry) for entry in entries)
    number = entries[-1].error_number
    message = f"{what}: {clip(text)}"
    if number == 0:
        if lookup:
            return NotFound(message, system=SYSTEM)
        return UnexpectedReply(f"{message} (an error without a number)", system=SYSTEM)
    kind = error_class(number)
    return kind(f"{message} (Slurm error {number})", system=SYSTEM, hint=_HINTS.get(number))


_HINTS = {
    1007: "renew the token, and check that both sides have the same key and time",
    2010: "this needs a token of a Slurm administrator",
    2045: "give the user an association with the account: sacctmgr add user NAME account=ACCOUNT",
    2066: "the association has no such QOS: sacctmgr show assoc format=account,user,qos",
}


def _sentence(entry: ErrorEntry) -> str:
    words = [entry.description, entry.error if entry.error_number else ""]
    return ", ".join(word for word in words if word) or entry.source or "no description"
