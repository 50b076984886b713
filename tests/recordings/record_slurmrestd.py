"""Record answers of a real slurmrestd: ``python -m tests.recordings.record_slurmrestd`` (root)."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx

from sunk.clients.slurm.token import TokenSource
from sunk.model.slurm import JobId
from sunk.progress import Silent
from sunk.wiring import local as wiring
from tests.support.cluster import local_settings
from tests.support.eventually import eventually
from tests.support.slurm_namespace import SlurmNamespace

FOLDER = Path(__file__).parent / "slurmrestd"
REQUESTS = {
    "ping": "slurm/v0.0.42/ping/",
    "nodes": "slurm/v0.0.42/nodes/",
    "node": "slurm/v0.0.42/node/w1",
    "node-unknown": "slurm/v0.0.42/node/nope",
    "partitions": "slurm/v0.0.42/partitions/",
    "jobs": "slurm/v0.0.42/jobs/",
    "job": "slurm/v0.0.42/job/{job}",
    "job-unknown": "slurm/v0.0.42/job/999999",
    "accounts": "slurmdb/v0.0.42/accounts/",
    "users": "slurmdb/v0.0.42/users/?with_assocs=false",
    "associations": "slurmdb/v0.0.42/associations/",
    "history": "slurmdb/v0.0.42/job/{job}",
}


def main() -> None:
    with prepared() as (namespace, job):
        record(namespace, job)


@contextmanager
def prepared() -> Iterator[tuple[SlurmNamespace, JobId]]:
    """A Slurm with what the recordings show: three nodes, jobs of alice, one of them ended."""
    rootfs = wiring.ensure_software(local_settings(), Silent()).slurm_rootfs
    folder = Path(tempfile.mkdtemp(prefix="sunk-record-", dir="/var/tmp"))
    namespace = SlurmNamespace(rootfs=rootfs, folder=folder, nodes=("w1", "w2", "w3"))
    namespace.start()
    try:
        yield namespace, prepare(namespace)
    finally:
        namespace.stop()
        shutil.rmtree(folder)


def prepare(namespace: SlurmNamespace) -> JobId:
    for words in (
        ("add", "account", "default"),
        ("add", "user", "alice", "account=default"),
    ):
        namespace.run("sacctmgr", "-i", *words)
    submit = ("sbatch", "--parsable", "--chdir=/tmp", "--wrap", "true")
    job = JobId(int(namespace.output(*submit, user="alice")))
    held = ("sbatch", "--parsable", "--chdir=/tmp", "--hold", "--array=0-3%2", "--wrap", "true")
    namespace.output(*held, user="alice")
    eventually(lambda: "COMPLETED" in namespace.output("sacct", "-nXj", str(job)), 30)
    namespace.run("scontrol", "update", "nodename=w2", "state=drain", "reason=recorded drain")
    return job


def record(namespace: SlurmNamespace, job: JobId) -> None:
    version = namespace.output("slurmrestd", "-V").strip()
    token = TokenSource(namespace.jwt_key, user="root")
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(namespace.socket))) as http:
        for name, path in REQUESTS.items():
            url = "http://slurmrestd/" + path.format(job=job)
            save(name, http.get(url, headers={"X-SLURM-USER-TOKEN": token()}), path, version)
        save("unauthorized", http.get("http://slurmrestd/slurm/v0.0.42/nodes/"), "nodes", version)


def save(name: str, answer: httpx.Response, path: str, version: str) -> None:
    try:
        body = answer.json()
    except ValueError:
        body = answer.text
    document = {
        "tool": "slurmrestd",
        "version": version,
        "date": datetime.now(tz=UTC).date().isoformat(),
        "how": f"GET /{path}, JWT of root, three dynamic nodes (w2 drained), one job of alice",
        "redacted": "nothing: no token or key is in an answer",
        "status": answer.status_code,
        "body": body,
    }
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
