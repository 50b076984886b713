"""The forms of names and values in a description: patterns, closed lists, ranges.

Shared by the checks of a description and by the schemas of the custom resources; the patterns mean
the same to Python and to RE2, which the API server uses.
"""

from __future__ import annotations

import re

DAEMON_NAMES = frozenset(("login", "login-0", "mariadb", "slurmctld", "slurmdbd", "slurmrestd"))
"""Names of our own StatefulSets and Services, which a node set would take over."""
SYSTEM_IDS = range(64030, 64033)
"""uids and gids of slurm, slurmrest and mysql in the image."""
SYSTEM_USERS = frozenset(
    """
    _apt backup bin daemon games irc list lp mail man munge mysql news nobody proxy root slurm
    slurmrest sshd sync sys systemd-network uucp www-data
    """.split()  # noqa: SIM905 - a list of words reads better as words
)
"""Users that the image has already."""
ID_LIMIT = 60000
"""Above lie ids that systems use for themselves: nobody, containers, ours."""

LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
LABEL_ALLOWED = "lower-case letters, digits and inner hyphens, at most 63 (a DNS label)"
SUBDOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
ACCOUNT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
SHELL = re.compile(r"/[A-Za-z0-9/._-]{1,127}")
CONFIG_KEY = re.compile(r"[A-Za-z0-9._-]{1,253}")
FEATURE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}")
GPU_RESOURCE = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
TIME = re.compile(r"UNLIMITED|INFINITE|[0-9]{1,7}(?:-[0-9]{1,2})?(?::[0-9]{2}){0,2}")
SSH_KEY = re.compile(
    r"(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com"
    r"|sk-ecdsa-sha2-nistp256@openssh\.com) [A-Za-z0-9+/]{16,}={0,2}(?: [ -~]{0,200})?"
)
DATABASE_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
DATABASE_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
DATABASE_USER = re.compile(r"[A-Za-z0-9_.-]{1,80}")
STORAGE_PARAMETERS = ("SSL_CA", "SSL_CAPATH", "SSL_CERT", "SSL_CIPHER", "SSL_KEY")
"""What slurmdbd.conf(5) has for StorageParameters."""
STORAGE_VALUE = re.compile(r"[A-Za-z0-9/._:+-]{1,512}")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
SERVICE_TYPES = ("ClusterIP", "NodePort", "LoadBalancer")
NODE_PORTS = range(30000, 32768)
MOST_REPLICAS = 10000

QUANTITY = re.compile(
    r"(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?"
)
CONF_VALUE = re.compile(r"[!$-&(-\[\]-_a-~](?:[ !$-&(-\[\]-_a-~]*[!$-&(-\[\]-_a-~])?")
"""A value in Slurm's files, see `sunk.render.text`."""


def anchored(pattern: re.Pattern[str]) -> str:
    """Return the pattern for a whole text, as in OpenAPI, where patterns match anywhere."""
    return f"^(?:{pattern.pattern})$"
