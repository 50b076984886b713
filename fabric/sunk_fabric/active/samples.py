"""What the transfers of a test gave; pure. What is missing is missing, and never good."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sunk_fabric.active.patterns import Flow


class Phase(StrEnum):
    """Why a transfer was made."""

    SCREEN = "screen"
    """It stands in the plan."""
    CONFIRM = "confirm"
    """It repeats a suspect, or tries one of its ends with a partner that is known to be good."""


class Gone(StrEnum):
    """Why a transfer has no figure."""

    NO = ""
    """It has one."""
    CUT = "cut"
    """The tool ran and could not get through."""
    SKIPPED = "skipped"
    """A host had failed with several partners before."""
    BROKEN = "broken"
    """The tool did not run, or what it printed cannot be trusted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """Which way a transfer went, as far as the tool proves it.

    Attributes:
        device: of the sender: ``mlx5_0``, ``eth0``.
        mtu_bytes: of the sender's device, or of RDMA messages.
        peer_mtu_bytes: of the receiver's device; None where the tool does not say.
        gid_index: of RoCE; empty elsewhere.
        congestion: TCP's congestion control; empty for RDMA.
        link: ``tcp``, ``InfiniBand`` or ``Ethernet``.
    """

    device: str
    mtu_bytes: int | None
    peer_mtu_bytes: int | None = None
    gid_index: str = ""
    congestion: str = ""
    link: str = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One transfer.

    Attributes:
        flow: from where to where.
        round: number of the round, from 1.
        phase: why it was made.
        gbit_per_s: the rate; None when there is no figure.
        retransmit_share: segments repeated, as a share of all; None for what has no segments.
        rtt_us: round trip at the end, queues included; None where the tool does not say.
        gone: why there is no figure.
        trouble: the same in words.
        path: which way it went; None without proof.
        evidence: id of the raw output; empty when there is none.
    """

    flow: Flow
    round: int
    phase: Phase
    gbit_per_s: float | None
    retransmit_share: float | None = None
    rtt_us: float | None = None
    gone: Gone = Gone.NO
    trouble: str = ""
    path: Path | None = None
    evidence: str = ""
