"""From parameters to an sbatch script and its record: pure, deterministic bytes."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import sunk
from sunk.model.profile import ClusterProfile
from sunk.render.environment import environment
from sunk.toolkit.catalogue import Template
from sunk.toolkit.directives import directives
from sunk.toolkit.parameters import JobParameters
from sunk.toolkit.run_files import run_files
from sunk.toolkit.shape import Shape, shape_of
from sunk.toolkit.steps import container_variables, options_of, step_lines

SCRIPT_FILE = "job.sbatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedJob:
    """A script and what it was made from.

    Attributes:
        template: name of the template.
        parameters: as JSON, complete with defaults, sorted.
        digest: of template name and parameters; stands in the script's second line.
        script: the sbatch script.
        cluster: whose profile it was made for; None without one.
        elements: elements of its array; None outside arrays.
        files: what else the run folder needs, by name.
    """

    template: str
    parameters: str
    digest: str
    script: str
    cluster: str | None = None
    elements: int | None = None
    files: Mapping[str, str] = field(default_factory=dict)


def render_job(
    template: Template, parameters: JobParameters, profile: ClusterProfile | None = None
) -> RenderedJob:
    """Return the script of a job.

    Args:
        template: its kind.
        parameters: what it takes.
        profile: of the cluster that it is for; without one nothing is assumed.

    Raises:
        InputError: a value cannot be written safely, or the cluster cannot do what is asked for.
    """
    plain = parameters.model_dump(mode="json", by_alias=True)
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(f"{template.name}\n{text}".encode()).hexdigest()[:12]
    shape = shape_of(parameters, profile)
    files = run_files(parameters)
    script = (
        environment()
        .get_template(template.file)
        .render(
            values(parameters, shape)
            | {
                "version": sunk.__version__,
                "template": template.name,
                "digest": digest,
                "file_digests": {
                    name: hashlib.sha256(content.encode()).hexdigest()
                    for name, content in files.items()
                },
            }
        )
    )
    return RenderedJob(
        template=template.name,
        parameters=text,
        digest=digest,
        script=script,
        cluster=None if profile is None else profile.cluster,
        elements=shape.elements,
        files=files,
    )


def differences(name: str, old: str, new: str) -> str:
    """Return how a script differs from an older one, as a unified diff; empty when it does not."""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), name, "now"
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def values(parameters: JobParameters, shape: Shape) -> dict[str, object]:
    """Return what a template may use: parameters, what was settled for the cluster, and the steps.

    Where a parameter was left open, the settled value stands in its place.
    """
    found: dict[str, object] = {
        name: getattr(parameters, name) for name in type(parameters).model_fields
    }
    found |= {one.name: getattr(shape, one.name) for one in fields(shape)}
    return found | {
        "directives": directives(parameters, shape),
        "environment": sorted(parameters.environment.items()),
        "ranks_per_node": parameters.ranks_per_node,
        "world": parameters.world,
        "threads": max(
            1, shape.cpus_per_task * parameters.tasks_per_node // parameters.ranks_per_node
        ),
        "step": step_lines(parameters, shape),
        "container_variables": container_variables(parameters),
        "options": options_of(parameters),
        "requeues": bool(found.get("requeue")),
    }
