"""What is asked: commands that read and change nothing, by the name that their text gets.

A command that a host does not have ends with 127, and that is an answer.
"""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from sunk_jobs import sysfs_rdma

SYSFS = "/sys"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One command.

    Attributes:
        name: of its text: the format, and a word that tells several apart.
        argv: program and arguments.
        within_seconds: the longest that it may take.
        program: what it reads from standard input; nothing when empty.
        after_seconds: how long after the host's first answer it is asked at the earliest.
    """

    name: str
    argv: tuple[str, ...]
    within_seconds: float
    program: str = ""
    after_seconds: float = 0.0

    @property
    def command(self) -> tuple[str, ...]:
        """Return the words to keep; a program is named and not quoted."""
        return (*self.argv, "<", "sunk_jobs.sysfs_rdma") if self.program else self.argv

    @property
    def shown(self) -> str:
        """Return the command as one would type it."""
        typed = shlex.join(self.argv)
        return f"{typed} < sunk_jobs/sysfs_rdma.py" if self.program else typed


HOST_COMMANDS: tuple[tuple[str, str], ...] = (
    ("uname", "uname -a"),
    ("chronyc", "chronyc tracking"),
    ("timedatectl", "timedatectl show"),
    ("dmesg", "dmesg --time-format iso"),
    ("proc_modules", "cat /proc/modules"),
    ("ip_link", "ip -d -j link"),
    ("rdma_link", "rdma -j link"),
    ("rdma_system", "rdma -j system show"),
    ("rdma_statistic", "rdma -j statistic show"),
    ("df", "df -Pk /dev/shm"),
    ("proc_mounts", "cat /proc/mounts"),
    ("sharp_manager", "systemctl is-active sharp_am"),
    ("lspci", "lspci -vv"),
    ("proc_limits.shell", "cat /proc/self/limits"),
    ("ibstat", "ibstat"),
    ("ibv_devinfo", "ibv_devinfo -v"),
    ("ofed_version", "ofed_info -s"),
    ("nvidia_topo", "nvidia-smi topo -m"),
    ("nvidia_smi", "nvidia-smi -q -x"),
    ("imex", "nvidia-imex-ctl -N -j"),
)
"""Name -> command, asked of every host."""

KERNEL_FILES = (
    *("/proc/cmdline", "/proc/meminfo", "/proc/sys/kernel/numa_balancing"),
    "/proc/sys/net/ipv4/conf/all/arp_ignore",
    "/proc/sys/net/ipv4/conf/all/arp_announce",
    "/proc/driver/nvidia/params",
    *("class/dmi/id/sys_vendor", "class/dmi/id/product_name"),
    "devices/system/cpu/cpu*/cpufreq/scaling_governor",
    "kernel/mm/hugepages/*/nr_hugepages",
    "class/net/*/ecn/roce_*/enable/*",
    "kernel/config/rdma_cm/*/ports/*/default_roce_tos",
)
"""Patterns of small files; those of sysfs below its root."""
_EACH_NETDEV = """\
for n in "$d"/device/net/*; do
    [ -e "$n" ] || continue
    echo "# ${{n##*/}}"; {ask} "${{n##*/}}"
  done"""
_EACH_DEVICE = """\
command -v {tool} >/dev/null || exit 127
for d in {root}/class/infiniband/*; do
  [ -e "$d" ] || continue
  {inner}
done"""
HOST_SCRIPTS: tuple[tuple[str, str], ...] = (
    (
        "proc_limits.slurmd",
        'p=$(pgrep -o -x slurmd) || { echo "no slurmd runs here" >&2; exit 1; }\n'
        'exec cat "/proc/$p/limits"',
    ),
    (
        "opensm_conf",
        "command -v pgrep >/dev/null || exit 127\n"
        "p=$(pgrep -o -x opensm) || { echo 'no opensm runs here'; exit 0; }\n"
        "f=$(tr '\\0' '\\n' <\"/proc/$p/cmdline\" | sed -n '/^\\(-F\\|--config\\)$/{n;p;}')\n"
        'for c in "$f" /etc/opensm/opensm.conf /etc/rdma/opensm.conf \\\n'
        "  /opt/ufm/files/conf/opensm/opensm.conf; do\n"
        '  [ -f "$c" ] && exec cat "$c"\n'
        "done\n"
        'echo "opensm runs, and its settings are in no known file" >&2; exit 1',
    ),
    (
        "ldconfig",
        # All lines would be hundreds; the first tells how many there are.
        "PATH=$PATH:/usr/sbin:/sbin; l=$(ldconfig -p) || exit\n"
        "printf '%s\\n' \"$l\" | grep -E 'libs found|lib(ibverbs|mlx5|rdmacm|fabric|nccl)\\.so'",
    ),
    (
        "pci_tree",
        "cd {root}/bus/pci/devices || exit 1; n=0\n"
        "for d in *; do\n"
        '  c=$(cat "$d/class") || continue\n'
        '  case "$c" in 0x0200*|0x0207*|0x0300*|0x0302*|0x1200*) ;; *) continue ;; esac\n'
        '  n=1; p=$(readlink -f "$d")\n'
        '  echo "${p##*/devices/} $c $(cat "$d/vendor") $(cat "$d/numa_node")"\n'
        "done\n"
        "[ $n = 1 ] || echo 'no GPU and no network card on PCI'",
    ),
    (
        "task_cpus",
        # Who of a job has a GPU or an adapter open, and which processors are near that.
        "cd {root} || exit 1\n"
        '[ "$(id -u)" = 0 ] || { echo "root alone sees what others have open" >&2; exit 1; }\n'
        "find . -maxdepth 0 -lname x -printf '' || exit 1\n"
        "a=$(find /proc/[0-9]*/fd -maxdepth 1 \\( -lname '*/dev/nvidia[0-9]*' -o \\\n"
        "  -lname '*/dev/infiniband/uverbs[0-9]*' \\) -printf '%h %l\\n' 2>/dev/null | sort -u)\n"
        "printf '%s\\n' \"$a\" | while read -r h d; do\n"
        "  p=${h%/fd}; n=${d##*/}; i=\n"
        "  e=$(tr '\\0' '\\n' <\"$p/environ\") 2>/dev/null || continue\n"
        "  j=$(printf '%s\\n' \"$e\" | sed -n 's/^SLURM_JOB_ID=\\([0-9]*\\)$/\\1/p')\n"
        "  r=$(printf '%s\\n' \"$e\" | sed -n 's/^SLURM_PROCID=\\([0-9]*\\)$/\\1/p')\n"
        '  [ -n "$j" ] && [ -n "$r" ] || continue\n'
        '  case "$n" in\n'
        "    uverbs*) i=$(cat class/infiniband_verbs/$n/ibdev)\n"
        "      l=class/infiniband_verbs/$n/device/local_cpulist ;;\n"
        '    *) g=$(grep -l "Minor:[[:space:]]*${n#nvidia}$" '
        "/proc/driver/nvidia/gpus/*/information)\n"
        "      i=${g%/information} i=${i##*/}; l=bus/pci/devices/$i/local_cpulist ;;\n"
        "  esac 2>/dev/null\n"
        '  c=$(sed -n "s/^Cpus_allowed_list:[[:space:]]*//p" "$p/status") 2>/dev/null || continue\n'
        '  l=$(cat "$l" 2>/dev/null)\n'
        '  echo "$j $r ${p#/proc/} ${c:--} $n ${i:--} ${l:--}"\n'
        "done | grep . || echo 'no task of a job has a GPU or an adapter open'",
    ),
    (
        "pcidevice_env",
        "e=$(tr '\\0' '\\n' </proc/1/environ) || exit 1\n"
        "printf '%s\\n' \"$e\" | grep '^PCIDEVICE_' || echo 'no variable PCIDEVICE_*'",
    ),
    (
        "mlnx_qos",
        _EACH_DEVICE.format(
            tool="mlnx_qos",
            root="{root}",
            inner=_EACH_NETDEV.format(ask="mlnx_qos -i"),
        ),
    ),
    (
        "ethtool",
        _EACH_DEVICE.format(
            tool="ethtool",
            root="{root}",
            inner=_EACH_NETDEV.format(ask="ethtool -S"),
        ),
    ),
    (
        "kernel_files",
        # Most machines lack some of them.
        f"cd {{root}} || exit 1\ngrep -sH '' {' '.join(KERNEL_FILES)}\nexit 0",
    ),
    (
        "mlxlink",
        _EACH_DEVICE.format(
            tool="mlxlink",
            root="{root}",
            inner='echo "# ${d##*/}"; mlxlink -d "${d##*/}" -m -c -e --json',
        ),
    ),
)
"""Name -> lines for sh, asked of every host: what needs a loop or another answer first."""


POD_TEXTS = frozenset(
    {"uname", "ip_link", "rdma_link", "ibv_devinfo", "proc_limits.slurmd", "sysfs_rdma"}
    | {"sysfs_rdma.later", "nvidia_topo", "df", "ldconfig", "pcidevice_env"}
)
"""What a Pod is asked: the rest it shares with its Node, and would say of that once more."""


class OnceOf(Enum):
    """Which host is asked for what concerns all of them."""

    FABRIC = "one with an active InfiniBand port"
    SLURM = "one where slurmd runs, or any"


IS_SM = "saquery.is-sm"
"""Name of the list of all ports that say that they run a subnet manager."""
ONCE_COMMANDS: tuple[tuple[str, str, OnceOf], ...] = (
    ("sminfo.first", "sminfo", OnceOf.FABRIC),
    ("ibnetdiscover", "ibnetdiscover", OnceOf.FABRIC),
    ("iblinkinfo", "iblinkinfo", OnceOf.FABRIC),
    ("ibqueryerrors", "ibqueryerrors --skip-sl", OnceOf.FABRIC),
    ("saquery", "saquery SMIR", OnceOf.FABRIC),
    (IS_SM, "saquery -s", OnceOf.FABRIC),
    ("sminfo.second", "sminfo", OnceOf.FABRIC),
    ("slurm_topology", "scontrol show topology", OnceOf.SLURM),
    ("slurm_nodes", "scontrol --oneliner show nodes", OnceOf.SLURM),
    (
        "slurm_events",
        "env SLURM_TIME_FORMAT=%s sacctmgr --noheader --parsable2 show event start=now-7days"
        " format=NodeName,TimeStart,TimeEnd,State,Reason,User",
        OnceOf.SLURM,
    ),
)
"""Name -> command, asked of one host of a kind."""
_SM_GAP_SECONDS = 3.0
"""A subnet manager's activity count grows at every heavy or light sweep; opensm's polls are a
second apart."""


AT_LID = "sminfo.at-lid-"
"""Begins the names of answers of managers that were asked at a place, whoever the ports obey."""


def host_questions(
    *, within_seconds: float, sysfs_root: str = SYSFS, window_seconds: float = 0.0
) -> tuple[Question, ...]:
    """Return what every host is asked.

    Args:
        within_seconds: the longest that each command may take.
        sysfs_root: where sysfs is on the hosts.
        window_seconds: ask for counters again so long after; 0 for once.
    """
    commands = [
        Question(name=name, argv=tuple(words.split()), within_seconds=within_seconds)
        for name, words in HOST_COMMANDS
    ]
    scripts = [
        Question(
            name=name,
            argv=("sh", "-c", lines.replace("{root}", shlex.quote(sysfs_root))),
            within_seconds=within_seconds,
        )
        for name, lines in HOST_SCRIPTS
    ]
    first = _sysfs("sysfs_rdma", sysfs_root, within_seconds)
    again = _sysfs("sysfs_rdma.later", sysfs_root, within_seconds, window_seconds)
    return (first, *commands, *scripts, *((again,) if window_seconds > 0 else ()))


def _sysfs(name: str, root: str, within_seconds: float, after_seconds: float = 0.0) -> Question:
    return Question(
        name=name,
        argv=("python3", "-", "--root", root),
        within_seconds=within_seconds,
        program=inspect.getsource(sysfs_rdma),
        after_seconds=after_seconds,
    )


@dataclass(frozen=True, slots=True)
class OnceQuestion:
    """A command for one host.

    Attributes:
        question: the command.
        of: which host.
    """

    question: Question
    of: OnceOf


def once_questions(*, within_seconds: float) -> tuple[OnceQuestion, ...]:
    """Return what one host is asked about the whole fabric, and about Slurm."""
    return tuple(
        OnceQuestion(
            Question(
                name=name,
                argv=tuple(words.split()),
                within_seconds=within_seconds,
                after_seconds=_SM_GAP_SECONDS if name == "sminfo.second" else 0.0,
            ),
            of,
        )
        for name, words, of in ONCE_COMMANDS
    )


def manager_questions(lids: Iterable[int], *, within_seconds: float) -> tuple[OnceQuestion, ...]:
    """Return what each port is asked that says it runs a subnet manager.

    A port knows one manager, the one that set it up last; a second master shows where it lives.
    """
    return tuple(
        OnceQuestion(
            Question(
                name=f"{AT_LID}{lid}", argv=("sminfo", str(lid)), within_seconds=within_seconds
            ),
            OnceOf.FABRIC,
        )
        for lid in sorted(set(lids))
    )
