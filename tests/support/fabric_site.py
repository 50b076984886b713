"""Hosts of a simulated fabric that one logs into: real sshd, real infiniband-diags, real opensm.

Each host is a name in a network namespace, and reaches the simulator over that network. What a
host has and the simulator makes for its own client alone, a tree of sysfs, every login gets at
`SYSFS`. Nothing of this is known to who logs in: the tools are found in PATH, as anywhere.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.ibsim import PRELOAD, SERVER_PORT, SHARED, Subnet, simulated
from tests.support.simulated_fabric import Simulated
from tests.support.ssh_fleet import SshFleet, daemons

SUNK = str(Path(sys.executable).parent / "sunk")
SYSFS = "sys"
"""Below where a login lands."""
AT_ONCE = 4
"""The simulator takes ten clients, managers among them."""
SSHD = 4
_REACH = {"IBSIM_SERVER_NAME": "10.77.0.1", SERVER_PORT: "7070"}
# Tools leave a folder named after their process in the current one. $ADAPTERS has a word
# mlx5_0=H-a088c20300000010 for every adapter; who asks the fabric does it from the first.
_TOOL = f"""\
#!/bin/sh
cd "$(mktemp -d)" && LD_PRELOAD={PRELOAD} exec /usr/sbin/{{name}} "$@"
"""
_EACH_ADAPTER = f"""\
#!/bin/sh
cd "$(mktemp -d)" || exit 1
for one in $ADAPTERS; do
  SIM_HOST=${{one#*=}} LD_PRELOAD={PRELOAD} /usr/sbin/ibstat "$@" | sed "s/ibsim0/${{one%%=*}}/"
done
"""
# A client makes the tree when it first looks there, and removes it when it ends. It knows
# of no link layer and no description, and has figures of its own for the rate.
_SYSFS = f"""
cd "$(mktemp -d)"
for one in $ADAPTERS; do
  at=sys/class/infiniband/${{one%%=*}}
  mkdir -p sys/class/infiniband
  SIM_HOST=${{one#*=}} LD_PRELOAD={PRELOAD} perl -e '
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
    variables = "".join(f"export {name}={value}\n" for name, value in _REACH.items())
    first = {host: variables + _adapters(made, host) + _SYSFS for host in hosts}
    tools = {name: _TOOL.format(name=name) for name in _ASK_FABRIC} | {"ibstat": _EACH_ADAPTER}
    own = folder / "fleet"
    own.mkdir()
    with SshFleet(
        slurm_rootfs, own, daemons(SSHD, hosts), tools, first, below=fabric_rootfs
    ) as fleet:
        shared = Path(f"/proc/{fleet.init}/root{SHARED}")
        shared.mkdir()
        with simulated(Subnet(made, shared, fleet.init, _REACH)) as subnet:
            options = fleet.write_user_files(folder / "user")
            yield FabricSite(fleet, subnet, hosts, options)


def _adapters(made: Simulated, host: str) -> str:
    """Return lines for sh that say which adapters of the simulation a host has."""
    names = sorted(one for one in made.guids if one.startswith(f"{host} "))
    words = " ".join(f"{one.partition(' ')[2]}={made.node_id(one)}" for one in names)
    return f"export ADAPTERS='{words}' SIM_HOST={made.node_id(names[0])}\n"
