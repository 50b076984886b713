"""What the kernel knows about a TCP connection and the network device that it leaves by; Linux.

Source: struct tcp_info of the kernel's ``linux/tcp.h``. The kernel fills as much as its release
knows; fields of later releases are absent then, and so they are here.
"""

from __future__ import annotations

import array
import fcntl
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

_SIOCGIFADDR, _SIOCGIFMTU = 0x8915, 0x8921
_INFO_BYTES = 256
_MSS, _RTT, _RETRANSMITS, _SEGMENTS = 16, 68, 100, 136
"""Offsets: tcpi_snd_mss, tcpi_rtt, tcpi_total_retrans, tcpi_segs_out; 32 bits each."""
_NAME_BYTES = 16


@dataclass(frozen=True)
class Connection:
    """One connection, as its sender sees it.

    Attributes:
        segments: that were sent, repeated ones included; None where the kernel does not count.
        retransmits: how many of them were repeated.
        mss_bytes: payload of one segment.
        rtt_us: smoothed round trip.
        congestion: the congestion control, ``cubic``.
    """

    segments: int | None
    retransmits: int | None
    mss_bytes: int | None
    rtt_us: int | None
    congestion: str


@dataclass(frozen=True)
class Device:
    """The network device that has an address.

    Attributes:
        name: ``eth0``; empty when no device of this host has the address.
        mtu_bytes: its largest packet; None without a device.
    """

    name: str
    mtu_bytes: int | None


def connection(sock: socket.socket) -> Connection:
    """Return what the kernel says about a connected socket."""
    raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    name = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, _NAME_BYTES)
    return Connection(
        segments=_word(raw, _SEGMENTS),
        retransmits=_word(raw, _RETRANSMITS),
        mss_bytes=_word(raw, _MSS),
        rtt_us=_word(raw, _RTT),
        congestion=name.split(b"\0")[0].decode("ascii", "replace"),
    )


def device_of(address: str) -> Device:
    """Return the device that has an IPv4 or IPv6 address of this host."""
    name = _by_ipv6(address) if ":" in address else _by_ipv4(address)
    return Device(name, _mtu(name) if name else None)


def _word(raw: bytes, offset: int) -> int | None:
    return int(struct.unpack_from("=I", raw, offset)[0]) if len(raw) >= offset + 4 else None


def _by_ipv4(address: str) -> str:
    wanted = socket.inet_aton(address)
    for _, name in socket.if_nameindex():
        answer = _ask(name, _SIOCGIFADDR)
        if answer is not None and answer[20:24] == wanted:
            return name
    return ""


def _by_ipv6(address: str) -> str:
    wanted = socket.inet_pton(socket.AF_INET6, address.partition("%")[0]).hex()
    try:
        lines = Path("/proc/net/if_inet6").read_text(encoding="ascii").splitlines()
    except OSError:
        return ""
    rows = (line.split() for line in lines)
    return next((row[5] for row in rows if len(row) == 6 and row[0] == wanted), "")


def _mtu(name: str) -> int | None:
    answer = _ask(name, _SIOCGIFMTU)
    return None if answer is None else int(struct.unpack_from("=i", answer, _NAME_BYTES)[0])


def _ask(name: str, request: int) -> bytes | None:
    """Return the kernel's answer about a device; None where it has none, as without IPv4."""
    buffer = array.array("B", name.encode().ljust(_INFO_BYTES, b"\0"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            fcntl.ioctl(sock, request, buffer)
        except OSError:
            return None
    return buffer.tobytes()
