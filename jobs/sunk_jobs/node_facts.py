"""What a node has, for the profile of its cluster: CPUs, GPUs, network, what starts containers.

``python3 -m sunk_jobs.node_facts``, as a task on the node, prints one line of JSON. The network is
what `sunk_jobs.fabric_env` finds, with no wishes and no variables of a user's. Standard library
only; changes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sunk_jobs import sysfs_rdma
from sunk_jobs.fabric_env import DEV, PROC, gather
from sunk_jobs.networks.fabric_choice import Host, Wishes, choose
from sunk_jobs.probe import node_name

SCHEMA = "sunk.dev/node_facts/v1"
_SECONDS = 30


def facts(host: Host, node: str, cpus: int, containers: Sequence[str]) -> dict[str, Any]:
    """Return what a node has.

    Args:
        host: what was read on it.
        node: its name in Slurm.
        cpus: that the machine has.
        containers: what can start containers.
    """
    fabric = choose(host, Wishes())
    return {
        "schema": SCHEMA,
        "node": node,
        "cpus": cpus,
        "gpus": host.gpus,
        "fabric": fabric.kind,
        "adapters": [rail.device for rail in fabric.rails],
        "rates_gbps": [rail.rate_gbps for rail in fabric.rails],
        "containers": list(containers),
        "warnings": [*fabric.warnings, *fabric.refusals],
    }


def containers(srun_help: str, which: Callable[[str], str | None]) -> tuple[str, ...]:
    """Return what can start containers here: pyxis is an option of srun, apptainer a program."""
    pyxis = ("pyxis",) if "--container-image" in srun_help else ()
    return (*pyxis, *(("apptainer",) if which("apptainer") else ()))


def srun_help() -> str:
    """Return what ``srun --help`` prints; empty where there is none, or it does not answer."""
    try:
        done = subprocess.run(["srun", "--help"], capture_output=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace")


def main(words: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Print what this node has."""
    argparse.ArgumentParser(prog="sunk_jobs.node_facts", description=__doc__).parse_args(words)
    host = gather(sysfs_rdma.SYS, PROC, DEV, {})
    node = node_name(environment, platform.node())
    found = facts(host, node, os.cpu_count() or 1, containers(srun_help(), shutil.which))
    sys.stdout.write(json.dumps(found, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
