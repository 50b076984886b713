"""When a job would start, by the word of a Slurm that was asked with the job's own script; pure."""

from __future__ import annotations

from sunk.assess.verdict import Finding, Verdict
from sunk.model.slurm import StartEstimate

CHECK = "presubmit.start"


def would_start(estimate: StartEstimate) -> Finding:
    """Return when and where it would start."""
    cpus = f"{estimate.processors} CPU{'' if estimate.processors == 1 else 's'}"
    found = f"would start at {estimate.at} on {estimate.nodes} in {estimate.partition} with {cpus}"
    return Finding(check=CHECK, verdict=Verdict.PASS, found=found)


def would_not_start(said: str) -> Finding:
    """Return that Slurm refuses the script, in its own words."""
    return Finding(
        check=CHECK,
        verdict=Verdict.FAIL,
        found=f"it can never start: {said}",
        remedy="ask for what the cluster has; the other checks say which part is too much",
    )


def not_asked(why: str) -> Finding:
    """Return that nobody asked."""
    return Finding(check=CHECK, verdict=Verdict.SKIP, found=why)
