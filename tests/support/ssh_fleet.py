"""Many hosts on one machine: real sshd in network namespaces, with names that lead to them.

One process is the root of all: in its namespaces are a bridge, the root file system of the slurm
image below an overlay, and a network namespace for each sshd. Killing it is the end of all of them;
nothing has a name outside. Each sshd answers at many addresses and calls itself after the address
that it was asked at, so that few of them are a large site.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sunk.errors import EnvironmentFault
from tests.support.eventually import eventually
from tests.support.ssh_user import in_network, private, public, write_secret, write_user

PORT = 22
OTHER_PORT = 2222
NETWORK_6 = "fd77:"
"""Begins addresses of IPv6: ``fd77::1``."""
_READY = "/run/fleet/ready"

SSHD_CONFIG = """\
Port 22
Port 2222
PidFile none
UsePAM no
UseDNS no
StrictModes no
PermitRootLogin yes
AuthorizedKeysFile /etc/fleet/authorized_keys
MaxStartups 1000:30:2000
PerSourcePenalties no
ForceCommand /etc/fleet/enter
"""
# An address has a file with the name that the host there goes by; a name may have lines to run
# first.
ENTER = """\
#!/bin/sh
set -- $SSH_CONNECTION
read name < "/etc/fleet/names/$3"
[ -e "/etc/fleet/first/$name" ] && . "/etc/fleet/first/$name"
exec unshare -u sh -c 'hostname "$1"; eval "$SSH_ORIGINAL_COMMAND"' sh "$name"
"""
# $1 root file systems, $2 mount point, $3 folder with what the hosts need.
_INIT = """
set -eu
lower=$1 top=$2 own=$3
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$top"
mkdir "$top/upper" "$top/work" "$top/root"
root=$top/root
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$top/upper,workdir=$top/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mkdir -p "$root/etc/fleet" "$root/run/sshd" "$root/run/fleet"
cp -r "$own/." "$root/etc/fleet/"
ip link set lo up
exec chroot "$root" /usr/bin/tini -s -- sh /etc/fleet/start
"""


@dataclass
class Daemon:
    """One sshd.

    Attributes:
        number: from 0; its network namespace is called after it.
        names: of the hosts that it is, by their addresses, of IPv4 or of IPv6 in `NETWORK_6`.
        runs: what listens at port 22: ``sshd``, ``http``, ``nothing``.
    """

    number: int
    names: dict[str, str]
    runs: str = "sshd"
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def namespace(self) -> str:
        return f"h{self.number}"

    @property
    def host_key(self) -> str:
        return public(self.key)

    def lines(self) -> Iterator[str]:
        """Lines for sh that bring it up."""
        space, port = self.namespace, f"v{self.number}"
        yield f"ip netns add {space}"
        yield f"ip link add {port} type veth peer name eth0 netns {space}"
        yield f"ip link set {port} master br0 up"
        adds = "\\n".join(f"addr add {one}{_length(one)} dev eth0" for one in self.names)
        yield f"printf '{adds}\\nlink set lo up\\nlink set eth0 up\\n' | ip -n {space} -batch -"
        enter = f"ip netns exec {space}"
        if self.runs == "sshd":
            key = f"/etc/fleet/keys/{space}"
            config = "/etc/fleet/sshd_config"
            yield f"{enter} /usr/sbin/sshd -D -e -f {config} -h {key} 2>/run/fleet/{space}.log &"
        elif self.runs == "http":
            yield f"{enter} python3 -m http.server {PORT} >/run/fleet/{space}.log 2>&1 &"


class SshFleet:
    """The hosts; a context manager.

    Args:
        rootfs: root file system of the slurm image; never written to.
        folder: empty folder for files and the mount point.
        daemons: what to bring up.
        tools: name -> script, put before all other programs of the hosts.
        first: name of a host -> lines for sh that run before anything else there.
        below: another root file system of the same release, seen where the first has nothing.
    """

    def __init__(
        self,
        rootfs: Path,
        folder: Path,
        daemons: Sequence[Daemon],
        tools: dict[str, str] | None = None,
        first: dict[str, str] | None = None,
        *,
        below: Path | None = None,
    ) -> None:
        self.layers = tuple(one for one in (rootfs, below) if one is not None)
        self.folder = folder
        self.daemons = tuple(daemons)
        self.tools, self.first = tools or {}, first or {}
        self.user_key = Ed25519PrivateKey.generate()
        self._child: subprocess.Popen[bytes] | None = None
        self.init = 0

    def __enter__(self) -> SshFleet:
        self._write()
        point = self.folder / "point"
        point.mkdir()
        own = self.folder / "own"
        with (self.folder / "init.log").open("wb") as log:
            self._child = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "KILL", "unshare", "-m", "-p", "-f", "-u", "-i"),
                    *("-n", "--kill-child", "sh", "-c", _INIT, "sh"),
                    *(":".join(map(str, self.layers)), str(point), str(own)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            eventually(self._is_ready, 60, what="the hosts")
            for one in self.daemons:
                if one.runs == "sshd":
                    eventually(lambda o=one: self._listens(o), 30, what=f"sshd of {one.namespace}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_unused: object) -> None:
        if self._child is not None:
            with suppress(ProcessLookupError):
                os.kill(self._child.pid, signal.SIGKILL)
            self._child.wait()

    def write_user_files(self, folder: Path) -> list[str]:
        """Write what a user of the hosts has: key, known_hosts, configuration; return options."""
        known = [(name, one.key) for one in self.daemons for name in one.names.values()]
        write_user(folder, self.user_key, known)
        return [
            *("--ssh-config", str(folder / "config")),
            *("--known-hosts", str(folder / "known_hosts")),
        ]

    def inside(self, *words: str) -> list[str]:
        """Return a command line that runs in the network of the hosts, where their names are known.

        All else is this machine's.
        """
        return in_network(self.init, self.folder / "own" / "hosts", words)

    def on_root(self, *words: str) -> str:
        """Run a program inside, where the bridge is, and return its output."""
        enter = ["nsenter", "-t", str(self.init), "-a", "-r", "-w", "--"]
        return subprocess.run(
            [*enter, *words], check=True, capture_output=True, text=True, timeout=60
        ).stdout

    def cut(self, daemon: Daemon) -> None:
        """Pull the cable."""
        self.on_root("ip", "link", "set", f"v{daemon.number}", "down")

    def swallow(self, daemon: Daemon) -> None:
        """Let no answer out: what is sent there seems to vanish."""
        self.on_root("ip", "-n", daemon.namespace, "route", "add", "blackhole", "10.77.0.1/32")

    def freeze(self, daemon: Daemon) -> None:
        """Stop the daemon: the kernel still takes connections."""
        pids = self.on_root("ip", "netns", "pids", daemon.namespace).split()
        self.on_root("kill", "-STOP", *pids)

    @contextmanager
    def counted(self) -> Iterator[Peak]:
        """Count connections from the network of the hosts to port 22 while the block runs.

        The kernel's table is read row by row while it changes. A connection that stands in two
        tables read one after the other was there all the time between, so those are counted.
        """
        peak = Peak()
        end = threading.Event()

        def count() -> None:
            before: set[str] = set()
            while not end.is_set():
                now = self._connections()
                peak.value = max(peak.value, len(before & now))
                before = now
                time.sleep(0.005)

        thread = threading.Thread(target=count, daemon=True)
        thread.start()
        try:
            yield peak
        finally:
            end.set()
            thread.join()

    def _connections(self) -> set[str]:
        """Return the sockets, by inode."""
        rows = Path(f"/proc/{self.init}/net/tcp").read_text().splitlines()[1:]
        words = (row.split() for row in rows)
        # 01 is established, 02 has sent its SYN; inode 0 belongs to no process any more.
        return {
            one[9]
            for one in words
            if one[2].endswith(f":{PORT:04X}") and one[3] in {"01", "02"} and one[9] != "0"
        }

    def _is_ready(self) -> bool:
        assert self._child is not None
        if self._child.poll() is not None:
            log = (self.folder / "init.log").read_text()
            raise EnvironmentFault(f"make hosts in namespaces: {log[-2000:]}")
        children = Path(f"/proc/{self._child.pid}/task/{self._child.pid}/children").read_text()
        self.init = int(children.split()[0])
        return Path(f"/proc/{self.init}/root{_READY}").exists()

    def _listens(self, daemon: Daemon) -> bool:
        log = Path(f"/proc/{self.init}/root/run/fleet/{daemon.namespace}.log")
        return "Server listening on 0.0.0.0" in log.read_text()

    def _write(self) -> None:
        own = self.folder / "own"
        for name in ("keys", "names", "first", "bin"):
            (own / name).mkdir(parents=True)
        (own / "sshd_config").write_text(SSHD_CONFIG)
        (own / "authorized_keys").write_text(public(self.user_key) + "\n")
        _program(own / "enter", ENTER)
        lines = [
            "set -eu",
            "cp /etc/fleet/bin/* /usr/local/bin/ 2>/dev/null || true",
            "cp /etc/fleet/hosts /etc/hosts",
            "ip link add br0 type bridge",
            "ip addr add 10.77.0.1/16 dev br0",
            f"ip addr add {NETWORK_6}:ffff{_length(NETWORK_6)} dev br0",
            "ip link set br0 up",
        ]
        names = [f"{a} {n}\n" for one in self.daemons for a, n in one.names.items()]
        (own / "hosts").write_text("".join(["127.0.0.1 localhost\n", *names]))
        for daemon in self.daemons:
            write_secret(own / "keys" / daemon.namespace, private(daemon.key))
            for address, name in daemon.names.items():
                (own / "names" / address).write_text(f"{name}\n")
            lines += daemon.lines()
        for name, text in self.tools.items():
            _program(own / "bin" / name, text)
        for name, text in self.first.items():
            (own / "first" / name).write_text(text)
        lines += [f"touch {_READY}", "exec sleep infinity", ""]
        (own / "start").write_text("\n".join(lines))


@dataclass
class Peak:
    """The most that was counted at once."""

    value: int = 0


def daemons(count: int, names: Sequence[str], start: int = 0, runs: str = "sshd") -> list[Daemon]:
    """Return daemons that share names evenly, each with addresses of its own."""
    made = []
    for number in range(count):
        own = names[number::count]
        space = start + number
        addresses = [f"10.77.{1 + space}.{1 + each}" for each in range(len(own))]
        made.append(Daemon(space, dict(zip(addresses, own, strict=True)), runs))
    return made


def _length(address: str) -> str:
    # An address that is still looked for twice could not be used at once.
    return "/64 nodad" if ":" in address else "/16"


def _program(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o755)
