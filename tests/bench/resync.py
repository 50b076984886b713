"""A bridge that starts anew beside 10,000 workers and as many jobs, on clients in memory."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Iterator

from sunk.model.slurm import Job, JobId, JobState
from tests.bench.figure import Figure
from tests.support.memory_site import Site

WORKERS = 10_000
MACHINES = 100


def figures() -> Iterator[Figure]:
    """Yield CPU time and memory of one full resync: everything listed, believed, planned, said."""
    site = Site(workers=1, machines=MACHINES)
    site.edit_cluster(slurmConf={"MaxNodeCount": str(2 * WORKERS)})
    site.scale(WORKERS)
    site.rounds(2)
    site.settle()
    site.rounds(2)
    for number in range(WORKERS):
        site.world.set_job(
            Job(
                job_id=JobId(number + 1),
                state=JobState.RUNNING,
                nodes=f"a-{number}",
                start_time=1,
                planned_end=100_000 + number,
                node_count=1,
                cpus=1,
            )
        )
    site.scale(WORKERS - 1)  # jobs are asked for only when somebody has to go
    before_mib = _peak_mib()
    site.bridge = site.new_bridge()
    site.rounds(5)  # the first readings must agree before anything is believed
    spent = []
    for _ in range(3):
        start = time.process_time()
        site.rounds(1)
        spent.append(time.process_time() - start)
    # The median: now and then Python's collector goes over the whole site in memory, which is the
    # servers' and not the bridge's.
    yield Figure("resync, 10,000 workers and jobs, CPU", statistics.median(spent), 3.0, "s")
    yield Figure("resync, memory beside what is listed", _peak_mib() - before_mib, 300.0, "MiB")


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
