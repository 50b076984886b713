"""What a fabric is made of: switches, adapters, and cables with both their ends."""

from __future__ import annotations

from dataclasses import dataclass

from sunk_fabric.rates import Rate


@dataclass(frozen=True, slots=True, order=True)
class End:
    """One end of a cable.

    Attributes:
        guid: the node's.
        port: its number.
    """

    guid: str
    port: int


@dataclass(frozen=True, slots=True)
class Link:
    """One cable.

    Attributes:
        low: the end that sorts first.
        high: the other one.
        rate: the lower of what the two ends say.
    """

    low: End
    high: End
    rate: Rate

    def far(self, guid: str) -> End:
        """Return the end that is not at this node; for loops the second one."""
        return self.high if self.low.guid == guid else self.low

    def near(self, guid: str) -> End:
        """Return the end that is at this node."""
        return self.low if self.low.guid == guid else self.high


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch.

    Attributes:
        guid: its own.
        name: NodeDescription, with the GUID where the description is not unique.
        port_count: how many ports it has.
    """

    guid: str
    name: str
    port_count: int


@dataclass(frozen=True, slots=True)
class Hca:
    """One channel adapter of a host.

    Attributes:
        guid: its own.
        host: the host's name.
        device: its name there, ``mlx5_3``; what a rail is named after.
    """

    guid: str
    host: str
    device: str

    @property
    def name(self) -> str:
        """Return host and device as NodeDescription has them."""
        return f"{self.host} {self.device}"
