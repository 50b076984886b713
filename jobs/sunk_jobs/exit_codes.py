"""What the exit code of a job program means to the batch script and to triage.

Everything else is classified by what is found in logs and in Slurm's records.
"""

from __future__ import annotations

FINISHED = 0
"""All steps are done."""
FAILED = 1
"""Something went wrong; what it was decides what follows."""
SAVED = 75
"""State is saved whole; the job wants to be requeued (EX_TEMPFAIL of sysexits.h)."""
SAVED_PARTIALLY = 76
"""Part of the state is saved, or a requeue is not possible: submit as a new job."""
DO_NOT_RESTART = 93
"""A restart would fail the same way: a wrong parameter, NaN by policy, storage that refuses."""
