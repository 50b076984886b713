"""Hosts that are machines of their own: QEMU guests with a NIC that has virtual functions.

All of them run in one network namespace, with a bridge for logins and one for RDMA. Killing its
first process is a power loss for every guest; nothing has a name outside.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sunk.errors import EnvironmentFault
from tests.support.eventually import eventually
from tests.support.guest_image import GuestImage
from tests.support.rootfs import PATH, Rootfs
from tests.support.ssh_user import in_network, private, public, write_user

TUN = Path("/dev/net/tun")
MEMORY_MIB = 1024
SHARED = "/guests"
IMAGE = "/image"
NIC = "eth1"
"""The NIC that RDMA runs over, as the guests call it; functions are eth1v0, eth1v1 and so on."""
DEVICE = "rxe0"
MTU_BYTES = 9000
BOOT_SECONDS = 40
_NETWORK = """
set -eu
for net in login rdma; do
  ip link add $net type bridge
  ip link set $net mtu 9000 up
done
ip addr add 10.98.0.254/24 dev login
for guest; do
  for net in login rdma; do
    ip tuntap add "$guest-$net" mode tap
    ip link set "$guest-$net" mtu 9000 master $net up
  done
done
touch /run/ready
exec sleep infinity
"""
_START = """\
#!/bin/sh
# The guest's first program: what a boot does, and no more.
set -eu
export PATH={path}
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
mkdir -p /dev/pts /dev/shm
busybox mount -t devpts devpts /dev/pts
busybox mount -t tmpfs -o mode=1777 tmpfs /dev/shm
busybox mount -t tmpfs -o mode=755 tmpfs /run
busybox mount -t tmpfs -o mode=1777 tmpfs /tmp
echo {name} > /proc/sys/kernel/hostname
printf '127.0.0.1 localhost {name}\\n' > /etc/hosts
modprobe virtio_net
modprobe igb
modprobe igbvf
modprobe crc32_generic
modprobe rdma_ucm
modprobe rdma_rxe
ip link set lo up
for device in /sys/class/net/*; do
  name=${{device##*/}}
  case $(cat "$device/address") in
    {login_mac}) ip link set "$name" name login0 ;;
    {rdma_mac}) ip link set "$name" name {nic} ;;
  esac
done
ip addr add {login}/24 dev login0
ip link set login0 up
ip link set {nic} mtu {mtu} up
ip addr add {rdma}/24 dev {nic}
rdma link add {device} type rxe netdev {nic}
mkdir -p /run/sshd
install -m 600 /own/host_key /etc/ssh/ssh_host_ed25519_key
# As a site with RDMA sets it for who logs in.
prlimit --memlock=unlimited:unlimited /usr/sbin/sshd -f /own/sshd_config
# Stands for Slurm's daemon of this name: a process with its limits, and no more.
cp /usr/bin/sleep /usr/local/bin/slurmd
prlimit --memlock=unlimited:unlimited /usr/local/bin/slurmd infinity &
exec /usr/bin/tini -s -- sleep infinity
"""
_SSHD = """\
Port 22
PidFile none
UsePAM no
UseDNS no
StrictModes no
PermitRootLogin yes
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /own/authorized_keys
MaxStartups 100:30:200
PerSourcePenalties no
SetEnv PYTHONPATH=/own/jobs
"""


@dataclass
class Guest:
    """One guest.

    Attributes:
        number: from 1.
        key: of its sshd.
    """

    number: int
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def name(self) -> str:
        return f"n{self.number}"

    @property
    def login(self) -> str:
        return f"10.98.0.{self.number}"

    @property
    def rdma(self) -> str:
        return f"10.99.0.{self.number}"

    def mac(self, net: str) -> str:
        kind = {"login": 0, "rdma": 1}[net]
        return f"52:54:00:98:{kind:02x}:{self.number:02x}"

    def start_script(self) -> str:
        return _START.format(
            path=PATH,
            name=self.name,
            nic=NIC,
            device=DEVICE,
            mtu=MTU_BYTES,
            login=self.login,
            rdma=self.rdma,
            login_mac=self.mac("login"),
            rdma_mac=self.mac("rdma"),
        )

    def qemu(self, image: GuestImage) -> list[str]:
        own = f"{SHARED}/{self.name}"
        share = "local,security_model=none,readonly=on,multidevs=remap"
        return [
            "qemu-system-x86_64",
            # Translated, and not under KVM: every machine can do that, and inside many virtual
            # machines KVM is there and fails. Ten times slower.
            *("-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max"),
            *("-smp", "1", "-m", str(MEMORY_MIB)),
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-serial", f"file:{own}/console"),
            *("-kernel", image.kernel, "-initrd", f"{SHARED}/initrd"),
            *("-append", "console=ttyS0 quiet panic=-1 net.ifnames=0"),
            *("-virtfs", f"{share},path={IMAGE},mount_tag=host"),
            *("-virtfs", f"{share},path={own}/own,mount_tag=own"),
            *("-device", "virtio-rng-pci"),
            *self._nic("login", "virtio-net-pci"),
            # Functions need a port of their own below the root complex.
            *("-device", "pcie-root-port,id=port1,slot=1"),
            *self._nic("rdma", "igb,bus=port1"),
        ]

    def _nic(self, net: str, device: str) -> list[str]:
        tap = f"tap,id={net},ifname={self.name}-{net},script=no,downscript=no"
        return [
            *("-netdev", tap),
            *("-device", f"{device},netdev={net},mac={self.mac(net)},romfile="),
        ]


class Guests:
    """Running guests; a context manager.

    Args:
        image: what they boot.
        folder: empty folder for files and the mount point.
        jobs: folder that holds the package sunk_jobs.
        count: how many.
    """

    def __init__(self, image: GuestImage, folder: Path, jobs: Path, count: int = 2) -> None:
        self.image, self.folder, self.jobs = image, folder, jobs
        self.guests = tuple(Guest(number) for number in range(1, count + 1))
        self.user_key = Ed25519PrivateKey.generate()
        self._outer: subprocess.Popen[bytes] | None = None
        self._init = 0
        self._machines: list[subprocess.Popen[bytes]] = []

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.guests)

    def __enter__(self) -> Guests:
        require_machine()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self._outer is not None:
            self._outer.kill()
            self._outer.wait(30)
        for one in self._machines:
            one.wait(30)

    def _start(self) -> None:
        point, shared = self.folder / "point", self.folder / "guests"
        point.mkdir()
        shared.mkdir()
        shutil.copyfile(self.image.initrd, shared / "initrd")
        for one in self.guests:
            self._write_own(one, shared / one.name)
        place = Rootfs(self.image.rootfs, point, {shared: SHARED, self.image.rootfs: IMAGE})
        words = ("sh", "-c", _NETWORK, "sh", *self.names)
        self._outer = place.start(*words, log=self.folder / "network.log")
        self._init = eventually(self._find_init, 5, what="the namespaces")
        for one in self.guests:
            log = self.folder / f"{one.name}.log"
            with log.open("wb") as sink:
                self._machines.append(
                    subprocess.Popen(
                        self._inside(one.qemu(self.image)),
                        stdout=sink,
                        stderr=sink,
                        stdin=subprocess.DEVNULL,
                    )
                )
        self._write_user_files(self.folder / "user")
        for one in self.guests:
            eventually(lambda: self._answers(one), BOOT_SECONDS, what=f"guest {one.name}")  # noqa: B023

    def _find_init(self) -> int:
        assert self._outer is not None
        if self._outer.poll() is not None:
            log = (self.folder / "network.log").read_text()
            raise EnvironmentFault(f"make the network of the guests: {log[-2000:]}")
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text()
        init = int(children.split()[0])
        return init if Path(f"/proc/{init}/root/run/ready").exists() else 0

    def _write_own(self, guest: Guest, folder: Path) -> None:
        own = folder / "own"
        own.mkdir(parents=True)
        (own / "start").write_text(guest.start_script())
        (own / "sshd_config").write_text(_SSHD)
        (own / "authorized_keys").write_text(public(self.user_key) + "\n")
        (own / "host_key").write_bytes(private(guest.key))
        shutil.copytree(self.jobs / "sunk_jobs", own / "jobs" / "sunk_jobs")

    def _write_user_files(self, user: Path) -> None:
        more = f"  UserKnownHostsFile {user}/known_hosts\n  BatchMode yes\n  LogLevel ERROR\n"
        write_user(user, self.user_key, [(one.name, one.key) for one in self.guests], more)
        (user / "hosts").write_text(
            "127.0.0.1 localhost\n" + "".join(f"{one.login} {one.name}\n" for one in self.guests)
        )

    @property
    def user(self) -> Path:
        """Return the folder with a user's key, known_hosts and configuration."""
        return self.folder / "user"

    def _answers(self, guest: Guest) -> bool:
        log = (self.folder / f"{guest.name}.log").read_text().strip()
        assert not log, f"QEMU of {guest.name} said: {log}"
        return self.ssh(guest.name, "true", timeout_seconds=20).returncode == 0

    def _inside(self, words: list[str]) -> list[str]:
        enter = ["nsenter", "-t", str(self._init), "-a", "-r", "-w", "--"]
        return [*enter, "/usr/bin/env", "-i", f"PATH={PATH}", "HOME=/tmp", *words]

    def in_network(self, *words: str) -> list[str]:
        """Return a command line that runs in the guests' network, where their names are known.

        All else is this machine's.
        """
        return in_network(self._init, self.user / "hosts", words)

    def ssh(
        self, name: str, command: str, timeout_seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run lines for sh on a guest, whatever their exit code is."""
        words = self.in_network("ssh", "-F", str(self.user / "config"), name, command)
        return subprocess.run(
            words,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def does(self, name: str, command: str) -> str:
        """Run lines for sh on a guest, which must succeed, and return their output."""
        done = self.ssh(name, command)
        assert done.returncode == 0, f"{name}: {command}: {done.stdout}{done.stderr}"
        return done.stdout

    def console(self, name: str) -> str:
        return (self.folder / "guests" / name / "console").read_text(errors="replace")


def require_machine() -> None:
    """Fail with what is missing: guests that did not run must not look like guests that did.

    Raises:
        EnvironmentFault: no tap devices, or no ssh.
    """
    if not os.access(TUN, os.R_OK | os.W_OK):
        raise EnvironmentFault(f"start guests: {TUN} cannot be used", hint="modprobe tun, as root")
    if shutil.which("ssh") is None:
        raise EnvironmentFault(
            "start guests: there is no ssh", hint="apt-get install openssh-client"
        )
