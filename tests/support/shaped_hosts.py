"""Hosts in network namespaces on one bridge, each link shaped, so that figures are the network's.

Both directions of every host have a rate that this machine can hold; unshaped they would measure
its CPU. Names are unique to a run, and `stop` takes all of them away.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sunk.clients import process

BURST = "64k"
LATENCY = "50ms"
LOSS = """\
table netdev f {{
  chain in {{
    type filter hook ingress device "eth0" priority 0; policy accept;
    ip saddr {address} numgen random mod 1000 < {per_mille} counter drop
  }}
}}
"""


@dataclass
class ShapedHosts:
    """Namespaces h0, h1 and so on, as `ip netns` knows them under a prefix.

    Attributes:
        count: how many.
        mbit_per_s: of every host, each way.
    """

    count: int
    mbit_per_s: int = 200
    prefix: str = field(default_factory=lambda: f"sf{os.getpid()}x")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{self.prefix}h{at}" for at in range(self.count))

    @property
    def switch(self) -> str:
        return f"{self.prefix}sw"

    def address(self, at: int) -> str:
        return f"10.97.0.{at + 1}"

    def start(self) -> None:
        ip("netns", "add", self.switch)
        ip("-n", self.switch, "link", "add", "name", "switch0", "type", "bridge")
        ip("-n", self.switch, "link", "set", "switch0", "up")
        for at, name in enumerate(self.names):
            ip("netns", "add", name)
            peer = ("peer", "name", "eth0", "netns", name)
            ip("-n", self.switch, "link", "add", f"p{at}", "type", "veth", *peer)
            ip("-n", self.switch, "link", "set", f"p{at}", "master", "switch0", "up")
            ip("-n", name, "addr", "add", f"{self.address(at)}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "set", "lo", "up")
            for where, device in ((name, "eth0"), (self.switch, f"p{at}")):
                # Packets as long as the wire's: a shaper would take a whole burst for one.
                ip("-n", where, "link", "set", device, "gso_max_segs", "1")
            self.sends(at, self.mbit_per_s)
            self.receives(at, self.mbit_per_s)

    def stop(self) -> None:
        for name in (*self.names, self.switch):
            process.run(["ip", "netns", "del", name], timeout_seconds=20, check=False)

    def sends(self, at: int, mbit_per_s: int) -> None:
        """Shape what a host sends."""
        tbf(self.names[at], "eth0", mbit_per_s)

    def receives(self, at: int, mbit_per_s: int) -> None:
        """Shape what a host receives, at the switch."""
        tbf(self.switch, f"p{at}", mbit_per_s)

    def slow_pair(self, sender: int, receiver: int, mbit_per_s: int) -> None:
        """Shape what one host sends to one other."""
        name, device = self.names[sender], ("dev", "eth0")
        tc(name, "qdisc", "replace", *device, "root", "handle", "1:", "htb", "default", "1")
        for minor, rate in (("1", self.mbit_per_s), ("2", mbit_per_s)):
            words = ("parent", "1:", "classid", f"1:{minor}", "htb", "rate", f"{rate}mbit")
            tc(name, "class", "add", *device, *words, "burst", BURST)
            limit = ("tbf", "rate", f"{rate}mbit", "burst", BURST, "latency", LATENCY)
            tc(name, "qdisc", "add", *device, "parent", f"1:{minor}", *limit)
        match = ("u32", "match", "ip", "dst", f"{self.address(receiver)}/32", "flowid", "1:2")
        tc(name, "filter", "add", *device, "parent", "1:", "protocol", "ip", *match)

    def lossy(self, sender: int, receiver: int, per_mille: int) -> None:
        """Drop some of what one host gets from another."""
        rules = LOSS.format(address=self.address(sender), per_mille=per_mille)
        words = ["ip", "netns", "exec", self.names[receiver], "nft", "-f", "-"]
        process.run(words, timeout_seconds=20, input_text=rules)

    def cut(self, at: int) -> None:
        """Pull a host's cable."""
        ip("-n", self.switch, "link", "set", f"p{at}", "down")

    def mtu(self, at: int, size_bytes: int) -> None:
        """Make a host's packets smaller."""
        ip("-n", self.names[at], "link", "set", "eth0", "mtu", str(size_bytes))

    def sockets(self) -> dict[str, str]:
        """Return what listens or is connected over TCP, by host; hosts without are absent."""
        found = {}
        for name in self.names:
            shown = inside(name, "ss", "-Htn", "state", "listening", "state", "established")
            if shown.strip():
                found[name] = shown
        return found


@contextmanager
def shaped_hosts(count: int, mbit_per_s: int = 200) -> Iterator[ShapedHosts]:
    """Hosts that exist while the block runs."""
    made = ShapedHosts(count, mbit_per_s)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def tbf(where: str, device: str, mbit_per_s: int) -> None:
    rate = ("rate", f"{mbit_per_s}mbit", "burst", BURST, "latency", LATENCY)
    tc(where, "qdisc", "replace", "dev", device, "root", "tbf", *rate)


def tc(where: str, *words: str) -> None:
    inside(where, "tc", *words)


def ip(*words: str) -> None:
    process.run(["ip", *words], timeout_seconds=20)


def inside(where: str, *words: str) -> str:
    return process.run(["ip", "netns", "exec", where, *words], timeout_seconds=20).stdout
