"""What Slurm's commands mean when they fail: their text -> the class of error.

A command ends with ``<who>: error: <what it tried>: <text>``, where the text is that of one of
Slurm's error numbers. The numbers go through `sunk.clients.slurm.codes` as those of slurmrestd do.
Exit statuses say nothing more than "failed".
"""

from __future__ import annotations

import re

from sunk.clients.kube.protocol import Executed
from sunk.clients.slurm.codes import error_class
from sunk.errors import (
    ConfigError,
    EnvironmentFault,
    Rejected,
    RemoteError,
    SunkError,
    Unauthorized,
    UnexpectedReply,
    Unreachable,
    clip,
)

SYSTEM = "slurm"

NUMBERS = {
    # communication (slurm_errno.h, 1000 to 1999)
    "Communication connection failure": 1001,
    "Message send failure": 1002,
    "Message receive failure": 1003,
    "Communication shutdown failure": 1004,
    "Incompatible versions of client and server code": 1005,
    "Protocol authentication error": 1007,
    "Unable to contact slurm controller (connect failure)": 1800,
    "Unable to contact slurm controller (send failure)": 1801,
    "Unable to contact slurm controller (receive failure)": 1802,
    "Unable to contact slurm controller (shutdown failure)": 1803,
    "Rate limit exceeded, please retry momentarily": 1804,
    "Rate limit exceeded, please retry later": 1805,
    # slurmctld (2000 to 2999)
    "Invalid partition name specified": 2000,
    "No partition specified or system default partition": 2001,
    "Access/permission denied": 2002,
    "User's group not permitted to use this partition": 2003,
    "Requested nodes not in this partition": 2004,
    "More processors requested than permitted": 2005,
    "Node count specification invalid": 2006,
    "Invalid user id": 2010,
    "Requested node configuration is not available": 2014,
    "Requested partition configuration not available now": 2015,
    "Requested nodes are busy": 2016,
    "Invalid job id specified": 2017,
    "Invalid node name specified": 2018,
    "I/O error writing script/environment to file": 2019,
    "Job can not be altered now, try again later": 2020,
    "Job/step already completing or completed": 2021,
    "Job is pending execution": 2024,
    "Task count specification invalid": 2025,
    "Slurm backup controller in standby mode": 2027,
    "Invalid node state specified": 2028,
    "Invalid feature specification": 2029,
    "Requested operation not supported on this system": 2036,
    "Requested operation is presently disabled": 2037,
    "Job dependency problem": 2038,
    "Only batch jobs are accepted or processed": 2039,
    "Memory required by task is not available": 2044,
    "Invalid account or account/partition combination specified": 2045,
    "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)": 2050,
    "Requested time limit is invalid (missing or exceeds some limit)": 2051,
    "Access denied to requested reservation": 2052,
    "Requested reservation is invalid": 2053,
    "Requested reservation is in use": 2055,
    "Requested reservation not usable now": 2056,
    "Job cannot be submitted without the current working directory specified.": 2063,
    "Invalid qos specification": 2066,
    "Required node not available (down, drained or reserved)": 2068,
    "CPU count specification invalid": 2069,
    "Required partition not available (inactive or drain)": 2070,
    "Circular job dependency": 2071,
    "Invalid generic resource (gres) specification": 2072,
    "Job is no longer pending execution": 2073,
    "Partition is in use": 2075,
    "Invalid job array specification": 2081,
    "Job has already finished": 2084,
    "Job is not running": 2085,
    "Job is not pending nor running": 2086,
    "Partition in DOWN state": 2101,
    "Invalid Trackable RESource (TRES) specification": 2115,
    "Reboot already in progress": 2120,
    "Environment is missing in job": 2127,
    "Controller is in standby mode, try a different controller": 2131,
    "Invalid or unknown association": 2167,
    "Requested topology configuration is not available": 2178,
    # protocol, authentication, slurmdbd (5000 to 7999)
    "Header lengths are longer than data received": 5003,
    "Socket timed out on send/recv operation": 5004,
    "Zero Bytes were transmitted or received": 5005,
    "Invalid authentication credential": 6000,
    "Authentication credential expired": 6001,
    "Unable to connect to database": 7000,
    "Job(s) active, cancel job(s) before remove": 7001,
    "Database connection reference is invalid": 7008,
}
"""slurm_strerror of the numbers that our requests can meet, as Slurm 24.11 words them."""

_PHRASES: tuple[tuple[str, type[RemoteError]], ...] = (
    ("failed to connect to any sack sockets", Unreachable),
    ("failed to open persistent connection", Unreachable),
    ("Problem talking to the database", Unreachable),
    # `scontrol requeue` says so when slurmctld is gone.
    ("Unexpected message received for job", Unreachable),
    ("Only admins/operators/coordinators can", Unauthorized),
    ("Your user doesn't have privilege to perform this action", Unauthorized),
)
"""What the commands say in words of their own; goes before any number, the first that fits."""
_OWN_CHECKS = (
    "This does not look like a batch script",
    "sbatch: error: Invalid",
    "sbatch: error: invalid",
    "is not a valid",
)
"""How sbatch refuses a value before it asks slurmctld; goes after the numbers."""
_HINTS: dict[type[RemoteError], str] = {
    Unreachable: "look at slurmctld, slurmdbd, and at the sack socket where the command runs",
    Unauthorized: "this needs a user whom Slurm lets do it",
}
_ABOUT_A_JOB = re.compile(r" for job \d+$")
_NOT_STARTED = frozenset({126, 127})
"""Exit statuses of ``env`` when it cannot start the command."""


def number_in(text: str) -> int | None:
    """Return Slurm's error number of the last line that ends with the text of one."""
    for line in reversed(text.splitlines()):
        tail = _ABOUT_A_JOB.sub("", line.strip())
        while tail:
            if tail in NUMBERS:
                return NUMBERS[tail]
            _, _, tail = tail.partition(": ")
    return None


def refusal(done: Executed, what: str, program: str) -> SunkError:
    """Return the error for a command that failed.

    Args:
        done: how it ended.
        what: begins the message: ``read node w1``.
        program: which command it was.
    """
    said = done.stderr.strip() or done.stdout.strip()
    message = f"{what}: {clip(said) or f'{program} says nothing, exit status {done.status}'}"
    if done.status in _NOT_STARTED and program in said:
        return EnvironmentFault(
            message, hint=f"{program} comes with Slurm's client package, where the command runs"
        )
    if "output not supported by data_parser" in said:
        return ConfigError(message, hint="Slurm 24.11 and later has data_parser/v0.0.42")
    number = number_in(said)
    kind = _kind_of(said, number)
    status = f"Slurm error {number}" if number is not None else f"exit status {done.status}"
    return kind(f"{message} ({status})", system=SYSTEM, hint=_HINTS.get(kind))


def _kind_of(said: str, number: int | None) -> type[RemoteError]:
    for phrase, kind in _PHRASES:
        if phrase in said:
            return kind
    if number is not None:
        return error_class(number)
    if any(phrase in said for phrase in _OWN_CHECKS):
        return Rejected
    return UnexpectedReply
