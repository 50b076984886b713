"""Which network a job gets on this node, and the variables that make NCCL and UCX take it.

``python3 -m sunk_jobs.fabric_env`` prints, for the shell, one ``export`` for each variable with the
evidence for it as a comment; ``--evidence FILE`` keeps all of it as JSON. ``--compare FILE…`` tells
whether the nodes of a job have the same fabric.

Nothing is copied from elsewhere: a device list of another node, or a GID index, is wrong by
construction in a Pod, where the numbers are its own. So the GID index is left to NCCL, and names
are taken from what the kernel shows here, now.

A variable that is set already stays as it is. Exit codes: 0 said; 2 usage; 3 refused: this node's
fabric cannot work, or nodes differ so that a job should not start; 95 the evidence cannot be kept.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from sunk_jobs import sysfs_rdma
from sunk_jobs.networks.fabric_choice import Fabric, Host, Wishes, choose
from sunk_jobs.networks.fabric_evidence import (
    SCHEMA,
    Evidence,
    NotEvidence,
    differences,
    read_evidence,
)
from sunk_jobs.outputs.durable import write_durably
from sunk_jobs.placement.hostlist import HostlistError, expand
from sunk_jobs.probe import node_name

USAGE = 2
REFUSED = 3
UNKNOWN = 95
PROC, DEV = Path("/proc"), Path("/dev")
_ABOUT_NETWORKS = ("NCCL_", "FI_", "UCX_", "SHARP_")
_BDF = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_NVIDIA, _GPU_CLASSES = "0x10de", ("0x0300", "0x0302")
_SMI_SECONDS = 60


def gather(sys_root: Path, proc_root: Path, dev_root: Path, environment: Mapping[str, str]) -> Host:
    """Read this node, or a copy of one."""
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    gpus = _gpus(sys_root / "bus" / "pci" / "devices")
    return Host(
        rdma=sysfs_rdma.read(sys_root),
        mtus=_mtus(sys_root / "class" / "net"),
        default=_default_route(proc_root / "net" / "route"),
        slingshot=tuple(_names(sys_root / "class" / "cxi")),
        memlock_bytes=None if limit == resource.RLIM_INFINITY else limit,
        gpus=gpus,
        gpu_direct=_gpu_direct(sys_root, proc_root) if gpus else None,
        imex_channels=_imex_channels(dev_root),
        granted=_granted(environment),
        given={
            name: value for name, value in environment.items() if name.startswith(_ABOUT_NETWORKS)
        },
    )


def _gpus(folder: Path) -> int:
    return sum(
        1
        for name in _names(folder)
        if _text(folder / name / "vendor") == _NVIDIA
        and _text(folder / name / "class").startswith(_GPU_CLASSES)
    )


def _gpu_direct(sys_root: Path, proc_root: Path) -> bool | None:
    """Return whether adapters reach GPU memory: by nvidia_peermem, or by DMA-BUF.

    DMA-BUF takes the open kernel modules; of closed ones without nvidia_peermem it is known that
    there is no way.
    """
    if "nvidia_peermem" in _names(sys_root / "module"):
        return True
    version = _text(proc_root / "driver" / "nvidia" / "version")
    return "Open Kernel Module" in version if version else None


def _imex_channels(dev_root: Path) -> int:
    names = _names(dev_root / "nvidia-caps-imex-channels")
    return sum(1 for name in names if name.startswith("channel"))


def _granted(environment: Mapping[str, str]) -> frozenset[str]:
    grants = (value for name, value in environment.items() if name.startswith("PCIDEVICE_"))
    return frozenset(one for text in grants for one in text.split(",") if _BDF.fullmatch(one))


def run_nvidia_smi() -> str:
    """Return what ``nvidia-smi -q`` says; empty where there is none, or it does not answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    words = [program, "-q"]
    try:
        done = subprocess.run(words, capture_output=True, timeout=_SMI_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace")


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
    rows = [line.split() for line in _text(file).splitlines()[1:]]
    routes = [
        (int(one[6]) if len(one) > 6 and re.fullmatch("[0-9]{1,10}", one[6]) else 0, one[0])
        for one in rows
        if len(one) > 1 and one[1] == "00000000"
    ]
    return min(routes)[1] if routes else ""


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
        lines += [f"# {_one_line(one.why)}", f"export {one.name}={_quoted(one.value)}"]
    for name, value in sorted(fabric.kept.items()):
        lines.append(f"# {name} is set already; it would be {_one_line(value)}")
    return "\n".join(lines) + "\n"


def _quoted(value: str) -> str:
    """Return a value in single quotes, whatever is in it."""
    return "'" + value.replace("'", "'\"'\"'") + "'"


def evidence(fabric: Fabric, host: Host, node: str) -> dict[str, Any]:
    """Return what was found and chosen, for a file."""
    return {
        "schema": SCHEMA,
        "node": node,
        "host": platform.node().partition(".")[0],
        "kind": fabric.kind,
        "rails": [asdict(one) for one in fabric.rails],
        "excluded": dict(sorted(fabric.excluded.items())),
        "settings": [asdict(one) for one in fabric.settings],
        "kept": dict(sorted(fabric.kept.items())),
        "warnings": list(fabric.warnings),
        "refusals": list(fabric.refusals),
        "mtus": dict(sorted(host.mtus.items())),
        "memlock_bytes": host.memlock_bytes,
        "cliques": list(host.cliques),
        "gpus": host.gpus,
        "gpu_direct": host.gpu_direct,
        "imex_channels": host.imex_channels,
        "unreadable": dict(sorted(host.rdma.unreadable.items())),
    }


def _one_line(text: str) -> str:
    return re.sub(r"[^ -~]", "?", " ".join(text.split()))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    said = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="sunk_jobs.fabric_env", description=said)
    parser.add_argument("--sysfs", type=Path, default=sysfs_rdma.SYS, metavar="DIR")
    parser.add_argument("--proc", type=Path, default=PROC, metavar="DIR")
    parser.add_argument("--dev", type=Path, default=DEV, metavar="DIR")
    parser.add_argument("--nvidia-smi", type=Path, metavar="FILE", help="output of nvidia-smi -q")
    parser.add_argument("--evidence", type=Path, metavar="FILE", help="keep all that was found")
    parser.add_argument("--exclude", action="append", default=[], metavar="DEVICE")
    parser.add_argument("--interface", default="", metavar="NAME", help="for control traffic")
    parser.add_argument("--queue-pairs", type=int, metavar="COUNT")
    parser.add_argument("--service-level", type=int, metavar="NUMBER")
    parser.add_argument("--traffic-class", type=int, metavar="NUMBER")
    parser.add_argument("--sharp", action="store_true", help="reductions in the switches")
    parser.add_argument("--nodes", default="", help="with --compare: who should have evidence")
    parser.add_argument("--warn", action="store_true", help="with --compare: never refuse")
    parser.add_argument("--compare", nargs="+", metavar="FILE", help="evidence of nodes; a pattern")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the exports of this node, or compare nodes."""
    options = _options(arguments)
    if options.compare:
        return _compare(options)
    host = gather(options.sysfs, options.proc, options.dev, os.environ)
    if options.nvidia_smi is not None:
        host = replace(host, cliques=cliques_of(_text(options.nvidia_smi)))
    elif options.sysfs == sysfs_rdma.SYS:
        host = replace(host, cliques=cliques_of(run_nvidia_smi()))
    wishes = Wishes(
        exclude=frozenset(options.exclude),
        interface=options.interface,
        queue_pairs=options.queue_pairs,
        service_level=options.service_level,
        traffic_class=options.traffic_class,
        sharp=options.sharp,
    )
    fabric = choose(host, wishes)
    node = node_name(os.environ, platform.node())
    if options.evidence is not None:
        text = json.dumps(evidence(fabric, host, node), sort_keys=True, indent=1)
        try:
            write_durably(options.evidence, text + "\n")
        except OSError as exc:
            _say(f"{node}: cannot keep {options.evidence}: {exc.strerror}")
            return UNKNOWN
    for line in fabric.warnings:
        _say(f"{node}: {line}")
    for line in fabric.refusals:
        _say(f"{node}: refused: {line}")
    if fabric.refusals:
        return REFUSED
    sys.stdout.write(exports(fabric))
    return 0


def _compare(options: argparse.Namespace) -> int:
    try:
        wanted = expand(options.nodes) if options.nodes else ()
    except HostlistError as exc:
        _say(f"{exc}")
        return USAGE
    found: list[Evidence] = []
    grave = False
    for file in (one for pattern in options.compare for one in _matching(pattern)):
        try:
            found.append(read_evidence(file))
        except NotEvidence as exc:
            _say(f"compare {file}: no evidence: {exc}")
            grave = True
    for one in differences(found, wanted):
        _say(f"nodes differ: {one.words}" + ("" if one.grave else " (a job can start so)"))
        grave = grave or one.grave
    return REFUSED if grave and not options.warn else 0


def _matching(pattern: str) -> list[Path]:
    """Return the files of a pattern: a command line has no room for those of all nodes."""
    whole = Path(pattern)
    return sorted(whole.parent.glob(whole.name)) or [whole]


def _say(line: str) -> None:
    print(f"fabric_env: {_one_line(line)}", file=sys.stderr)  # noqa: T201 - the program's output


if __name__ == "__main__":
    raise SystemExit(main())
