"""A running InfiniBand subnet without hardware: ibsim, real opensm, real infiniband-diags.

All of it runs in the fabric tools' root file system, in namespaces of its own: killing those ends
whatever is left, and nothing of the machine's is seen or changed.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.eventually import eventually
from tests.support.rootfs import PATH, Rootfs
from tests.support.simulated_fabric import Simulated

SHARED = "/fabric"
"""Where the test's folder is inside."""
PRELOAD = "/usr/lib/x86_64-linux-gnu/umad2sim/libumad2sim.so"
SWEEP_SECONDS = 20
"""What opensm takes at worst for the largest fabric of the tests, when the machine is idle."""


@dataclass
class SubnetManager:
    """One opensm that runs.

    Attributes:
        process: nsenter, whose child it is.
        folder: its log and dumps, seen from outside.
    """

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def log(self) -> str:
        file = self.folder / "opensm.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def sweeps(self) -> int:
        """Return how often the subnet came up; other words for a sweep that changed nothing."""
        return len(re.findall(r"SUBNET UP|Entering STANDBY", self.log))


@dataclass
class Subnet:
    """A simulated subnet; use `running` to make one, or `simulated` where namespaces are there.

    Attributes:
        made: what was cabled at the start.
        folder: for files, empty; seen inside as `SHARED`.
        init: a process in the namespaces, and in the root, that everything runs in.
        managers: by name, those that run.
    """

    made: Simulated
    folder: Path
    init: int
    managers: dict[str, SubnetManager] = field(default_factory=dict)
    _sim: subprocess.Popen[bytes] | None = None

    def start(self, net: bytes) -> None:
        """Start the simulator; return once it answers."""
        (self.folder / "net").write_bytes(net)
        nodes, ports = len(self.made.guids), sum(self.made.switches.values())
        sizes = ("-N", str(nodes + 8), "-S", str(len(self.made.switches) + 8))
        space = ("-P", str(ports + 2 * nodes + 64))
        self._sim = self._popen(
            ("ibsim", "-s", *sizes, *space, f"{SHARED}/net"), "sim", stdin=subprocess.PIPE
        )
        eventually(lambda: "simulator ready" in self.said(), 10, what="the simulator")

    def said(self) -> str:
        """Return what the simulator wrote."""
        return (self.folder / "sim.log").read_text(errors="replace")

    def console(self, *lines: str) -> None:
        """Give the simulator commands, and wait until it has taken them."""
        assert self._sim is not None
        assert self._sim.stdin is not None
        for line in lines:
            before = len(self.said())
            self._sim.stdin.write(f"{line}\n".encode())
            self._sim.stdin.flush()
            eventually(lambda: "sim> " in self.said()[before:], 5, what=line)  # noqa: B023

    def manage(self, name: str, host: str, *options: str) -> SubnetManager:
        """Start opensm at a host; return once its first sweep is over."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        (folder / "opensm.log").unlink(missing_ok=True)  # an earlier one's would say that it is up
        inside = f"{SHARED}/{name}"
        words = ("opensm", "-d", "2", "-e", "-f", f"{inside}/opensm.log", *options)
        variables = {"OSM_TMP_DIR": inside, "OSM_CACHE_DIR": inside}
        process = self._popen(words, f"{name}-output", host=host, variables=variables)
        manager = SubnetManager(process, folder)
        self.managers[name] = manager
        eventually(lambda: manager.sweeps() > 0, SWEEP_SECONDS, what=f"opensm {name}")
        return manager

    def swept(self, name: str, before: int) -> None:
        """Wait until a manager has swept once more than `before` times."""
        manager = self.managers[name]
        eventually(lambda: manager.sweeps() > before, SWEEP_SECONDS, what=f"a sweep of {name}")

    def end(self, name: str) -> None:
        """Kill a manager, as if its host had lost power."""
        manager = self.managers.pop(name)
        _kill(manager.process)

    def run(
        self, *words: str, host: str, timeout_seconds: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a tool at a host to its end, whatever its exit code is."""
        return subprocess.run(
            self._argv(words, host, {}),
            capture_output=True,
            timeout=timeout_seconds,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        """End managers before the simulator, which they would wait for."""
        for name in tuple(self.managers):
            self.end(name)
        if self._sim is not None:
            assert self._sim.stdin is not None
            self._sim.stdin.close()
            _kill(self._sim)

    def _popen(
        self,
        words: tuple[str, ...],
        log: str,
        *,
        host: str = "",
        variables: dict[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        with (self.folder / f"{log}.log").open("ab") as sink:
            return subprocess.Popen(
                self._argv(words, host, variables or {}), stdin=stdin, stdout=sink, stderr=sink
            )

    def _argv(self, words: tuple[str, ...], host: str, variables: dict[str, str]) -> list[str]:
        # Tools leave a folder named after their process in the current one.
        enter = ["nsenter", "-t", str(self.init), "-m", "-p", "-u", "-i", "-n", "-r", "-w"]
        if host:
            variables = {**variables, "LD_PRELOAD": PRELOAD, "SIM_HOST": self.made.node_id(host)}
        values = [f"{name}={value}" for name, value in sorted(variables.items())]
        return [*enter, "env", "-i", "-C", "/tmp", f"PATH={PATH}", "HOME=/tmp", *values, *words]


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _kill(entered: subprocess.Popen[bytes]) -> None:
    """Kill what nsenter runs, and wait for both."""
    for pid in _children(entered.pid):
        os.kill(pid, signal.SIGKILL)
    entered.wait(10)


def _find_init(outer: int) -> int:
    """Return the first process inside, once it is the one that stays."""
    for pid in _children(outer):
        if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"/usr/bin/tini\0"):
            return pid
    return 0


@contextmanager
def running(rootfs: Path, folder: Path, made: Simulated, first: str = "") -> Iterator[Subnet]:
    """Run a simulated subnet without a manager, in namespaces of its own."""
    point = folder / "point"
    point.mkdir()
    place = Rootfs(folder=rootfs, point=point, binds={folder: SHARED})
    outer = place.start("sleep", "infinity", log=folder / "init.log")
    try:
        init = eventually(lambda: _find_init(outer.pid), 5, what="the namespaces")
        with simulated(Subnet(made, folder, init), first) as subnet:
            yield subnet
    finally:
        outer.kill()
        outer.wait(10)


@contextmanager
def simulated(subnet: Subnet, first: str = "") -> Iterator[Subnet]:
    """Run a subnet, without a manager, in namespaces that are there."""
    try:
        subnet.start(subnet.made.net(first))
        yield subnet
    finally:
        subnet.stop()
