"""Measure, and print each figure beside its limit: ``make bench``.

Wall times on a shared machine are upper bounds; figures that compare are ratios taken side by side
in one run. Never part of the tests. ``--check`` fails on a miss; ``--cold`` also measures the first
start with nothing cached, which takes many minutes.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF

import httpx

from sunk.bridge.snapshot import registered_by
from sunk.clients.slurm.cli import CliSlurm
from sunk.clients.slurm.rest import RestSlurm
from sunk.clients.slurm.token import TokenSource
from sunk.errors import NotFound
from sunk.local.cluster import Parameters
from sunk.model.kube import POD, Pod
from sunk.model.slurm import NOT_RESPONDING, NodeName, NodeState
from sunk.progress import Silent
from sunk.wiring import local as wiring
from tests.bench import bridge, checkpoint, fabric, fleet, lint, placement, programs, resync
from tests.bench.figure import Figure
from tests.support.cluster import RunningSite, bring_up, local_settings
from tests.support.eventually import eventually
from tests.support.slurm_namespace import SlurmNamespace

SUNK = Path(sys.executable).parent / "sunk"
NAME = "bench"
REPEATS = 7

# sbatch to COMPLETED, seen by a client that asks again at once: seconds on stdout.
NO_OP_JOB = """
start=$(date +%s.%N)
job=$(sbatch --parsable --output=/dev/null --chdir=/tmp --wrap true)
until scontrol --oneliner show job "$job" | grep -q JobState=COMPLETED; do :; done
echo "$(date +%s.%N) $start" | awk '{print $1 - $2}'
"""

MANY_JOBS = """
for number in $(seq 300); do
  sbatch --hold --chdir=/tmp --job-name="job$number" --wrap true
done
"""


def timed(*words: str | Path, env: dict[str, str] | None = None) -> float:
    """Run sunk and return its wall time in seconds."""
    start = time.monotonic()
    done = subprocess.run(
        [SUNK, *words],
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"bench: sunk {words}: exit status {done.returncode}\n{done.stderr}")
    return time.monotonic() - start


def starts() -> Iterator[Figure]:
    """Start with everything built, and again with everything up."""
    wiring.ensure_software(local_settings(), Silent())
    timed("local", "down", "--name", NAME)
    yield Figure("demo, built but down", timed("demo", "--name", NAME), 90, "s")
    yield Figure("demo, already up", timed("demo", "--name", NAME), 20, "s")
    timed("local", "down", "--name", NAME)


def cold_start() -> Iterator[Figure]:
    """First demo with no cache of ours nor of Go's."""
    folder = Path(tempfile.mkdtemp(prefix="sunk-bench-", dir="/var/tmp"))
    env = {
        "SUNK_CACHE_DIR": str(folder / "cache"),
        "SUNK_STATE_DIR": str(folder / "state"),
        "GOCACHE": str(folder / "go-build"),
        "GOMODCACHE": str(folder / "go-mod"),
        "GOFLAGS": "-modcacherw",
    }
    try:
        yield Figure("demo, nothing cached", timed("demo", "--name", NAME, env=env), 1200, "s")
        timed("local", "down", "--name", NAME, env=env)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def slurm_on_kubernetes() -> Iterator[RunningSite]:
    site = bring_up(NAME, Parameters(node_count=2))
    try:
        yield site
    finally:
        site.local.down()


def slurm_rootfs() -> Path:
    """The root file system of the slurm image."""
    return wiring.ensure_software(local_settings(), Silent()).slurm_rootfs


@contextmanager
def slurm_in_a_namespace() -> Iterator[SlurmNamespace]:
    """The same programs without Kubernetes."""
    folder = Path(tempfile.mkdtemp(prefix="sunk-bench-slurm-", dir="/var/tmp"))
    namespace = SlurmNamespace(rootfs=slurm_rootfs(), folder=folder, nodes=("w1", "w2", "w3", "w4"))
    namespace.start()
    try:
        yield namespace
    finally:
        namespace.stop()
        shutil.rmtree(folder, ignore_errors=True)


def is_idle(site: RunningSite, pod: Pod) -> bool:
    """Whether this very Pod is registered and idle; it first removes the old Pod's record."""
    name = NodeName(pod.name)
    try:
        node = site.slurm.node(name)
    except NotFound:
        return False
    idle = node.state is NodeState.IDLE and NOT_RESPONDING not in node.flags
    return idle and registered_by({name: node}).get(name) == pod.uid


def ready_to_idle(site: RunningSite) -> Iterator[Figure]:
    """From a new worker Pod's creation to an idle Slurm node, and from its Ready to it."""
    creation, ready = [], []
    for _ in range(3):
        before = site.pod("w-3").uid
        site.kube.delete(POD, "w-3", site.namespace, grace_seconds=0)
        pod = eventually(lambda b=before: (p := site.pod("w-3")).uid != b and p, 60)
        created = time.monotonic()
        seen: dict[str, float] = {}
        while len(seen) < 2:
            now = time.monotonic() - created
            if "ready" not in seen and site.pod(pod.name).ready:
                seen["ready"] = now
            if "idle" not in seen and is_idle(site, pod):
                seen["idle"] = now
            if now > 120:
                sys.exit("bench: w-3 did not come back")
        creation.append(seen["idle"])
        ready.append(max(0.0, seen["idle"] - seen["ready"]))
    yield Figure("worker Pod created to Slurm idle (median)", statistics.median(creation), 10, "s")
    yield Figure("worker Pod Ready to Slurm idle (median)", statistics.median(ready), 1, "s")


def no_op_jobs(site: RunningSite) -> Iterator[Figure]:
    """sbatch to COMPLETED of a no-op job, on Pods and beside them, taken in turns."""
    on_pods, beside = [], []
    with slurm_in_a_namespace() as namespace, site.login() as ssh:
        for _ in range(REPEATS):
            on_pods.append(float(ssh.run(["bash", "-c", NO_OP_JOB], within_seconds=60).stdout))
            beside.append(float(namespace.output("bash", "-c", NO_OP_JOB)))
    pods, bare = statistics.median(on_pods), statistics.median(beside)
    yield Figure("no-op job on Pods (median)", pods, None, "s")
    yield Figure("no-op job outside Kubernetes (median)", bare, None, "s")
    yield Figure("no-op job, on Pods / outside", pods / bare, 2.0, "x")


def cpu_seconds(namespace: SlurmNamespace) -> float:
    """CPU time so far of this process, of the commands it ran, and of the Slurm that answered."""
    own = sum(sum(resource.getrusage(who)[:2]) for who in (RUSAGE_SELF, RUSAGE_CHILDREN))
    ticks = 0
    for file in namespace.path("/proc").glob("[0-9]*/stat"):
        name, _, rest = file.read_text().partition("(")[2].rpartition(")")
        if name.startswith(("slurmctld", "slurmrestd")):
            ticks += sum(map(int, rest.split()[11:13]))
    return own + ticks / os.sysconf("SC_CLK_TCK")


def slurm_clients() -> Iterator[Figure]:
    """CPU time of a full reading, over Slurm's commands and over slurmrestd, side by side."""
    with slurm_in_a_namespace() as namespace:
        namespace.run("sacctmgr", "-i", "add", "account", "bench")
        namespace.run("sacctmgr", "-i", "add", "user", "alice", "account=bench")
        namespace.run("bash", "-c", MANY_JOBS, user="alice")
        rest = RestSlurm(
            base_url="http://slurmrestd",
            token=TokenSource(namespace.jwt_key, user="root"),
            http=httpx.HTTPTransport(uds=str(namespace.socket)),
        )
        spent = {}
        for name, slurm in (("rest", rest), ("cli", CliSlurm(namespace.runner()))):
            slurm.jobs()
            before = cpu_seconds(namespace)
            for _ in range(REPEATS):
                slurm.nodes()
                slurm.jobs()
            spent[name] = (cpu_seconds(namespace) - before) / REPEATS
        rest.close()
    yield Figure("CPU of reading 300 jobs over REST", spent["rest"], None, "s")
    yield Figure("CPU of reading 300 jobs, commands / REST", spent["cli"] / spent["rest"], 1.0, "x")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when a limit is missed")
    parser.add_argument("--bridge", action="store_true", help="measure the bridge only")
    parser.add_argument("--fabric", action="store_true", help="measure the fabric validator only")
    parser.add_argument("--cold", action="store_true", help="measure the first start too")
    options = parser.parse_args()
    figures: list[Figure] = []

    def take(more: Iterator[Figure]) -> None:
        for figure in more:
            figures.append(figure)
            limit = "-" if figure.limit is None else f"{figure.limit:.3g} {figure.unit}"
            value = f"{figure.value:.2f} {figure.unit}"
            print(f"{figure.name:<56}{value:>14}  limit {limit:<12}{figure.verdict}", flush=True)

    if options.cold:
        take(cold_start())
    if not options.bridge:
        take(fabric.figures())
        take(fabric.collecting(slurm_rootfs()))
    if not options.bridge and not options.fabric:
        take(placement.figures())
        take(lint.figures())
        take(programs.figures(slurm_rootfs()))
        take(checkpoint.figures())
        take(slurm_clients())
        take(starts())
    if not options.fabric:
        take(resync.figures())
        take(fleet.figures())
        with slurm_on_kubernetes() as site:
            if not options.bridge:
                take(ready_to_idle(site))
                take(no_op_jobs(site))
            take(bridge.figures(site))
    missed = [figure.name for figure in figures if figure.verdict == "MISSED"]
    print(
        f"{len(figures)} figures, {len(missed)} missed{': ' if missed else ''}{', '.join(missed)}"
    )
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
