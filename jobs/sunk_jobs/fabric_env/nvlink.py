"""The NVLink fabric of GPUs, in the words of ``nvidia-smi -q``."""

from __future__ import annotations

import re
from dataclasses import dataclass

_GPU = re.compile(r"GPU ([0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7])")
_KEY = re.compile(r"( *)([A-Za-z][A-Za-z ]{0,60}?) *(?:: (.{0,120}))?")
_NO_CLUSTER = re.compile(r"[0-]*")


@dataclass(frozen=True)
class GpuFabric:
    """What a GPU says of its fabric; empty where it does not say.

    Attributes:
        gpu: PCI address, as nvidia-smi prints it.
        state: ``Completed``, ``In Progress``, ``Not Started``, ``N/A``.
        status: ``Success``, or what went wrong.
        cluster: UUID of the NVLink domain; empty outside of domains.
        clique: partition in it.
    """

    gpu: str
    state: str = ""
    status: str = ""
    cluster: str = ""
    clique: str = ""

    @property
    def ready(self) -> bool:
        """Return whether it belongs to a domain that spans nodes, and works."""
        return self.state == "Completed" and self.status == "Success" and bool(self.cluster)


def parse_smi(text: str) -> tuple[GpuFabric, ...]:
    """Return the fabric of every GPU; what cannot be understood is passed over."""
    found: list[GpuFabric] = []
    depth: int | None = None
    words: dict[str, str] = {}
    for line in text.splitlines():
        gpu = _GPU.fullmatch(line.strip())
        key = _KEY.fullmatch(line.rstrip())
        if gpu:
            found.append(GpuFabric(gpu[1]))
            depth, words = None, {}
        elif key is None or not found:
            continue
        elif depth is None:
            depth = len(key[1]) if key[2] == "Fabric" and key[3] is None else None
        elif len(key[1]) <= depth:
            depth = None
        else:
            words[key[2]] = (key[3] or "").strip()
            found[-1] = _fabric(found[-1].gpu, words)
    return tuple(found)


def _fabric(gpu: str, words: dict[str, str]) -> GpuFabric:
    cluster = words.get("ClusterUUID", "")
    return GpuFabric(
        gpu,
        words.get("State", ""),
        words.get("Status", ""),
        "" if cluster == "N/A" or _NO_CLUSTER.fullmatch(cluster) else cluster,
        words.get("CliqueId", ""),
    )
