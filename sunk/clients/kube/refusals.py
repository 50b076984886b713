"""What the API server's HTTP statuses mean, as errors of ours."""

from __future__ import annotations

import msgspec

from sunk.clients.kube import wire
from sunk.errors import Conflict, NotFound, Rejected, RemoteError, Unauthorized, Unreachable, clip

SYSTEM = "kube-apiserver"
_NOT_OF_ITS_SCHEMA = "failed to create typed patch object"
"""How the API server answers, with status 500, an applied object that has a field too many."""
_BY_STATUS: dict[int, type[RemoteError]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
    429: Unreachable,
    500: Unreachable,
    502: Unreachable,
    503: Unreachable,
    504: Unreachable,
}
_HINTS = {
    401: "are the credentials in the kubeconfig still valid? kubectl auth whoami asks the same",
    403: "ask the cluster's owner for this right; sunk doctor --kubeconfig FILE lists those needed",
}


def refusal(what: str, status: int, body: bytes) -> RemoteError:
    """Return the error for an answer with a status of 400 or more.

    Args:
        what: what was tried and on what, beginning with a verb.
        status: HTTP status.
        body: what came with it, a Status object as a rule.
    """
    try:
        message = msgspec.json.decode(body, type=wire.Status).message
    except (msgspec.MsgspecError, UnicodeDecodeError):
        message = ""
    kind = _BY_STATUS.get(status, Rejected)
    if _NOT_OF_ITS_SCHEMA in message:
        kind = Rejected
    text = f"{what}: HTTP {status}{': ' + clip(message) if message else ''}"
    return kind(text, system=SYSTEM, hint=_HINTS.get(status))
