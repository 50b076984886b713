"""What was tried to download, and why it did not come: read from the tools' own words."""

from __future__ import annotations

import pytest

from sunk.errors import CommandError, EnvironmentFault
from sunk.local.software.debian import explained
from sunk.local.software.wheels import _network_cause


def failed(output: str) -> CommandError:
    return CommandError("run apt-get: exit status 100", output=output, hint="see the log")


APT_OFFLINE = """\
Ign:1 http://mirror.example/debian trixie InRelease
Err:1 http://mirror.example/debian trixie InRelease
  Temporary failure resolving 'mirror.example'
Reading package lists...
E: Some index files failed to download. They have been ignored, or old ones used instead.
"""


def test_apt_without_network_is_a_fault_of_the_environment():
    error = explained("download Debian packages of trixie", failed(APT_OFFLINE))
    assert isinstance(error, EnvironmentFault)
    assert error.message == (
        "download Debian packages of trixie: Temporary failure resolving 'mirror.example'"
    )


def test_apt_that_refuses_says_its_own_first_reason():
    output = "Reading package lists...\nE: Unable to locate package nope\nE: Another\n"
    error = explained("apt-get install nope", failed(output))
    assert isinstance(error, CommandError)
    assert error.message == "apt-get install nope: Unable to locate package nope"
    assert error.hint == "see the log"


def test_apt_without_a_reason_keeps_the_error():
    error = failed("killed")
    assert explained("x", error) is error


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError("
            "'<x at 0x7f>: Failed to establish a new connection: [Errno -3] Temporary failure in "
            "name resolution')': /simple/x/",
            "[Errno -3] Temporary failure in name resolution",
        ),
        (
            "WARNING: Retrying (Retry(total=3)) after connection broken by 'ReadTimeoutError("
            "\"HTTPSConnectionPool(host='h', port=443): Read timed out. (read timeout=15)\")': /x",
            "timed out",
        ),
        ("ERROR: No matching distribution found for x", "No matching distribution found for x"),
        ("ERROR: could not build wheels", None),
    ],
)
def test_pip_says_why_nothing_came(line, cause):
    assert _network_cause(f"Collecting x\n{line}\n") == cause
