"""Rules about MPI programs and how their ranks find each other."""

from __future__ import annotations

from collections.abc import Iterator

from sunk.toolkit.lint.facts import ClusterFacts
from sunk.toolkit.lint.launch import MPI_LAUNCHERS
from sunk.toolkit.lint.model import Problem, Rule, Severity
from sunk.toolkit.lint.script import Script
from sunk.toolkit.lint.shape import count, steps, uses_intel_mpi, uses_mpi


def _squared(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    for command in script.named(*MPI_LAUNCHERS):
        step = command.started_by("srun", "mpirun", "mpiexec")
        if step is None:
            continue
        if step.name == "srun" and count(step.step.value("ntasks")) == 1:
            continue
        yield Problem(
            line=command.line,
            column=command.column,
            message=f"every task of {step.name} starts a {command.name} of its own, N times N "
            f"ranks; use srun or {command.name} alone",
        )


def _singletons(script: Script, facts: ClusterFacts) -> Iterator[Problem]:
    default = facts.mpi_default
    if default not in {"none", "openmpi"} or not uses_mpi(script):
        return
    if "SLURM_MPI_TYPE" in script.variables:
        return
    for step in steps(script):
        inside = step.words[step.step.rest :]
        if step.step.has("mpi") or not inside or inside[0].text.endswith("hostname"):
            continue
        yield Problem(
            line=step.line,
            column=step.column,
            message="srun gives no MPI start-up here (MpiDefault is none) and every rank is a "
            "world of its own; add --mpi=pmix, or what srun --mpi=list offers",
        )


def _intel(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    if not uses_intel_mpi(script):
        return
    if {"I_MPI_PMI_LIBRARY", "I_MPI_PMI"} & script.variables:
        return
    for step in steps(script):
        plugin = step.step.value("mpi") or ""
        if plugin.startswith("pmix"):
            yield Problem(
                line=step.line,
                column=step.column,
                message="Intel MPI speaks PMI2 to srun; use --mpi=pmi2 and set I_MPI_PMI_LIBRARY "
                "to Slurm's libpmi2.so",
            )


RULES = (
    Rule(
        id="S023",
        severity=Severity.ERROR,
        title="a launcher started by a launcher",
        why="`srun mpirun` starts one mpirun for each task, and each starts all ranks: N times N "
        "processes, or N independent runs that all write the same files.",
        source="srun(1), MPI guide of Slurm",
        check=_squared,
    ),
    Rule(
        id="S024",
        severity=Severity.ERROR,
        title="MPI program without a start-up plugin",
        why="With MpiDefault=none and no `--mpi`, ranks cannot find each other: every process is "
        "rank 0 of a world of size 1, and the results look fine.",
        source="srun(1), --mpi; slurm.conf(5), MpiDefault",
        check=_singletons,
        live=True,
    ),
    Rule(
        id="S025",
        severity=Severity.ERROR,
        title="Intel MPI with PMIx",
        why="Intel MPI's start-up under srun is PMI2, through the library that I_MPI_PMI_LIBRARY "
        "names. Under `--mpi=pmix` its ranks are singletons, or hang.",
        source="MPI guide of Slurm, Intel MPI",
        check=_intel,
    ),
)
