"""Slurm's state of a node as conditions on its Pod: names, words, and whether they changed; pure.

One condition for the base state and one for each state flag that is set, as SchedMD's Slinky names
them, so that what watches those conditions works here too.
"""

from __future__ import annotations

from collections.abc import Mapping

from sunk.model.kube import Condition
from sunk.model.slurm import NodeState, SlurmNode

PREFIX = "SlurmNodeState"
MACHINE_CONDITION = "SlurmDrain"
"""On Kubernetes Nodes: workers there are drained in Slurm, not by the bridge."""
_FLAGS = {
    "COMPLETING": "Completing",
    "DRAIN": "Drain",
    "FAIL": "Fail",
    "INVALID": "Invalid",
    "INVALID_REG": "InvalidReg",
    "MAINTENANCE": "Maintenance",
    "NOT_RESPONDING": "NotResponding",
    "PLANNED": "Planned",
    "POWERED_DOWN": "PoweredDown",
    "POWERING_UP": "PoweringUp",
    "REBOOT_ISSUED": "RebootIssued",
    "REBOOT_REQUESTED": "RebootRequested",
    "RESERVED": "Reserved",
    "UNDRAIN": "Undrain",
}
"""Slurm's flags -> their names in conditions; those after NotResponding are ours, in its style."""


def conditions_of(record: SlurmNode | None, *, why_not: str) -> tuple[Condition, ...]:
    """Return the conditions that a worker's Pod should have, sorted by type.

    Args:
        record: Slurm's record of the very Pod; None when there is none.
        why_not: why Slurm's answer is not believed; empty when it is. Then the state is said to be
            unknown: a condition that was true some minutes ago must not look like one that is.
    """
    if why_not:
        return (_condition("Unknown", "Unread", why_not),)
    if record is None:
        return (_condition("Unknown", "NotRegistered", "no node of this Pod is known to Slurm"),)
    words = [_condition(record.state.capitalize(), str(record.state), "")]
    for flag in sorted(record.flags & _FLAGS.keys()):
        message = record.reason if flag in {"DRAIN", "FAIL", "MAINTENANCE"} else ""
        words.append(_condition(_FLAGS[flag], flag, message))
    if record.state in {NodeState.DOWN, NodeState.ERROR} and record.reason:
        words[0] = _condition(record.state.capitalize(), str(record.state), record.reason)
    return tuple(sorted(words, key=lambda one: one.type))


def machine_condition(
    have: Mapping[str, Condition], drained: Mapping[str, str]
) -> Condition | None:
    """Return the condition that a Kubernetes Node should have, or nothing when it is as it should.

    Args:
        have: the Node's conditions.
        drained: workers there that people drained in Slurm -> the reason. A Node that never had
            one gets no condition at all.
    """
    before = have.get(MACHINE_CONDITION)
    if not drained and before is None:
        return None
    words = "; ".join(f"{name}: {drained[name]}" for name in sorted(drained))
    wanted = Condition(
        type=MACHINE_CONDITION,
        status="True" if drained else "False",
        reason="DrainedInSlurm" if drained else "NotDrained",
        message=words[:1000],
    )
    return None if wanted == before else wanted


def need_writing(have: Mapping[str, Condition], want: tuple[Condition, ...]) -> bool:
    """Return whether a Pod's conditions of ours differ from the wanted ones."""
    ours = {name: one for name, one in have.items() if name.startswith(PREFIX)}
    return ours != {one.type: one for one in want}


def _condition(name: str, reason: str, message: str) -> Condition:
    reason = "".join(word.capitalize() for word in reason.split("_")) if "_" in reason else reason
    return Condition(type=f"{PREFIX}{name}", status="True", reason=reason, message=message)
