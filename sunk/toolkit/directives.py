"""The ``#SBATCH`` options of a job, every one a literal; pure.

In the order of a reader's questions: what it is and who pays, how much it wants, how long, where
its words go, what happens at its end, where its nodes should be, and what it waits for.
"""

from __future__ import annotations

from sunk.toolkit.parameters import JobParameters, PlacedParameters, SavingParameters
from sunk.toolkit.parameters.calling import CallParameters
from sunk.toolkit.parameters.many import ArraySweepParameters, DataPreparationParameters
from sunk.toolkit.parameters.serving import VllmParameters
from sunk.toolkit.parameters.training import SingletonChainParameters
from sunk.toolkit.shape import Shape

LOG_FILE = "job.log"
ELEMENT_LOG_FILE = "job.%a.log"

Directive = tuple[str, str | None]
"""An option and its value; None for one that takes none."""


def directives(parameters: JobParameters, shape: Shape) -> tuple[Directive, ...]:
    """Return the options."""
    array = shape.elements is not None
    wanted: list[tuple[str, object | None]] = [
        ("job-name", parameters.name),
        ("partition", shape.partition),
        ("account", shape.account),
        ("qos", parameters.qos),
        ("nodes", parameters.nodes),
        ("ntasks-per-node", parameters.tasks_per_node),
        ("gpus-per-node", parameters.gpus_per_node or None),
        ("cpus-per-task", shape.cpus_per_task),
        ("mem", shape.memory),
        ("mem-per-cpu", getattr(parameters, "memory_per_cpu", None)),
        ("hint", "nomultithread" if shape.one_thread else None),
        ("time", parameters.time_limit),
        ("time-min", getattr(parameters, "time_min", None)),
        ("output", ELEMENT_LOG_FILE if array else LOG_FILE),
    ]
    found: list[Directive] = [(name, str(value)) for name, value in wanted if value is not None]
    if parameters.exclusive:
        found.insert(_place(found, "mem"), ("exclusive", None))
    return (*found, *_ending(parameters), *_placing(parameters, shape), *_waiting(parameters))


def _place(found: list[Directive], name: str) -> int:
    return next(at for at, (one, _) in enumerate(found) if one == name)


def _ending(parameters: JobParameters) -> tuple[Directive, ...]:
    if isinstance(parameters, SavingParameters):
        again: Directive = ("requeue", None) if parameters.requeue else ("no-requeue", None)
        return (("open-mode", "append"), again, ("signal", f"B:USR1@{parameters.lead_seconds}"))
    if isinstance(parameters, VllmParameters):
        return (("no-requeue", None), ("signal", f"B:USR1@{parameters.drain_seconds}"))
    if isinstance(parameters, ArraySweepParameters):
        return (("open-mode", "append"), ("requeue", None))
    if isinstance(parameters, CallParameters | DataPreparationParameters) and parameters.requeue:
        return (("open-mode", "append"), ("requeue", None))
    return (("no-requeue", None),)


def _placing(parameters: JobParameters, shape: Shape) -> tuple[Directive, ...]:
    found: list[Directive] = []
    if isinstance(parameters, PlacedParameters) and shape.switches is not None:
        found.append(("switches", f"{shape.switches}@{parameters.switch_wait}"))
    if shape.segment is not None:
        found.append(("segment", str(shape.segment)))
    if shape.elements is not None:
        at_once = min(getattr(parameters, "at_once", shape.elements), shape.elements)
        found.append(("array", f"0-{shape.elements - 1}%{at_once}"))
    return tuple(found)


def _waiting(parameters: JobParameters) -> tuple[Directive, ...]:
    found: list[Directive] = []
    if parameters.nodes > 1:
        found.append(("wait-all-nodes", "1"))
    dependency = parameters.dependency
    if isinstance(parameters, SingletonChainParameters):
        dependency = "singleton" if dependency is None else f"{dependency},singleton"
    if dependency is not None:
        found.append(("dependency", dependency))
        found.append(("kill-on-invalid-dep", "yes"))
    return tuple(found)
