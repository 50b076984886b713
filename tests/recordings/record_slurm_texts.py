"""Record Slurm's texts for people: ``python -m tests.recordings.record_slurm_texts`` (root)."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from sunk.clients.kube.protocol import Executed
from sunk.clients.slurm.cli_texts import SlurmTexts
from sunk.progress import Silent
from sunk.wiring import local as wiring
from tests.support.cluster import local_settings
from tests.support.eventually import eventually
from tests.support.slurm_namespace import SlurmNamespace
from tests.support.slurm_texts import SLURM_CONF

FOLDER = Path(__file__).parent / "slurm_texts"
TREE = (
    "SwitchName=leaf-a Nodes=w1,w10\nSwitchName=leaf-b Nodes=w[2-3]\n"
    "SwitchName=spine Switches=leaf-a,leaf-b\n"
)
PARTITION = (
    *("MaxTime=1-00:00:00", "DefaultTime=30", "MaxNodes=2", "AllowAccounts=research"),
    *("AllowQos=normal", "OverSubscribe=EXCLUSIVE"),
)
LIMITS = (
    ("add", "account", "research"),
    ("add", "user", "alice", "account=research"),
    ("modify", "account", "research", "set", "GrpTRES=cpu=8,node=2", "MaxWall=60"),
    ("modify", "account", "research", "set", "MaxTRESPerJob=node=2", "MaxSubmitJobs=4"),
    ("modify", "qos", "normal", "set", "MaxWall=120", "MaxTRESPerJob=cpu=12"),
)
HOW = "root, four dynamic nodes, topology/tree; partition `all`, an account and a QOS with limits"


def main() -> None:
    rootfs = wiring.ensure_software(local_settings(), Silent()).slurm_rootfs
    folder = Path(tempfile.mkdtemp(prefix="sunk-record-"))
    namespace = SlurmNamespace(rootfs=rootfs, folder=folder, nodes=("w1", "w2", "w3", "w10"))
    namespace.start()
    try:
        record(namespace)
    finally:
        namespace.stop()


def record(namespace: SlurmNamespace) -> None:
    namespace.path("/etc/slurm/topology.conf").write_text(TREE)
    conf = f"{SLURM_CONF}TopologyPlugin=topology/tree\n"
    namespace.path("/etc/slurm/slurm.conf").write_text(conf)
    namespace.run("scontrol", "shutdown", "slurmctld")
    shown = "cat /proc/[0-9]*/comm"
    eventually(lambda: "slurmctld" not in namespace.output("sh", "-c", shown).split(), 30)
    namespace.halt("slurmctld")
    namespace.daemon("slurmctld", ["slurmctld", "-D"], user="slurm")
    eventually(lambda: "UP" in namespace.output("scontrol", "ping"), 60)
    for words in LIMITS:
        namespace.run("sacctmgr", "-i", *words)
    namespace.run("scontrol", "update", "PartitionName=all", *PARTITION)
    namespace.run("scontrol", "update", "NodeName=w3", "State=DRAIN", "Reason=fan RealMemory=1")
    last: list[tuple[list[str], Executed]] = []

    def runner(argv, *, timeout_seconds: float, input_text: str = "") -> Executed:
        done = namespace.runner()(argv, timeout_seconds=timeout_seconds, input_text=input_text)
        last.append((list(argv), done))
        return done

    texts = SlurmTexts(runner)
    for name in (
        *("topology", "configuration", "partitions", "nodes", "qos", "associations"),
        "users",
    ):
        getattr(texts, name)()
        argv, done = last[-1]
        document = {
            "argv": argv,
            "version": namespace.output("scontrol", "--version").strip(),
            "date": datetime.now(tz=UTC).date().isoformat(),
            "how": HOW,
            "stdout": done.stdout,
        }
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{name}.json").write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
