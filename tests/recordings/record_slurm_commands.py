"""Record what Slurm's commands say: ``python -m tests.recordings.record_slurm_commands`` (root)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from sunk.clients.kube.protocol import Executed
from sunk.clients.slurm.cli import CliSlurm
from sunk.clients.slurm.runners import Runner
from sunk.errors import RemoteError
from sunk.model.slurm import JobId, JobSubmission, NodeName, UserName
from tests.recordings.record_slurmrestd import prepared

FOLDER = Path(__file__).parent / "slurm_commands"
NODE, NO_NODE, NO_JOB = NodeName("w1"), NodeName("nope"), JobId(999_999)
NOWHERE = JobSubmission(
    script="#!/bin/sh\ntrue\n", name="nowhere", working_directory="/tmp", partition="nope"
)


class Recorder:
    """A runner that keeps the last command and its end."""

    def __init__(self, inner: Runner) -> None:
        self._inner = inner
        self.argv: tuple[str, ...] = ()
        self.done = Executed(status=0, stdout="", stderr="")

    def __call__(
        self, argv: Sequence[str], *, timeout_seconds: float, input_text: str = ""
    ) -> Executed:
        self.argv = tuple(argv)
        self.done = self._inner(argv, timeout_seconds=timeout_seconds, input_text=input_text)
        return self.done


def verbs(job: JobId) -> dict[str, Callable[[CliSlurm], object]]:
    return {
        "ping": lambda slurm: slurm.ping(),
        "nodes": lambda slurm: slurm.nodes(),
        "node": lambda slurm: slurm.node(NODE),
        "node-unknown": lambda slurm: slurm.node(NO_NODE),
        "drain-unknown": lambda slurm: slurm.drain(NO_NODE, "test"),
        "resume-idle": lambda slurm: slurm.resume(NODE),
        "delete-unknown": lambda slurm: slurm.delete_node(NO_NODE),
        "partitions": lambda slurm: slurm.partitions(),
        "jobs": lambda slurm: slurm.jobs(),
        "job": lambda slurm: slurm.job(job),
        "job-unknown": lambda slurm: slurm.job(NO_JOB),
        "submit-nowhere": lambda slurm: slurm.submit(NOWHERE),
        "cancel-unknown": lambda slurm: slurm.cancel(NO_JOB),
        "cancel-ended": lambda slurm: slurm.cancel(job),
        "requeue-unknown": lambda slurm: slurm.requeue(NO_JOB),
        "accounts": lambda slurm: slurm.accounts(),
        "users": lambda slurm: slurm.users(),
        "user": lambda slurm: slurm.user(UserName("alice")),
        "associations": lambda slurm: slurm.associations(),
        "history": lambda slurm: slurm.history(job),
        "history-unknown": lambda slurm: slurm.history(NO_JOB),
    }


def main() -> None:
    with prepared() as (namespace, job):
        version = namespace.output("squeue", "--version").strip()
        recorder = Recorder(namespace.runner())
        slurm = CliSlurm(recorder)
        for name, verb in verbs(job).items():
            with suppress(RemoteError):
                verb(slurm)
            save(name, recorder, version)
        recorder = Recorder(namespace.runner("alice"))
        with suppress(RemoteError):
            CliSlurm(recorder).drain(NODE, "test")
        save("drain-unauthorized", recorder, version)
        conf = namespace.path("/etc/slurm/slurm.conf").read_text()
        nobody = conf.replace("AuthType", "SlurmctldPort=3\nMessageTimeout=2\nAuthType", 1)
        namespace.path("/tmp/nobody.conf").write_text(nobody)
        recorder = Recorder(namespace.runner())
        with suppress(RemoteError):
            CliSlurm(recorder, variables={"SLURM_CONF": "/tmp/nobody.conf"}).nodes()
        save("unreachable", recorder, version)


def save(name: str, recorder: Recorder, version: str) -> None:
    document = {
        "argv": recorder.argv,
        "version": version,
        "date": datetime.now(tz=UTC).date().isoformat(),
        "how": "root, three dynamic nodes (w2 drained), one job of alice; unauthorized: as alice",
        "redacted": "nothing: no token or key is in an answer",
        "status": recorder.done.status,
        "stdout": recorder.done.stdout,
        "stderr": recorder.done.stderr,
    }
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
