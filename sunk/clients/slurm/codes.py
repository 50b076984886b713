"""What Slurm's error numbers mean for a caller: number -> class of error.

Numbers: slurm/slurm_errno.h. Only those stand here whose meaning is not "the request is wrong".
"""

from __future__ import annotations

from sunk.errors import Conflict, NotFound, Rejected, RemoteError, Unauthorized, Unreachable

ALREADY_DONE = 2021
"""ESLURM_ALREADY_DONE: the job is completing or completed."""

_UNREACHABLE = frozenset(
    {
        *range(1001, 1005),  # SLURM_COMMUNICATIONS_*: connection, send, receive, shutdown
        *range(1013, 1026),  # sockets, time-outs, shutting down
        *range(1800, 1806),  # SLURMCTLD_COMMUNICATIONS_*
        2027,  # ESLURM_IN_STANDBY_MODE
        2131,  # ESLURM_IN_STANDBY_USE_BACKUP
        5003,  # ESLURM_PROTOCOL_INCOMPLETE_PACKET
        5004,  # SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT
        5005,  # SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT
        7000,  # ESLURM_DB_CONNECTION: slurmrestd reaches no slurmdbd
        7008,  # ESLURM_DB_CONNECTION_INVALID
    }
)
_UNAUTHORIZED = frozenset(
    {
        1007,  # SLURM_PROTOCOL_AUTHENTICATION_ERROR: bad or expired token
        2002,  # ESLURM_ACCESS_DENIED
        2010,  # ESLURM_USER_ID_MISSING: "Invalid user id", the caller may not do this
        *range(6000, 6012),  # ESLURM_AUTH_*
        9008,  # ESLURM_REST_AUTH_FAIL
    }
)
_NOT_FOUND = frozenset(
    {
        2017,  # ESLURM_INVALID_JOB_ID
        2018,  # ESLURM_INVALID_NODE_NAME
        9003,  # ESLURM_REST_EMPTY_RESULT
    }
)
_CONFLICT = frozenset(
    {
        2016,  # ESLURM_NODES_BUSY
        2020,  # ESLURM_TRANSITION_STATE_NO_UPDATE
        2055,  # ESLURM_RESERVATION_BUSY
        2075,  # ESLURM_PARTITION_IN_USE
        2120,  # ESLURM_REBOOT_IN_PROGRESS
        7001,  # ESLURM_JOBS_RUNNING_ON_ASSOC
    }
)


def error_class(number: int) -> type[RemoteError]:
    """Return the class of error that a Slurm error number stands for.

    Numbers below 1000 are errno values of slurmrestd's own calls: 24.11 answers "Operation not
    permitted" to a cancel when slurmctld is gone, while a true refusal is 2002. So they are
    Unreachable.
    """
    if number in _UNREACHABLE or 0 < number < 1000:
        return Unreachable
    if number in _UNAUTHORIZED:
        return Unauthorized
    if number in _NOT_FOUND:
        return NotFound
    if number in _CONFLICT:
        return Conflict
    return Rejected
