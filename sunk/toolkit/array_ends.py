"""How the elements of an array ended: Slurm's word and each log's; changes nothing."""

from __future__ import annotations

from sunk.errors import CommandError, EnvironmentFault, RemoteError
from sunk.model.slurm import JobState
from sunk.toolkit.explain import FAILED_STATES, Element
from sunk.toolkit.run_states import JobsSource
from sunk.toolkit.runs import Run
from sunk_jobs.failures.evidence import of_log


def ends_of(run: Run, source: JobsSource) -> tuple[Element, ...]:
    """Return the elements of a run's array; where Slurm does not answer, they are UNKNOWN.

    Only the logs of elements that failed are read.
    """
    keys = [(run.job_id, index) for index in range(run.elements or 0)]
    wanted = [(job_id, index) for job_id, index in keys if job_id is not None]
    try:
        found = source.jobs(wanted) if wanted else {}
    except (RemoteError, CommandError, EnvironmentFault):
        found = {}
    ends = []
    for key in wanted:
        job = found.get(key)
        state = JobState.UNKNOWN.value if job is None else job.state.value
        node = "" if job is None else job.nodes
        if state not in FAILED_STATES:
            ends.append(Element(element=key[1], state=state, node=node))
            continue
        evidence = of_log(run.log_of(key[1]))
        text = "" if evidence.first is None else evidence.first.found.text
        ends.append(
            Element(
                element=key[1], state=state, node=node, text=text, first_exit=evidence.first_exit
            )
        )
    return tuple(ends)
