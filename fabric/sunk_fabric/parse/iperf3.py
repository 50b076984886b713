"""``iperf3 --json``: one TCP test, as its client tells it."""

from __future__ import annotations

import msgspec

from sunk_fabric.parse import json_text
from sunk_fabric.parse.text import Content, Parsed


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """All streams together.

    Attributes:
        bits_per_second: the rate.
        bytes: how many.
        retransmits: segments repeated; None where the system does not count.
    """

    bits_per_second: float = 0.0
    bytes: int = 0
    retransmits: int | None = None


class Connected(msgspec.Struct, frozen=True, kw_only=True):
    """One stream's ends.

    Attributes:
        local_host: address of the client.
        remote_host: address of the server.
    """

    local_host: str = ""
    remote_host: str = ""


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What was known at the start.

    Attributes:
        connected: the streams.
        tcp_mss_default: payload of a segment; 0 when not told.
    """

    connected: tuple[Connected, ...] = ()
    tcp_mss_default: int = 0


class End(msgspec.Struct, frozen=True, kw_only=True):
    """The figures.

    Attributes:
        sum_sent: at the sender.
        sum_received: at the receiver.
        sender_tcp_congestion: congestion control; empty when not told.
    """

    sum_sent: Sum = Sum()
    sum_received: Sum = Sum()
    sender_tcp_congestion: str = ""


class Test(msgspec.Struct, frozen=True, kw_only=True):
    """One test.

    Attributes:
        start: the ends.
        end: the figures; zeros when it failed.
        error: why it failed; empty when it did not.
    """

    start: Start = Start()
    end: End = End()
    error: str = ""

    @property
    def gbit_per_s(self) -> float:
        """Return what arrived."""
        return self.end.sum_received.bits_per_second / 1e9

    @property
    def retransmit_share(self) -> float | None:
        """Return repeated segments as a share of all; None where they are not counted."""
        sent, mss = self.end.sum_sent, self.start.tcp_mss_default
        if sent.retransmits is None or not mss or not sent.bytes:
            return None
        return sent.retransmits / max(sent.bytes / mss, 1.0)


def parse(content: Content) -> Parsed[Test]:
    """Return the test; one with neither an error nor bytes that arrived is damage."""
    parsed = json_text.decode(content, Test, Test())
    one = parsed.value
    if parsed.sound and not one.error and not one.end.sum_received.bytes > 0:
        words = ("there are no figures and no error",)
        return Parsed(value=one, lines=parsed.lines, unknown=0, quoted=(), damage=words)
    return parsed
