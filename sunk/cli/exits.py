"""Exit codes of the sunk command, and which error means which."""

from __future__ import annotations

from sunk.errors import (
    CommandError,
    ConfigError,
    EnvironmentFault,
    InputError,
    Interrupted,
    RemoteError,
    SunkError,
)

OK = 0
FAILED_CHECK = 1
USAGE = 2
CONFIGURATION = 3
REMOTE_SYSTEM = 4
UNKNOWN = 5
BUG = 70
INTERRUPTED = 130


def code_for(error: SunkError) -> int:
    """Return the exit code that an error means."""
    match error:
        case InputError():
            return USAGE
        case ConfigError() | EnvironmentFault():
            return CONFIGURATION
        case CommandError() | RemoteError():
            return REMOTE_SYSTEM
        case Interrupted():
            return INTERRUPTED
        case _:
            return FAILED_CHECK
