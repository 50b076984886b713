"""From parameters to an sbatch script and its record: pure, deterministic bytes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import sunk
from sunk.render.environment import environment
from sunk.toolkit.catalogue import Template
from sunk.toolkit.parameters import JobParameters

SCRIPT_FILE = "job.sbatch"
LOG_FILE = "job.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedJob:
    """A script and what it was made from.

    Attributes:
        template: name of the template.
        parameters: as JSON, complete with defaults, sorted.
        digest: of template name and parameters; stands in the script's second line.
        script: the sbatch script.
    """

    template: str
    parameters: str
    digest: str
    script: str


def render_job(template: Template, parameters: JobParameters) -> RenderedJob:
    """Return the script of a job.

    Raises:
        InputError: a value cannot be written safely.
    """
    plain = parameters.model_dump(mode="json", by_alias=True)
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(f"{template.name}\n{text}".encode()).hexdigest()[:12]
    fields = {name: getattr(parameters, name) for name in type(parameters).model_fields}
    fields |= {
        "version": sunk.__version__,
        "digest": digest,
        "directives": directives(parameters),
        "environment": sorted(parameters.environment.items()),
    }
    script = environment().get_template(template.file).render(fields)
    return RenderedJob(template=template.name, parameters=text, digest=digest, script=script)


def directives(parameters: JobParameters) -> tuple[tuple[str, str], ...]:
    """Return the ``#SBATCH`` options of a job, in the order of sbatch(1)'s sections."""
    wanted: list[tuple[str, object | None]] = [
        ("job-name", parameters.name),
        ("partition", parameters.partition),
        ("account", parameters.account),
        ("qos", parameters.qos),
        ("nodes", parameters.nodes),
        ("ntasks-per-node", parameters.tasks_per_node),
        ("cpus-per-task", parameters.cpus_per_task),
        ("mem", parameters.memory_per_node),
        ("gres", f"gpu:{parameters.gpus_per_node}" if parameters.gpus_per_node else None),
        ("time", parameters.time_limit),
        ("output", LOG_FILE),
    ]
    return tuple((option, str(value)) for option, value in wanted if value is not None)
