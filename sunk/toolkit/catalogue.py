"""The job templates that ship with sunk."""

from __future__ import annotations

from dataclasses import dataclass

from sunk.errors import InputError
from sunk.toolkit.parameters import HelloParameters, JobParameters, MpiParameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One kind of job.

    Attributes:
        name: what people call it.
        summary: one line.
        form: its parameters.
        needs_programs: its ranks run programs of `sunk_jobs`, copied beside the script.
    """

    name: str
    summary: str
    form: type[JobParameters]
    needs_programs: bool = False

    @property
    def file(self) -> str:
        """Path below ``templates/``."""
        return f"sbatch/{self.name}.sbatch.j2"


TEMPLATES = (
    Template(name="hello", summary="every rank says where it runs", form=HelloParameters),
    Template(
        name="mpi",
        summary="an MPI program under srun; by default an all-reduce that checks itself",
        form=MpiParameters,
        needs_programs=True,
    ),
)


def template_named(name: str) -> Template:
    """Return a template.

    Raises:
        InputError: there is none of that name; the hint lists those there are.
    """
    for template in TEMPLATES:
        if template.name == name:
            return template
    raise InputError(
        f"find job template {name!r}: there is none",
        hint="templates: " + ", ".join(template.name for template in TEMPLATES),
    )
