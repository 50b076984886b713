"""Programs inside the slurm image's root file system, in namespaces of their own.

The root file system is the lower layer of an overlay on a tmpfs: nothing ever writes to it. Each
run has its own network with a loopback only, and its own process ids: killing the run is a power
loss for all that it started.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HOST = "compute"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# $1 rootfs, $2 mount point, then pairs of host path and path inside, then --, then the command.
_INIT = """
set -eu
lower=$1 top=$2
shift 2
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$top"
mkdir "$top/upper" "$top/work" "$top/root"
root=$top/root
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$top/upper,workdir=$top/work" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
while [ "$1" != -- ]; do
  mkdir -p "$root$2"
  mount --bind "$1" "$root$2"
  shift 2
done
shift
hostname compute
ip link set lo up
printf '127.0.0.1 localhost compute\\n' > "$root/etc/hosts"
exec chroot "$root" "$@"
"""


@dataclass(frozen=True)
class Rootfs:
    """Where programs run.

    Attributes:
        folder: the root file system.
        point: an existing folder to mount on; its mounts are seen by the run only.
        binds: folder of this machine -> where it is inside, writable.
        variables: of the programs; there are no others but PATH and HOME.
    """

    folder: Path
    point: Path
    binds: Mapping[Path, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    def argv(self, words: Sequence[str], cwd: str = "/tmp") -> list[str]:
        """Return the command line of a run."""
        pairs = [word for host, inside in self.binds.items() for word in (str(host), inside)]
        values = [f"{name}={value}" for name, value in sorted(self.variables.items())]
        return [
            *("setpriv", "--pdeathsig", "KILL", "--", "unshare", "-m", "-p", "-f", "-u", "-i"),
            *("-n", "--kill-child", "--mount-proc", "--", "sh", "-c", _INIT, "sh"),
            *(str(self.folder), str(self.point), *pairs, "--"),
            *("/usr/bin/env", "-i", "-C", cwd, f"PATH={PATH}", "HOME=/tmp", *values),
            # As the first process, a program would get no default signal actions and reap nobody.
            *("/usr/bin/tini", "-s", "--", *words),
        ]

    def run(
        self, *words: str, cwd: str = "/tmp", timeout_seconds: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, whatever its exit code is."""
        return subprocess.run(
            self.argv(words, cwd),
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def start(self, *words: str, log: Path, cwd: str = "/tmp") -> subprocess.Popen[bytes]:
        """Start a program; ``kill`` of what is returned ends all processes of the run at once."""
        with log.open("ab") as sink:
            return subprocess.Popen(
                self.argv(words, cwd), stdout=sink, stderr=sink, stdin=subprocess.DEVNULL
            )
