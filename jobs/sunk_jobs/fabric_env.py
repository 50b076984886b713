"""Which network a job gets on this node, and the variables that make NCCL and UCX take it.

``python3 -m sunk_jobs.fabric_env`` prints, for the shell, one ``export`` for each variable with the
evidence for it as a comment; ``--evidence FILE`` keeps all of it as JSON. ``--compare FILE…`` tells
whether the nodes of a job have the same fabric.

Nothing is copied from elsewhere: a device list of another node, or a GID index, is wrong by
construction in a Pod, where the numbers are its own. So the GID index is left to NCCL, and names
are taken from what the kernel shows here, now.

Exit codes: 0 said; 2 usage; 3 refused: this node's fabric cannot work, or nodes differ.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from sunk_jobs import sysfs_rdma
from sunk_jobs.fabric_choice import Fabric, Host, Wishes, choose, differences

REFUSED = 3
SCHEMA = "sunk.dev/fabric_env/v1"


def gather(sys_root: Path, proc_root: Path) -> Host:
    """Read this node, or a copy of one."""
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    return Host(
        rdma=sysfs_rdma.read(sys_root),
        mtus=_mtus(sys_root / "class" / "net"),
        default=_default_route(proc_root / "net" / "route"),
        slingshot=tuple(_names(sys_root / "class" / "cxi")),
        memlock_bytes=None if limit == resource.RLIM_INFINITY else limit,
    )


def cliques_of(text: str) -> tuple[str, ...]:
    """Return the NVLink domain of each GPU from what ``nvidia-smi -q`` prints."""
    found = []
    fields: dict[str, str] = {}
    for line in [*text.splitlines(), "GPU end"]:
        key, _, value = (word.strip() for word in line.partition(":"))
        if line.startswith("GPU "):
            uuid = fields.get("ClusterUUID", "")
            if fields.get("State") == "Completed" and uuid.strip("0-"):
                found.append(f"{uuid}.{fields.get('CliqueId', '')}")
            fields = {}
        elif key in {"State", "ClusterUUID", "CliqueId"}:
            fields[key] = value
    return tuple(found)


def _mtus(folder: Path) -> dict[str, int]:
    found = {}
    for name in _names(folder):
        state, mtu = _text(folder / name / "operstate"), _text(folder / name / "mtu")
        if name != "lo" and state in {"up", "unknown"} and re.fullmatch(r"\d{1,6}", mtu):
            found[name] = int(mtu)
    return found


def _default_route(file: Path) -> str:
    routes = [line.split() for line in _text(file).splitlines()[1:]]
    return next((one[0] for one in routes if len(one) > 1 and one[1] == "00000000"), "")


def _names(folder: Path) -> list[str]:
    try:
        return sorted(one.name for one in folder.iterdir())
    except OSError:
        return []


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="backslashreplace").strip()
    except OSError:
        return ""


# --- the program -------------------------------------------------------------------------------


def exports(fabric: Fabric) -> str:
    """Return the lines for the shell: comments, and one ``export`` for each variable."""
    lines = [f"# fabric: {fabric.kind}"]
    for one in fabric.settings:
        lines += [f"# {_one_line(one.why)}", f"export {one.name}={shlex.quote(one.value)}"]
    return "\n".join(lines) + "\n"


def evidence(fabric: Fabric, host: Host, node: str) -> dict[str, Any]:
    """Return what was found and chosen, for a file."""
    return {
        "schema": SCHEMA,
        "node": node,
        "kind": fabric.kind,
        "rails": [asdict(one) for one in fabric.rails],
        "excluded": dict(sorted(fabric.excluded.items())),
        "settings": [asdict(one) for one in fabric.settings],
        "warnings": list(fabric.warnings),
        "refusals": list(fabric.refusals),
        "mtus": dict(sorted(host.mtus.items())),
        "memlock_bytes": host.memlock_bytes,
        "cliques": list(host.cliques),
        "unreadable": dict(sorted(host.rdma.unreadable.items())),
    }


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    said = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="sunk_jobs.fabric_env", description=said)
    parser.add_argument("--sysfs", type=Path, default=sysfs_rdma.SYS, metavar="DIR")
    parser.add_argument("--proc", type=Path, default=Path("/proc"), metavar="DIR")
    parser.add_argument("--nvidia-smi", type=Path, metavar="FILE", help="output of nvidia-smi -q")
    parser.add_argument("--evidence", type=Path, metavar="FILE", help="keep all that was found")
    parser.add_argument("--exclude", action="append", default=[], metavar="DEVICE")
    parser.add_argument("--interface", default="", metavar="NAME", help="for control traffic")
    parser.add_argument("--queue-pairs", type=int, metavar="COUNT")
    parser.add_argument("--service-level", type=int, metavar="NUMBER")
    parser.add_argument("--traffic-class", type=int, metavar="NUMBER")
    parser.add_argument("--compare", type=Path, nargs="+", metavar="FILE", help="evidence of nodes")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the exports of this node, or compare nodes."""
    options = _options(arguments)
    if options.compare:
        return _compare(options.compare)
    host = gather(options.sysfs, options.proc)
    if options.nvidia_smi is not None:
        host = replace(host, cliques=cliques_of(_text(options.nvidia_smi)))
    wishes = Wishes(
        exclude=frozenset(options.exclude),
        interface=options.interface,
        queue_pairs=options.queue_pairs,
        service_level=options.service_level,
        traffic_class=options.traffic_class,
    )
    fabric = choose(host, wishes)
    node = os.environ.get("SLURMD_NODENAME") or os.uname().nodename
    if options.evidence is not None:
        text = json.dumps(evidence(fabric, host, node), sort_keys=True, indent=1)
        options.evidence.write_text(text + "\n", encoding="utf-8")
    for line in fabric.warnings:
        _say(f"{node}: {line}")
    for line in fabric.refusals:
        _say(f"{node}: refused: {line}")
    if fabric.refusals:
        return REFUSED
    sys.stdout.write(exports(fabric))
    return 0


def _compare(files: Sequence[Path]) -> int:
    nodes = {}
    for file in files:
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            nodes[str(found["node"])] = found
        except (OSError, ValueError, KeyError, TypeError) as exc:
            _say(f"compare {file}: no evidence: {type(exc).__name__}")
            return REFUSED
    said = differences(nodes)
    for line in said:
        _say(f"nodes differ: {line}")
    return REFUSED if said else 0


def _say(line: str) -> None:
    print(f"fabric_env: {_one_line(line)}", file=sys.stderr)  # noqa: T201 - the program's output


if __name__ == "__main__":
    raise SystemExit(main())
