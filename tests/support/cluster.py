"""The local cluster of the tests, and what its tests do to it.

Clusters have names of their own, so that a demo cluster may be up meanwhile; leftovers of an
earlier, killed run are taken down first.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sunk import settings
from sunk.cli.progress import Lines
from sunk.clients.kube.protocol import Kube
from sunk.clients.slurm.protocol import SlurmClient
from sunk.clients.ssh import Ended, Ssh
from sunk.local import access
from sunk.local.cluster import LocalCluster, Parameters
from sunk.local.slurm_site import SlurmSite, described
from sunk.model.kube import Pod
from sunk.model.slurm import JobId
from sunk.progress import Reporter
from sunk.wiring import clients
from sunk.wiring import local as wiring


def local_settings() -> settings.LocalSettings:
    return settings.read_local(os.environ)


def reporter() -> Reporter:
    """Progress goes to the real stderr: a long fixture must not look like a hang."""
    import sys

    assert sys.__stderr__ is not None
    return Lines(sys.__stderr__)


@dataclass
class RunningSite:
    """A local cluster with Slurm on it."""

    local: LocalCluster
    site: SlurmSite
    user: str

    @property
    def kube(self) -> Kube:
        return self.local.kube()

    @property
    def namespace(self) -> str:
        return self.site.cluster.namespace

    @property
    def slurm(self) -> SlurmClient:
        return clients.connect_slurm(self.kube, self.namespace, self.site.keys)

    @contextmanager
    def login(self) -> Iterator[Ssh]:
        port = self.local.parameters().ssh_port
        keys, user_key = self.site.keys, self.site.user_key
        with Ssh(access.login_target(self.user, "127.0.0.1", port, user_key, keys)) as ssh:
            yield ssh

    def run(self, *argv: str, within_seconds: float = 60.0) -> Ended:
        with self.login() as ssh:
            return ssh.run(argv, within_seconds=within_seconds)

    def submit(self, script: str, *options: str) -> JobId:
        """Submit a batch script as the user; returns its number."""
        with self.login() as ssh:
            done = ssh.run(
                ("sbatch", "--parsable", "--output=/home/alice/%j.log", *options),
                input_text=f"#!/bin/bash\n{script}\n",
                within_seconds=60,
            )
        assert done.status == 0, done.stderr
        return JobId(int(done.stdout.strip()))

    def pod(self, name: str) -> Pod:
        return {pod.name: pod for pod in self.kube.pods(self.namespace)}[name]

    def pod_of(self, component: str) -> Pod:
        """The one Pod of a component such as slurmrestd."""
        (found,) = self.kube.pods(self.namespace, f"app.kubernetes.io/name={component}")
        return found


def bring_up(name: str, parameters: Parameters, description: Path | None = None) -> RunningSite:
    told = reporter()
    wiring.local_cluster(name, local_settings(), told).down()
    site = wiring.bring_up(name, parameters, described(description), local_settings(), told)
    assert site is not None
    local = wiring.local_cluster(name, local_settings(), told)
    return RunningSite(local=local, site=site, user="alice")


def processes_in_pod(pod: Pod, program: str) -> tuple[int, ...]:
    """The machine's pids of a Pod's processes that run `program`, lowest first."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            here = pod.uid in (folder / "cgroup").read_text()
            if here and (folder / "comm").read_text().strip() == program[:15]:
                found.append(int(folder.name))
        except OSError:
            continue
    return tuple(sorted(found))


def kill_in_pod(pod: Pod, program: str) -> int:
    """SIGKILL the process of a Pod that runs `program`, from outside; returns its pid.

    A container's own process 1 cannot be killed from inside.
    """
    found = processes_in_pod(pod, program)
    assert found, f"no process {program} in Pod {pod.name}"
    # The oldest is the daemon itself, later ones are its children.
    os.kill(found[0], signal.SIGKILL)
    return found[0]
