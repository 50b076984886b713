"""That no rank leaves a PMIx fence before all have entered it: MPI_Init relies on it."""

from __future__ import annotations

import pytest

from tests.support.cluster import RunningSite

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

FENCES = 6
PROGRAM = f"""
import ctypes, time

class Process(ctypes.Structure):
    _fields_ = [("namespace", ctypes.c_char * 256), ("rank", ctypes.c_uint32)]

pmix, me = ctypes.CDLL("libpmix.so.2"), Process()
assert pmix.PMIx_Init(ctypes.byref(me), None, 0) == 0
for number in range({FENCES}):
    if me.rank == number % 4:
        time.sleep(0.3)
    entered = time.time()
    assert pmix.PMIx_Fence(None, 0, None, 0) == 0
    print(number, entered, time.time())
pmix.PMIx_Finalize(None, 0)
"""
"""Ranks take turns at being late. All run on one machine here, so their clocks agree."""


def left_early(site: RunningSite, *options: str) -> list[int]:
    """Return the fences that some rank left before the last one entered."""
    done = site.run(*options, "srun", "-N4", "-n4", "python3", "-c", PROGRAM)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert len(rows) == 4 * FENCES, done.stderr
    early = []
    for number in range(FENCES):
        entered = [float(row[1]) for row in rows if row[0] == str(number)]
        left = [float(row[2]) for row in rows if row[0] == str(number)]
        if min(left) < max(entered):
            early.append(number)
    return early


def test_no_rank_leaves_a_fence_before_all_have_entered_it(site: RunningSite) -> None:
    assert left_early(site) == []


def test_slurms_own_default_would_let_ranks_leave_early(site: RunningSite) -> None:
    # Once this fails, Slurm is mended and our mpi.conf can go.
    assert left_early(site, "env", "SLURM_PMIX_FENCE=mixed") != []
