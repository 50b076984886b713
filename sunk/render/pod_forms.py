"""The forms of names and values in a Pod overlay: patterns, closed lists, ranges.

As in `sunk.render.forms`: for the checks and for the schemas, the same to Python and to RE2.
"""

from __future__ import annotations

import re

_DOMAIN = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
KEY = re.compile(rf"(?:{_DOMAIN}/)?{_NAME}")
KEY_ALLOWED = "a key such as example.org/name or name"
LABEL_VALUE = re.compile(rf"(?:{_NAME})?")
LABEL_VALUE_ALLOWED = "at most 63 letters, digits, inner hyphens, dots and underscores"
RESOURCE = re.compile(
    rf"cpu|memory|ephemeral-storage|hugepages-[0-9]{{1,6}}[KMGT]i|{_DOMAIN}/{_NAME}"
)
RESOURCE_ALLOWED = (
    "cpu, memory, ephemeral-storage, hugepages-2Mi or a device such as example.org/card"
)
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
ENV_NAME_ALLOWED = "letters, digits and underscores, no digit first"
DATA_KEY = re.compile(r"[A-Za-z0-9._-]{1,253}")
# A part of a path is anything but dots alone, so that no path leads out of its folder.
_PART = r"[A-Za-z0-9_@%+=,.-]*[A-Za-z0-9_@%+=,-][A-Za-z0-9_@%+=,.-]*"
ABSOLUTE_PATH = re.compile(rf"(?:/{_PART}){{1,64}}")
ABSOLUTE_PATH_ALLOWED = "an absolute path without .. and without / at its end"
HOST_PATH = re.compile(rf"/|(?:/{_PART}){{1,64}}")
RELATIVE_PATH = re.compile(rf"{_PART}(?:/{_PART}){{0,63}}")
CAPABILITY = re.compile(r"[A-Z][A-Z_]{1,31}")
SYSCTL = re.compile(
    r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?(?:[./][a-z0-9](?:[a-z0-9_-]*[a-z0-9])?){1,8}"
)
PORT_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,13}[a-z0-9])?")
REGISTRY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:/-]{0,198}[A-Za-z0-9])?")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

OPERATORS = ("Equal", "Exists")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
MEDIUMS = ("Memory", "HugePages", "HugePages-2Mi", "HugePages-1Gi")
HOST_PATH_TYPES = (
    *("DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket"),
    *("CharDevice", "BlockDevice"),
)
PROPAGATIONS = ("None", "HostToContainer", "Bidirectional")
LONGEST_GRACE_SECONDS = 7 * 24 * 3600
HIGHEST_ID = 2**31 - 1
MOST_ITEMS = 64

BASELINE_CAPABILITIES = frozenset(
    """
    AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP
    SETUID SYS_CHROOT
    """.split()  # noqa: SIM905 - a list of words reads better as words
)
"""Capabilities that Pod Security's baseline lets through: Kubernetes' Pod Security Standards."""
SAFE_SYSCTLS = frozenset(
    """
    kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.ip_local_reserved_ports
    net.ipv4.ip_unprivileged_port_start net.ipv4.ping_group_range net.ipv4.tcp_fin_timeout
    net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes net.ipv4.tcp_keepalive_time
    net.ipv4.tcp_syncookies
    """.split()  # noqa: SIM905
)
"""Kernel settings that it lets through: the same standards."""
