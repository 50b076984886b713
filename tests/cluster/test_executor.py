"""`from sunk import Executor` as a user of the login node has it: calls that run on worker Pods."""

from __future__ import annotations

import json

import pytest

from tests.support.cluster import RunningSite

pytestmark = [pytest.mark.cluster, pytest.mark.nightly, pytest.mark.timeout(600)]

PROGRAM = """\
import json
import socket
import sys

from sunk import Executor


def where(number):
    if number == 3:
        raise ValueError("not three")
    return number * 10, socket.gethostname()


executor = Executor(
    folder="calls", python="/usr/bin/python3", time_limit="5", memory_per_node="200"
)
one = executor.submit(where, 7)
many = executor.map_array(where, [1, 2, 3])
said = {"one": one.result(240), "host": socket.gethostname(), "state": one.state}
said["ended"] = len(list(executor.as_completed(many)))
said["many"] = [future.result()[0] for future in many[:2]]
said["error"] = repr(many[2].exception())
json.dump(said, sys.stdout)
"""


def test_calls_from_the_login_node_run_on_workers_and_come_back(site: RunningSite):
    site.run("bash", "-c", f"cat >~/calls.py <<'END'\n{PROGRAM}END\n")
    done = site.run("/opt/sunk/bin/python3", "calls.py", within_seconds=420)
    assert done.status == 0, done.stderr
    said = json.loads(done.stdout)
    value, worker = said["one"]
    assert (value, said["state"], said["many"], said["ended"]) == (70, "COMPLETED", [10, 20], 3)
    assert worker.startswith("w-")
    assert worker != said["host"]
    assert said["error"] == "ValueError('not three')"
