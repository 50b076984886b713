"""GPUs and network cards in the PCI tree, by the folders that sysfs has them in."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader

NONE = "no GPU and no network card on PCI"
"""What the question prints where there is nothing to tell."""
_GPU_CLASSES = ("0x0300", "0x0302", "0x1200")
_GPU_VENDORS = frozenset({"0x10de", "0x1002"})
_ADDRESS = r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]"
_LINE = re.compile(
    rf"((?:[\w.:-]{{1,60}}/){{1,40}}({_ADDRESS})) (0x[0-9a-f]{{6}}) (0x[0-9a-f]{{4}}) (-?\d{{1,5}})"
)


@dataclass(frozen=True, slots=True)
class PciPlace:
    """One card.

    Attributes:
        address: ``0000:0f:00.0``.
        path: its root bus, the bridges above it, and itself.
        kind: class of the device, ``0x030200``.
        vendor: ``0x10de``.
        numa_node: of the card; None when the kernel does not know.
    """

    address: str
    path: tuple[str, ...]
    kind: str
    vendor: str
    numa_node: int | None

    @property
    def is_gpu(self) -> bool:
        """Return whether it computes."""
        return self.kind.startswith(_GPU_CLASSES) and self.vendor in _GPU_VENDORS

    @property
    def is_adapter(self) -> bool:
        """Return whether it may have RDMA: InfiniBand, or Ethernet of a vendor of both."""
        return self.kind.startswith("0x0207") or (
            self.kind.startswith("0x0200") and self.vendor == "0x15b3"
        )


def parse(content: Content) -> Parsed[tuple[PciPlace, ...]]:
    """Return the cards by address; two of one address are damage."""
    reader = Reader(content)
    found: dict[str, PciPlace] = {}
    silent = False
    for line in reader:
        match = _LINE.fullmatch(line)
        if match and match[2] in found:
            reader.damaged(f"{match[2]} is told twice")
        elif match:
            numa = int(match[5])
            found[match[2]] = PciPlace(
                match[2],
                tuple(match[1].split("/")),
                match[3],
                match[4],
                numa if numa >= 0 else None,
            )
        elif line.strip() == NONE:
            silent = True
        else:
            reader.unknown(line)
    if silent and found:
        reader.damaged("it tells of cards, and that there are none")
    return reader.outcome(tuple(found[one] for one in sorted(found)))
