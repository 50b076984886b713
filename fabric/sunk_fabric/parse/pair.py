"""``python3 -m sunk_jobs.pair send``: what one TCP transfer gave, or why it gave nothing."""

from __future__ import annotations

import math

import msgspec

from sunk_fabric.parse import json_text
from sunk_fabric.parse.text import Content, Parsed, printable
from sunk_jobs.outputs.results import PAIR


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """One transfer; a failed one has no figures.

    Attributes:
        schema: names the program.
        failed: why there is no figure; empty when there is one.
        complete: whether all bytes were sent before the time was over.
        streams: connections at once.
        bytes: that arrived.
        seconds: that they took.
        gbit_per_s: the rate.
        segments: sent; None where the kernel does not count.
        retransmits: how many of them were repeated.
        rtt_us: round trip at the end, in microseconds.
        congestion: congestion control.
        local_address: of the sender.
        local_device: its network device; empty when not known.
        local_mtu_bytes: of that device.
        peer_address: of the receiver.
        peer_device: its network device.
        peer_mtu_bytes: of that device.
    """

    schema: str
    failed: str = ""
    complete: bool = False
    streams: int = 0
    bytes: int = 0
    seconds: float = 0.0
    gbit_per_s: float = 0.0
    segments: int | None = None
    retransmits: int | None = None
    rtt_us: int | None = None
    congestion: str = ""
    local_address: str = ""
    local_device: str = ""
    local_mtu_bytes: int | None = None
    peer_address: str = ""
    peer_device: str = ""
    peer_mtu_bytes: int | None = None

    @property
    def retransmit_share(self) -> float | None:
        """Return repeated segments as a share of all; None where the kernel does not count."""
        if not self.segments or self.retransmits is None:
            return None
        return self.retransmits / self.segments


_NOTHING = Transfer(schema="")


def parse(content: Content) -> Parsed[Transfer]:
    """Return the transfer; figures that contradict each other are damage."""
    return json_text.checked(content, Transfer, _NOTHING, _wrong)


def _wrong(one: Transfer) -> str:
    if one.schema != PAIR:
        return f"its schema is {printable(repr(one.schema))} and not {PAIR}"
    if one.failed:
        return ""
    if not (one.seconds > 0 and one.bytes > 0 and math.isfinite(one.seconds)):
        return f"{one.bytes} bytes in {one.seconds:g} s are no transfer"
    if not math.isclose(one.bytes * 8 / one.seconds / 1e9, one.gbit_per_s, rel_tol=1e-3):
        return f"{one.bytes} bytes in {one.seconds:g} s are not {one.gbit_per_s:g} Gb/s"
    if (one.retransmits or 0) < 0 or (one.segments or 0) < 0:
        return "a counter is below zero"
    return ""
