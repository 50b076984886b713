"""Rules about GPUs, memory and CPUs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sunk.toolkit.lint.facts import ClusterFacts
from sunk.toolkit.lint.model import Problem, Rule, Severity
from sunk.toolkit.lint.script import Command, Script
from sunk.toolkit.lint.shape import cpus_per_task, insert_after, steps, tasks_per_node, uses_nccl

_GRES_GPU = re.compile(r"(^|,)(gres[:/])?gpu([:/,]|$)")
_BINDS_ONE = re.compile(r"(single|closest|per_task)", re.IGNORECASE)
_TIGHT = re.compile(
    r"(verbose,|quiet,|v,|q,)?(cores|threads|sockets|ldoms|rank|map_cpu|mask_cpu)", re.IGNORECASE
)


def _bound_gpus(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    if not uses_nccl(script):
        return
    directives = script.directives
    message = (
        "{what} hides the other GPUs of the node from each rank, and NCCL falls back to slower "
        "paths or fails; use --gpus-per-node with --gpu-bind=none"
    )
    bind = directives.value("gpu-bind") or ""
    free = bind == "none" or "gpu:none" in (directives.value("tres-bind") or "")
    for option in directives.options:
        hides = option.name == "gpus-per-task" or (
            option.name == "gpu-bind" and _BINDS_ONE.match(option.value or "")
        )
        if hides and not free and not _freed_by_steps(script) and _several(script, None):
            yield Problem(
                line=option.line,
                column=option.column,
                message=message.format(what=f"--{option.name}"),
            )
    for step in steps(script):
        options = step.step
        bound = _BINDS_ONE.match(options.value("gpu-bind") or "")
        given = options.has("gpus-per-task") and not _is_free(step)
        if (bound or given) and _several(script, step):
            name = "--gpu-bind" if bound else "--gpus-per-task"
            yield Problem(line=step.line, column=step.column, message=message.format(what=name))


def _is_free(step: Command) -> bool:
    options = step.step
    bind = options.value("gpu-bind") or options.value("tres-bind") or ""
    return bind == "none" or "gpu:none" in bind


def _freed_by_steps(script: Script) -> bool:
    found = list(steps(script))
    return bool(found) and all(_is_free(step) for step in found)


def _several(script: Script, step: Command | None) -> bool:
    if step is not None:
        return (tasks_per_node(script, step) or 0) > 1
    each = [tasks_per_node(script, one) for one in steps(script)] or [tasks_per_node(script)]
    return any((number or 0) > 1 for number in each)


def _two_ways(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    directives = script.directives
    gres = directives.last("gres")
    if gres is None or not _GRES_GPU.search(gres.value or ""):
        return
    other = directives.last("gpus-per-node", "gpus-per-task", "gpus-per-socket", "gpus")
    if other is not None and other.component == gres.component:
        same = other.name == "gpus-per-node" and _number(other.value) == _number(gres.value)
        yield Problem(
            line=max(gres.line, other.line),
            severity=Severity.WARNING if same else None,
            message=f"--gres={gres.value} and --{other.name}={other.value} ask for GPUs in two "
            "ways that Slurm does not add up; keep --gpus-per-node",
        )


def _number(text: str | None) -> str:
    """Return how many GPUs an option asks for, as written; types do not matter here."""
    found = re.search(r"(?:gpu:(?:[^,:]*[^,:\d][^,:]*:)?|^(?:[^,:]*:)?)(\d+)", text or "")
    return found[1] if found else ""


_MEMORY = ("mem", "mem-per-cpu", "mem-per-gpu")


def _memory(script: Script, facts: ClusterFacts) -> Iterator[Problem]:
    directives = script.directives
    exclusive = directives.last("exclusive")
    if exclusive is None or exclusive.value in {"user", "mcs", "topo"}:
        return
    counted = [one for one in facts.select_parameters if one.upper().endswith("MEMORY")]
    if facts.select_parameters and not counted:
        return
    if not directives.has(*_MEMORY):
        yield Problem(
            line=exclusive.line,
            column=exclusive.column,
            message="--exclusive takes all CPUs and GPUs of the node and only the default memory; "
            "add --mem=0 for all of it",
        )


def _memory_per_cpu(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    directives = script.directives
    asked = directives.last("mem-per-cpu")
    if asked is not None and directives.has("exclusive"):
        yield Problem(
            line=asked.line,
            column=asked.column,
            message="with --exclusive the memory of each CPU is counted for all CPUs of the node, "
            "and MaxMemPerCPU may raise their number; use --mem=0",
        )


_STEPS_INHERIT_CPUS = (24, 11)
"""Release whose srun was seen to take the job's --cpus-per-task over again."""


def _step_cpus(script: Script, facts: ClusterFacts) -> Iterator[Problem]:
    asked = cpus_per_task(script)
    if facts.release is not None and facts.release >= _STEPS_INHERIT_CPUS:
        return
    if asked is None or asked < 2 or "SRUN_CPUS_PER_TASK" in script.variables:
        return
    for step in steps(script):
        options = step.step
        if options.has("cpus-per-task", "cpus-per-gpu", "overlap", "jobid", "whole"):
            continue
        if step.context.substitution:
            continue  # it asks something, the work is elsewhere
        yield Problem(
            line=step.line,
            column=step.column,
            message=f"srun does not take over --cpus-per-task={asked} in every release, and each "
            'task then has one CPU; add --cpus-per-task="$SLURM_CPUS_PER_TASK"',
            edits=insert_after(step.words[0], ' --cpus-per-task="$SLURM_CPUS_PER_TASK"')
            if step.words[0].text == "srun"
            and script.data[step.words[0].start : step.words[0].end] == b"srun"
            else (),
        )


def _mask(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    for agent in script.agents:
        step = agent.started_by("srun")
        if step is None:
            continue
        bind = step.step.value("cpu-bind")
        wide = (
            step.step.has("cpus-per-task", "exact")
            or cpus_per_task(script) is not None
            or script.directives.has("exclusive", "cpus-per-gpu")
            or "SRUN_CPUS_PER_TASK" in script.variables
        )
        if bind is not None and _TIGHT.match(bind):
            what = f"--cpu-bind={bind}"
        elif bind is None and not wide and "SLURM_CPU_BIND" not in script.variables:
            what = "one CPU for the task"
        else:
            continue
        yield Problem(
            line=step.line,
            column=step.column,
            message=f"{what}: all workers of {agent.agent} inherit the mask of their one task; use "
            "--cpu-bind=none, and --cpus-per-task with the node's CPUs",
        )


RULES = (
    Rule(
        id="S017",
        severity=Severity.ERROR,
        title="one GPU for each rank under NCCL",
        why="`--gpus-per-task` and `--gpu-bind=single` or `closest` put each rank in a cgroup with "
        "its own GPU. CUDA's peer access between ranks of a node then fails or is slow.",
        source="srun(1), --gpu-bind; reports of NCCL, Open MPI and pyxis users",
        check=_bound_gpus,
    ),
    Rule(
        id="S018",
        severity=Severity.ERROR,
        title="GPUs asked for in two ways",
        why="`--gres=gpu:N` and `--gpus-per-node`, `--gpus-per-task` or `--gpus` are different "
        "requests. Slurm 24.11 refuses some pairs, and keeps both of others: which number counts "
        "is not written anywhere. The same number twice is a warning.",
        source="sbatch(1), --gres and --gpus-per-node; tried with 24.11",
        check=_two_ways,
    ),
    Rule(
        id="S019",
        severity=Severity.WARNING,
        title="whole nodes with the default memory",
        why="`--exclusive` allocates all CPUs and GRES, and of the memory only DefMemPerNode or "
        "DefMemPerCPU. The job is killed for memory on a node that it has alone.",
        source="sbatch(1), --exclusive and --mem",
        check=_memory,
    ),
    Rule(
        id="S020",
        severity=Severity.WARNING,
        title="memory for each CPU of whole nodes",
        why="The product with all CPUs of the node may be more than the node has, and above "
        "MaxMemPerCPU Slurm raises the CPUs of each task.",
        source="sbatch(1), --mem-per-cpu",
        check=_memory_per_cpu,
    ),
    Rule(
        id="S021",
        severity=Severity.WARNING,
        title="srun without the job's CPUs for each task",
        why="From 22.05 on srun did not read SLURM_CPUS_PER_TASK, and threads shared one CPU. The "
        "release tried below takes the job's number over again; a script that says it is right "
        "under every release.",
        source="srun(1), --cpus-per-task; release notes of 22.05; tried with 24.11",
        check=_step_cpus,
    ),
    Rule(
        id="S022",
        severity=Severity.WARNING,
        title="workers of a launcher on the mask of one task",
        why="torchrun, ray and accelerate start the workers of a node from one task, and a "
        "process keeps its parent's CPU mask.",
        source="srun(1), --cpu-bind; sched_setaffinity(2)",
        check=_mask,
    ),
)
