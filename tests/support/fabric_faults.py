"""Faults done to a running simulated fabric, and what each has to be found as."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from sunk_fabric.parse import ibnetdiscover
from sunk_fabric.parse.link_list import IntendedLink
from sunk_fabric.topology.fabric import build
from sunk_fabric.topology.intended import intended_of
from tests.support.eventually import eventually
from tests.support.ibsim import Subnet
from tests.support.simulated_fabric import Place, Simulated, eight_rail, three_level, two_level

Red = tuple[str, str]
"""Check and subject of a FAIL."""


@dataclass(frozen=True)
class Scene:
    """A fabric with the places that faults are done to: two leaves, two switches above them."""

    make: Callable[[], Simulated]
    leaf: str
    other_leaf: str
    spine: str
    other_spine: str


SCENES = {
    "two": Scene(lambda: two_level(8, 2, 8), "leaf1", "leaf2", "spine0", "spine1"),
    "rail": Scene(lambda: eight_rail(2, 32, 16), "su1-leaf3", "su1-leaf4", "spine0", "spine1"),
    "three": Scene(three_level, "su1-leaf3", "su1-leaf4", "su1-spine0", "su1-spine1"),
}


@cache
def made_of(scene: str) -> Simulated:
    return SCENES[scene].make()


@cache
def plan_of(scene: str) -> tuple[IntendedLink, ...]:
    return intended_of(build(ibnetdiscover.parse(made_of(scene).text()).value))


def first_host(made: Simulated) -> str:
    return min(one for one in made.guids if made.is_host(one))


def asking(made: Simulated) -> str:
    """Return the adapter that asks: another than the manager's, at no switch that a fault is at."""
    return sorted(one for one in made.guids if made.is_host(one))[4]


def host_ports(made: Simulated, leaf: str) -> list[Place]:
    return [
        one for one in sorted(made.peers) if one.node == leaf and made.is_host(made.peers[one].node)
    ]


def unlink(made: Simulated, place: Place) -> str:
    return f'Unlink "{made.node_id(place.node)}"[{place.port}]'


def link(made: Simulated, one: Place, other: Place) -> str:
    ends = (f'"{made.node_id(end.node)}"[{end.port}]' for end in (one, other))
    return f"Link {' '.join(ends)}"


def swap(subnet: Subnet, one: Place, other: Place) -> None:
    """Swap the far ends of two cables, and wait until the manager has made both active again.

    One sweep more does not show that: it may have begun when the first cable was out.
    """
    made = subnet.made
    far, further = made.peers[one], made.peers[other]
    before = active(subnet)

    def inject() -> None:
        subnet.console(unlink(made, one), unlink(made, other))
        subnet.console(link(made, one, further), link(made, other, far))

    swept(subnet, inject)
    eventually(lambda: active(subnet) == before, 20, what="both cables to be active")


def active(subnet: Subnet) -> int:
    """Return how many ends of links are active."""
    return subnet.run("iblinkinfo", host=asking(subnet.made)).stdout.count(b"Active")


def swept(subnet: Subnet, inject: Callable[[], None]) -> None:
    """Inject what the manager notices by itself, and wait until it has routed anew."""
    before = subnet.managers["sm"].sweeps()
    inject()
    subnet.swept("sm", before)


def pull_cable(subnet: Subnet, scene: Scene) -> None:
    place = host_ports(subnet.made, scene.leaf)[2]
    swept(subnet, lambda: subnet.console(unlink(subnet.made, place)))


def pull_uplink(subnet: Subnet, scene: Scene) -> None:
    place = subnet.made.cables(scene.leaf, scene.spine)[0]
    swept(subnet, lambda: subnet.console(unlink(subnet.made, place)))


def swap_hosts(subnet: Subnet, scene: Scene) -> None:
    one, other = (host_ports(subnet.made, leaf)[2] for leaf in (scene.leaf, scene.other_leaf))
    swap(subnet, one, other)


def swap_uplinks(subnet: Subnet, scene: Scene) -> None:
    one = subnet.made.cables(scene.leaf, scene.spine)[0]
    other = subnet.made.cables(scene.other_leaf, scene.other_spine)[0]
    swap(subnet, one, other)


def kill_spine(subnet: Subnet, scene: Scene) -> None:
    name = subnet.made.node_id(scene.spine)
    swept(subnet, lambda: subnet.console(f'Clear "{name}"'))


def kill_leaf(subnet: Subnet, scene: Scene) -> None:
    name = subnet.made.node_id(scene.leaf)
    swept(subnet, lambda: subnet.console(f'Clear "{name}"'))


def narrow(subnet: Subnet, scene: Scene) -> None:
    degrade(subnet, "width", "1")


def slow_down(subnet: Subnet, scene: Scene) -> None:
    degrade(subnet, "espeed", "2")


def degrade(subnet: Subnet, what: str, value: str) -> None:
    """Train the first uplink of the first host's leaf down, as a bad cable would."""
    first = first_host(subnet.made)
    leaf = subnet.made.peers[Place(first, 1)]
    up = len(host_ports(subnet.made, leaf.node)) + 1
    done = subnet.run("ibportstate", "-D", f"0,{leaf.port}", str(up), what, value, host=first)
    assert done.returncode == 0, done


def count_errors(subnet: Subnet, scene: Scene) -> None:
    place = subnet.made.cables(scene.leaf, scene.spine)[0]
    port = f'PerformanceSet "{subnet.made.node_id(place.node)}"[{place.port}]'
    subnet.console(
        f"{port} PortCounters.SymbolErrorCounter=12", f"{port} PortCounters.LinkDownedCounter=2"
    )


def reset_errors(subnet: Subnet, scene: Scene) -> None:
    """Undo `count_errors`."""
    place = subnet.made.cables(scene.leaf, scene.spine)[0]
    port = f'PerformanceSet "{subnet.made.node_id(place.node)}"[{place.port}]'
    subnet.console(
        f"{port} PortCounters.SymbolErrorCounter=0", f"{port} PortCounters.LinkDownedCounter=0"
    )


def repair_cable(subnet: Subnet, scene: Scene) -> None:
    """Undo `pull_cable`."""
    place = host_ports(subnet.made, scene.leaf)[2]
    far = subnet.made.node_id(subnet.made.peers[place].node)
    swept(subnet, lambda: subnet.console(f'ReLink "{far}"[1]'))


def lose_manager(subnet: Subnet, scene: Scene) -> None:
    subnet.end("sm")


def other_engine(subnet: Subnet, scene: Scene) -> None:
    """Let a manager at another host rule, with an engine of its own.

    At the same port, the simulator would notice the end of the first when the second is there, and
    take the mark of a manager away from both.
    """
    subnet.end("sm")
    made = subnet.made
    apart = {first_host(made), asking(made)}
    other = next(one for one in sorted(made.guids) if made.is_host(one) and one not in apart)
    subnet.manage("sm", other, "-R", "minhop")


def clone_guid(subnet: Subnet, scene: Scene) -> None:
    """Put a card into a host that has the GUID of another's."""
    place = host_ports(subnet.made, scene.leaf)[2]
    name = subnet.made.node_id(subnet.made.peers[place].node)
    other = subnet.made.guids[subnet.made.peers[host_ports(subnet.made, scene.other_leaf)[2]].node]
    subnet.console(f'Guid "{name}" 0x{other:x}', f'Guid "{name}"[1] 0x{other + 1:x}')
    subnet.console(unlink(subnet.made, place), f'ReLink "{name}"[1]')
    manager = subnet.managers["sm"]
    eventually(lambda: "ERR 0D01" in manager.log, 10, what="the manager to meet the GUID twice")


UNIFORM, DEGRADED = "ib.topology.uniform", "ib.link.degraded"
FAULTS: dict[Callable[[Subnet, Scene], None], dict[str, tuple[Red | None, Red | None]]] = {
    # scene -> the only FAIL without a plan, and with one
    pull_cable: {
        "two": (None, ("ib.nodes.complete", "node/node0010")),
        "rail": (("ib.topology.rails", "node/gpu0034/mlx5_3"),) * 2,
        "three": (("ib.topology.rails", "node/gpu0018/mlx5_3"),) * 2,
    },
    pull_uplink: {
        "two": ((UNIFORM, "switch/leaf1"),) * 2,
        "rail": ((UNIFORM, "switch/su1-leaf3"),) * 2,
        "three": ((UNIFORM, "switch/su1-leaf3"),) * 2,
    },
    swap_hosts: {
        "two": (None, None),  # two hosts that exchanged their names: a WARN
        "rail": (("ib.topology.rails", "node/gpu0034/mlx5_3"),) * 2,
        "three": (("ib.topology.rails", "node/gpu0018/mlx5_3"),) * 2,
    },
    swap_uplinks: {
        "two": ((UNIFORM, "switch/leaf1"),) * 2,
        "rail": ((UNIFORM, "switch/su1-leaf3"),) * 2,
        "three": ((UNIFORM, "switch/su1-leaf3"),) * 2,
    },
    kill_spine: {
        "two": (("ib.topology.nonblocking", "fabric"), ("ib.switches.complete", "switch/spine0")),
        "rail": (("ib.topology.nonblocking", "fabric"), ("ib.switches.complete", "switch/spine0")),
        "three": (
            ("ib.topology.nonblocking", "fabric"),
            ("ib.switches.complete", "switch/su1-spine0"),
        ),
    },
    kill_leaf: {
        "two": (None, ("ib.switches.complete", "switch/leaf1")),
        "rail": (("ib.topology.rails", "fabric"), ("ib.switches.complete", "switch/su1-leaf3")),
        "three": (("ib.topology.rails", "fabric"), ("ib.switches.complete", "switch/su1-leaf3")),
    },
    narrow: {
        "two": ((DEGRADED, "switch/leaf0"),) * 2,
        "rail": ((DEGRADED, "switch/su0-leaf0"),) * 2,
        "three": ((DEGRADED, "switch/su0-leaf0"),) * 2,
    },
    slow_down: {
        "two": ((DEGRADED, "switch/leaf0"),) * 2,
        "rail": ((DEGRADED, "switch/su0-leaf0"),) * 2,
        "three": ((DEGRADED, "switch/su0-leaf0"),) * 2,
    },
    count_errors: {
        "two": (("ib.counters.fabric", "switch/leaf1/9"),) * 2,
        "rail": (("ib.counters.fabric", "switch/su1-leaf3/33"),) * 2,
        "three": (("ib.counters.fabric", "switch/su1-leaf3/17"),) * 2,
    },
    lose_manager: dict.fromkeys(SCENES, (("ib.sm.master", "fabric"),) * 2),
    other_engine: dict.fromkeys(SCENES, (("ib.sm.routing", "fabric"),) * 2),
    clone_guid: {
        "two": (("ib.guid.unique", "guid/a088c203000001d0"),) * 2,
        "rail": (("ib.guid.unique", "guid/a088c20300001250"),) * 2,
        "three": (("ib.guid.unique", "guid/a088c20300000ed0"),) * 2,
    },
}
