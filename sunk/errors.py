"""The whole error tree; every error a user can meet is one of these.

::

    SunkError(message, hint)
    ├─ ConfigError            a wrong or missing setting; names the key and where it came from
    ├─ InputError             text somebody wrote: hostlist, quantity, manifest
    ├─ EnvironmentFault       this machine lacks something: root, a program, space
    ├─ Interrupted            somebody ended it; what is there is kept
    ├─ JobEnded               a job ended without the result that it was to give
    ├─ CommandError           a program we started failed: argv, exit status, last lines
    └─ RemoteError            another system answered badly or not at all
       ├─ Unreachable         no answer (transient)
       ├─ NotReached          no shell on a host; says at which step
       ├─ Unauthorized        the credentials were refused
       ├─ NotFound            the object does not exist
       ├─ Conflict            somebody else changed it first (transient)
       ├─ Rejected            understood and refused: the request itself is wrong
       └─ UnexpectedReply     an answer that does not follow its own format

Wording: starts with the verb of what was tried, names the object, gives the cause; no full stop.
The hint is the one thing to do next, preferably a command.
"""

from __future__ import annotations

BODY_LIMIT = 256
"""Characters of a foreign reply that may stand in a message: more may hold secrets."""


class SunkError(Exception):
    """Base of every error that is not a bug of ours."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(SunkError):
    """A setting is wrong or missing."""


class InputError(SunkError):
    """Text that somebody wrote cannot be understood; the message names the place."""


class EnvironmentFault(SunkError):
    """This machine lacks something that the work needs."""


class CommandError(SunkError):
    """A program ended with a non-zero status, ran out of time, or could not be started."""

    def __init__(
        self,
        message: str,
        *,
        argv: tuple[str, ...] = (),
        status: int | None = None,
        output: str = "",
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.argv = argv
        self.status = status
        self.output = output


class JobEnded(SunkError):
    """A job ended without the result that it was to give.

    Attributes:
        state: Slurm's word for how it ended, such as ``CANCELLED`` or ``NODE_FAIL``.
        exit_code: of the job; None when that is not known.
    """

    def __init__(
        self,
        message: str,
        *,
        state: str = "UNKNOWN",
        exit_code: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.state = state
        self.exit_code = exit_code


class Interrupted(SunkError):
    """Somebody ended the work; what is there is kept, and the hint says how to go on."""


class RemoteError(SunkError):
    """Another system answered badly or not at all.

    Attributes:
        system: who was asked, for example ``slurmrestd`` or ``kube-apiserver``.
        transient: whether the same request may succeed later.
    """

    transient = False

    def __init__(self, message: str, *, system: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.system = system


class Unreachable(RemoteError):
    """No answer: connection refused, reset, or out of time."""

    transient = True


class NotReached(RemoteError):
    """No shell could be had on a host.

    Attributes:
        reason: at which step it failed, a word of `sunk.model.reach.Reason`; empty when not known.
    """

    def __init__(
        self, message: str, *, system: str, reason: str = "", hint: str | None = None
    ) -> None:
        super().__init__(message, system=system, hint=hint)
        self.reason = reason


class Unauthorized(RemoteError):
    """The credentials were refused, or do not suffice."""


class NotFound(RemoteError):
    """The object does not exist on the other side."""


class Conflict(RemoteError):
    """The object changed under us, or exists already."""

    transient = True


class Rejected(RemoteError):
    """The other side understood the request and refused it."""


class UnexpectedReply(RemoteError):
    """The answer does not follow the format that it claims."""


def clip(text: str, limit: int = BODY_LIMIT) -> str:
    """Return `text` on one line, cut to `limit` characters, for use inside a message."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
