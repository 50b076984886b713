"""Whether workers registered in Slurm as they were described: CPUs, memory, devices; pure.

What the device plugin, the Pod's limits, gres.conf and slurmd say must agree; where they do not,
the field that differs is named, with both values.
"""

from __future__ import annotations

import re

from sunk.model.cluster import NodeShape
from sunk.model.slurm import SlurmNode

_GPUS = re.compile(r"(?:^|,)gpu(?::[^:,(]+)*?:(?P<count>[0-9]+)(?=\(|,|$)")


def differences(record: SlurmNode, shape: NodeShape) -> tuple[str, ...]:
    """Return what Slurm believes of a node beside what was described, a text for each field."""
    gpus = gpu_count(record.gres)
    pairs = (
        ("CPUs", record.cpus, shape.cpus),
        ("RealMemory", record.real_memory_mib, shape.real_memory_mib),
        ("Gres gpu", gpus, shape.gpus),
    )
    return tuple(
        f"{name} is {there} in Slurm, {wanted} described"
        for name, there, wanted in pairs
        if there != wanted
    )


def gpu_count(gres: str) -> int:
    """Return how many GPUs a Gres text names: ``gpu:2``, ``gpu:h100:8(S:0-1)``; 0 for none."""
    return sum(int(found["count"]) for found in _GPUS.finditer(gres))
