"""A real Slurm of the tests: every daemon in namespaces of its own on an overlay of a rootfs.

MariaDB, slurmdbd, slurmctld, slurmrestd and some dynamic slurmd share one mount, PID, IPC, UTS
and network namespace. All that they write lies on a tmpfs inside it, so everything is gone when
its first process is. That happens on `stop`, and also when the test process is killed: the kernel
then kills `unshare` (parent-death signal), which takes the PID namespace with it. Leftovers of an
earlier run can therefore not disturb a new one.

Files inside are reached through ``/proc/PID/root``; so is slurmrestd's unix socket. Nothing
listens in the machine's own network namespace.
"""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sunk.clients import process
from sunk.clients.kube.protocol import Executed
from sunk.clients.slurm.runners import ProcessRunner, Runner
from sunk.errors import EnvironmentFault
from sunk.wellknown import SLURM_UID
from tests.support.eventually import eventually
from tests.support.slurm_texts import (
    ADDRESS,
    ALONE,
    CLUSTER,
    DATABASE,
    DATABASE_SQL,
    HOST,
    INIT,
    MAX_NODES,
    PATH,
    READY,
    SLURM_CONF,
    SLURMDBD_CONF,
    SOCKET,
)

START_SECONDS = 90.0
"""Deadline of every step of the start; each takes about a second on an idle machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A login inside the namespace."""

    name: str
    uid: int


ALICE = Person(name="alice", uid=2001)
"""Gets an association from the fixtures that need one."""
STRANGER = Person(name="stranger", uid=2002)
"""Has a login and never an association."""
REST_USER = Person(name="slurmrest", uid=64031)
"""The image's user for slurmrestd, which refuses to run as root and as SlurmUser."""


class SlurmNamespace:
    """The daemons; `start` and `stop` them, run clients inside, stop single ones.

    Args:
        rootfs: folder of a root file system with Slurm and MariaDB; never written to.
        folder: empty folder for logs and the mount point.
        nodes: names of the dynamic nodes to start.
        max_nodes: how many records slurmctld has room for.
        more_conf: lines of slurm.conf before its partitions.
        files: more files of /etc/slurm, by name.
    """

    def __init__(
        self,
        *,
        rootfs: Path,
        folder: Path,
        nodes: Sequence[str],
        max_nodes: int = MAX_NODES,
        more_conf: str = "",
        files: Mapping[str, str] | None = None,
    ) -> None:
        self.rootfs = rootfs
        self.folder = folder
        self.nodes = tuple(nodes)
        self.max_nodes = max_nodes
        self.more_conf = more_conf
        self.files = files or {}
        self.jwt_key = secrets.token_bytes(32)
        self._unshare = 0
        self._init = 0
        self._daemons: dict[str, int] = {}

    @property
    def socket(self) -> Path:
        """slurmrestd's unix socket, as seen from outside."""
        return self.path(SOCKET)

    def path(self, inside: str) -> Path:
        """Return the way from outside to a file inside the namespace."""
        return Path(f"/proc/{self._init}/root{inside}")

    def mount(self, folder: Path, inside: str) -> None:
        """Show a folder of this machine inside, at a folder that is made for it."""
        self.path(inside).mkdir(parents=True)
        # The mount namespace's own root is this machine's; the init process has changed its.
        target = self._root / inside.lstrip("/")
        words = ["nsenter", "-t", str(self._init), "-m", "mount", "--bind", str(folder)]
        process.run([*words, str(target)], timeout_seconds=20)

    def log(self, name: str) -> str:
        """Return the last lines that a daemon wrote."""
        return process.tail_of(self.folder / f"{name}.log")

    def start(self) -> None:
        """Bring everything up; returns once every node is idle."""
        try:
            self._enter_new_namespaces()
            self._write_files()
            self._start_database()
            self.daemon("slurmdbd", ["slurmdbd", "-D", "-s"], user="slurm")
            self._wait("slurmdbd", lambda: self.output("sacctmgr", "-n", "show", "cluster") or True)
            self.daemon("slurmctld", ["slurmctld", "-D"], user="slurm")
            self._wait("slurmctld", lambda: "UP" in self.output("scontrol", "ping"))
            self.start_rest()
            for name in self.nodes:
                self.start_node(name)
            if self.nodes:
                self.until_idle(self.nodes)
            self._wait(
                "cluster", lambda: CLUSTER in self.output("sacctmgr", "-n", "show", "cluster")
            )
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Kill everything in the namespace and collect our children; safe to call twice."""
        if self._unshare:
            with suppress(ProcessLookupError):
                os.kill(self._unshare, signal.SIGKILL)
        for pid in (self._unshare, *self._daemons.values()):
            if pid:
                with suppress(ChildProcessError):
                    os.waitpid(pid, 0)
        self._unshare = self._init = 0
        self._daemons.clear()

    def start_rest(self) -> None:
        """Start slurmrestd and wait for its socket."""
        self.path(SOCKET).unlink(missing_ok=True)
        self.daemon(
            "slurmrestd",
            ["slurmrestd", "-a", "rest_auth/jwt", f"unix:{SOCKET}"],
            user=REST_USER.name,
            env={"SLURM_JWT": "daemon", "MALLOC_ARENA_MAX": "1"},
        )
        self._wait("slurmrestd", self.path(SOCKET).exists)

    def start_node(self, name: str) -> None:
        """Start the slurmd of one dynamic node; it registers itself."""
        port = 18000 + int("".join(filter(str.isdigit, name)) or 0)
        conf = f"CPUs=4 RealMemory=2000 Feature=worker Port={port} NodeAddr={ADDRESS}"
        self.daemon(f"slurmd-{name}", ["slurmd", "-D", "-Z", "-N", name, "--conf", conf])

    def let_submit(self, person: Person) -> None:
        """Give somebody an account to submit with."""
        self.run("sacctmgr", "-i", "add", "account", "team")
        self.run("sacctmgr", "-i", "add", "user", person.name, "account=team")

    def halt(self, name: str) -> None:
        """Kill one daemon and wait until it is gone."""
        outer = self._daemons.pop(name)
        for child in _children(outer):
            os.kill(child, signal.SIGKILL)
        os.waitpid(outer, 0)

    def daemon(
        self,
        name: str,
        argv: Sequence[str],
        *,
        user: str = "root",
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start a daemon in the foreground, its output in ``<name>.log``."""
        self._daemons[name] = process.start(
            self._inside(argv, user=user, env=env or {}), log=self.folder / f"{name}.log"
        )

    def lone_daemon(self, name: str, argv: Sequence[str], *, host: str, network: str) -> None:
        """Start a daemon with a host name, processes, /tmp and network of its own.

        Args:
            name: of the daemon.
            argv: its command line.
            host: its host name.
            network: name of a network namespace, as `ip netns` knows it.
        """
        # Not into the init process's root: the image has no tools to mount with.
        net = f"--net=/run/netns/{network}"
        enter = ["nsenter", "-t", str(self._init), "-m", "-p", "-u", "-i", net]
        apart = ["unshare", "-m", "-p", "-f", "-u", "--kill-child", "sh", "-c", ALONE, "sh"]
        clean = ["env", "-i", f"PATH={PATH}", "HOME=/tmp"]
        words = [*enter, *apart, str(self._root), host, *clean, *argv]
        self._daemons[name] = process.start(words, log=self.folder / f"{name}.log")

    @property
    def _root(self) -> Path:
        return self.folder / "top" / "root"

    @property
    def network(self) -> str:
        """The network namespace that all share, as `ip` takes it."""
        return str(self._init)

    def run(
        self,
        *argv: str,
        user: str = "root",
        input_text: str | None = None,
        check: bool = True,
        cwd: str = "/tmp",
        timeout_seconds: float = 20,
        env: Mapping[str, str] | None = None,
    ) -> process.Completed:
        """Run a program inside the namespace to its end."""
        return process.run(
            self._inside(argv, user=user, env=env or {}, cwd=cwd),
            timeout_seconds=timeout_seconds,
            input_text=input_text,
            check=check,
        )

    def output(self, *argv: str, user: str = "root", input_text: str | None = None) -> str:
        """Return the standard output of a program inside the namespace."""
        return self.run(*argv, user=user, input_text=input_text).stdout

    def runner(self, user: str = "root") -> Runner:
        """Return what runs programs inside as a user, for the client over Slurm's commands."""

        def run(argv: Sequence[str], *, timeout_seconds: float, input_text: str = "") -> Executed:
            words = self._inside(argv, user=user, env={}, cwd="/tmp")
            return ProcessRunner()(words, timeout_seconds=timeout_seconds, input_text=input_text)

        return run

    def inside(self, argv: Sequence[str]) -> list[str]:
        """Return what to start outside so that root runs a program inside."""
        return self._inside(argv, user="root", env={}, cwd="/tmp")

    def _inside(
        self,
        argv: Sequence[str],
        *,
        user: str,
        env: Mapping[str, str],
        cwd: str = "/",
        network: str | None = None,
    ) -> list[str]:
        # -r enters init's root; -W would resolve the folder outside, so `env -C` changes into it.
        enter = ["nsenter", "-t", str(self._init), "-m", "-p", "-u", "-i", "-n", "-r", "-w"]
        variables = [f"{key}={value}" for key, value in sorted(env.items())]
        clean = ["env", "-i", "-C", cwd, f"PATH={PATH}", "HOME=/tmp", *variables]
        become = (
            []
            if user == "root"
            else ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        )
        return [*enter, *clean, *become, *argv]

    def _enter_new_namespaces(self) -> None:
        mount_point = self.folder / "top"
        mount_point.mkdir(parents=True)
        die_with_us = ["setpriv", "--pdeathsig", "KILL"]
        namespaces = ["unshare", "-m", "-p", "-f", "-u", "-i", "-n", "--kill-child"]
        init = ["sh", "-c", INIT, "sh", str(self.rootfs), str(mount_point)]
        self._unshare = process.start(
            [*die_with_us, *namespaces, *init],
            log=self.folder / "init.log",
        )

        def ready() -> bool:
            self._init = next(iter(_children(self._unshare)), 0)
            if not self._init and not _alive(self._unshare):
                raise EnvironmentFault(f"make namespaces for Slurm: {self.log('init')}")
            return self.path(READY).exists()

        self._wait("init", ready)

    def _write_files(self) -> None:
        for person in (ALICE, STRANGER):
            line = f"{person.name}:x:{person.uid}:{person.uid}::/tmp:/bin/sh\n"
            self._append("/etc/passwd", line)
            self._append("/etc/group", f"{person.name}:x:{person.uid}:\n")
        self._put("/etc/hosts", f"127.0.0.1 localhost\n{ADDRESS} {HOST}\n")
        nsswitch = "passwd: files\ngroup: files\nshadow: files\nhosts: files\n"
        self._put("/etc/nsswitch.conf", nsswitch)
        room = f"MaxNodeCount={MAX_NODES}"
        conf = SLURM_CONF.replace(room, f"MaxNodeCount={self.max_nodes}")
        conf = conf.replace("NodeSet=", f"{self.more_conf}NodeSet=", 1)
        for name, text in self.files.items():
            self._put(f"/etc/slurm/{name}", text)
        self._put("/etc/slurm/slurm.conf", conf)
        self._put("/etc/slurm/slurmdbd.conf", SLURMDBD_CONF, mode=0o600, uid=SLURM_UID)
        self._put("/etc/slurm/slurm.key", secrets.token_bytes(1024), mode=0o600, uid=SLURM_UID)
        self._put("/etc/slurm/jwt_hs256.key", self.jwt_key, mode=0o600, uid=SLURM_UID)
        for folder, uid in (
            ("/var/lib/slurm/ctld", SLURM_UID),
            ("/run/slurmctld", SLURM_UID),
            ("/run/slurmdbd", SLURM_UID),
            ("/run/slurm", 0),
            ("/run/slurmrestd", REST_USER.uid),
            ("/var/spool/slurmd", 0),
        ):
            self.path(folder).mkdir(parents=True, exist_ok=True)
            os.chown(self.path(folder), uid, uid)

    def _append(self, inside: str, line: str) -> None:
        with self.path(inside).open("a") as file:
            file.write(line)

    def _put(self, inside: str, content: str | bytes, *, mode: int = 0o644, uid: int = 0) -> None:
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        os.chown(path, uid, uid)

    def _start_database(self) -> None:
        # The image's own data folder has a 100 MB log that the overlay would have to copy first.
        shared = ["--no-defaults", "--user=mysql", f"--datadir={DATABASE}"]
        shared += ["--innodb-log-file-size=8M", "--skip-name-resolve"]
        self.run("mariadb-install-db", *shared, "--skip-test-db")
        self.path("/run/mysqld").mkdir(exist_ok=True)
        self.run("chown", "mysql:mysql", "/run/mysqld")
        tuning = ["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M"]
        tuning += ["--innodb-lock-wait-timeout=900"]
        address = ["--skip-networking", "--socket=/run/mysqld/mysqld.sock"]
        self.daemon("mariadbd", ["mariadbd", *shared, *address, *tuning])
        client = ["mariadb", "--no-defaults", "--socket=/run/mysqld/mysqld.sock"]
        self._wait("mariadbd", lambda: bool(self.output(*client, "-e", "select 1")))
        self.output(*client, input_text=DATABASE_SQL)

    def until_idle(self, nodes: Sequence[str]) -> None:
        """Wait until these are the cluster's nodes, and idle."""
        wanted = {f"{name} idle" for name in nodes}
        words = ("sinfo", "-h", "-N", "-p", "all", "-o", "%N %T")
        self._wait("nodes", lambda: set(self.output(*words).splitlines()) == wanted)

    def _wait(self, name: str, predicate: Callable[[], object]) -> None:
        try:
            eventually(predicate, START_SECONDS, what=name)
        except AssertionError as exc:
            raise AssertionError(f"{exc}\nlog of {name}:\n{self.log(name)}") from exc


def _children(pid: int) -> tuple[int, ...]:
    try:
        return tuple(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except FileNotFoundError:
        return ()


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
