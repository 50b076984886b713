"""Hosts of a simulated fabric that one logs into: real sshd, real infiniband-diags, real opensm.

Each host is a name in a network namespace; its fabric is another network, where the simulator
answers. What a host has and the simulator makes for its own client alone, a tree of sysfs, every
login gets at `SYSFS`. Nothing of this is known to who logs in: the tools are found in PATH.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.ibsim import PRELOAD, SHARED, Subnet, simulated
from tests.support.simulated_fabric import Simulated
from tests.support.ssh_fleet import SshFleet, daemons

SUNK = str(Path(sys.executable).parent / "sunk")
SYSFS = "sys"
"""Below where a login lands."""
AT_ONCE = 4
"""The simulator takes ten clients, managers among them."""
SSHD = 4
# A tool leaves a folder named after its process in the current one, and its messages begin with
# the words that it was called by. Where it listens, the simulator sees that a client has died.
_ON_FABRIC = f"nsenter --net=/proc/1/ns/net env PATH=/usr/sbin:/usr/bin LD_PRELOAD={PRELOAD}"
_TOOL = f"""\
#!/bin/sh
cd "$(mktemp -d)" && exec {_ON_FABRIC} {{name}} "$@"
"""
# $ADAPTERS has a word mlx5_0=H-a088c20300000010 for every adapter; who asks the fabric does it
# from the first, which $SIM_HOST names.
_EACH_ADAPTER = f"""\
#!/bin/sh
cd "$(mktemp -d)" || exit 1
for one in $ADAPTERS; do
  SIM_HOST=${{one#*=}} {_ON_FABRIC} ibstat "$@" | sed "s/ibsim0/${{one%%=*}}/"
done
"""
# A client makes the tree when it first looks there, and removes it when it ends. It knows
# of no link layer and no description, and has figures of its own for the rate.
_SYSFS = f"""
cd "$(mktemp -d)"
for one in $ADAPTERS; do
  at=sys/class/infiniband/${{one%%=*}}
  mkdir -p sys/class/infiniband
  SIM_HOST=${{one#*=}} {_ON_FABRIC} perl -e '
    opendir(my $found, "/sys/class/infiniband") or die "look for adapters: $!";
    system("unset LD_PRELOAD; cp -r sys-$$/sys/class/infiniband/ibsim0 $ARGV[0]");
  ' "$at"
  echo "$name ${{one%%=*}}" > "$at/node_desc"
  echo InfiniBand > "$at/ports/1/link_layer"
  sed -i "s/^[0-9.]* /400 /" "$at/ports/1/rate"
done
"""
_ASK_FABRIC = ("sminfo", "ibnetdiscover", "iblinkinfo", "ibqueryerrors", "saquery")


@dataclass
class FabricSite:
    """The site.

    Attributes:
        fleet: its hosts.
        subnet: their fabric, without a manager yet.
        hosts: that one can log into, sorted.
        options: of ``sunk fabric collect``: where keys and names are.
    """

    fleet: SshFleet
    subnet: Subnet
    hosts: tuple[str, ...]
    options: list[str]

    def collect(self, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """Collect from every host over SSH."""
        command = [
            *(SUNK, "fabric", "collect", str(folder), *self.hosts, *self.options),
            *("--sysfs-root", SYSFS, "--at-once", str(AT_ONCE), *words),
        ]
        return subprocess.run(
            self.fleet.inside(*command), capture_output=True, text=True, timeout=600, check=False
        )


@contextmanager
def fabric_site(
    slurm_rootfs: Path, fabric_rootfs: Path, folder: Path, made: Simulated, hosts: tuple[str, ...]
) -> Iterator[FabricSite]:
    """Bring a fabric up with some of its hosts to log into."""
    first = {host: _adapters(made, host) + _SYSFS for host in hosts}
    tools = {name: _TOOL.format(name=name) for name in _ASK_FABRIC} | {"ibstat": _EACH_ADAPTER}
    own = folder / "fleet"
    own.mkdir()
    with SshFleet(
        slurm_rootfs, own, daemons(SSHD, hosts), tools, first, below=fabric_rootfs
    ) as fleet:
        shared = Path(f"/proc/{fleet.init}/root{SHARED}")
        shared.mkdir()
        with simulated(Subnet(made, shared, fleet.init)) as subnet:
            options = fleet.write_user_files(folder / "user")
            yield FabricSite(fleet, subnet, hosts, options)


def _adapters(made: Simulated, host: str) -> str:
    """Return lines for sh that say which adapters of the simulation a host has."""
    names = sorted(one for one in made.guids if one.startswith(f"{host} "))
    words = " ".join(f"{one.partition(' ')[2]}={made.node_id(one)}" for one in names)
    return f"export ADAPTERS='{words}' SIM_HOST={made.node_id(names[0])}\n"
