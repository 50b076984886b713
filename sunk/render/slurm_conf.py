"""slurm.conf, gres.conf and mpi.conf of a cluster: description in, text out.

slurm.conf goes to slurmctld, slurmdbd and slurmrestd as a file; workers and login nodes fetch it
from slurmctld (configless). The settings and their reasons come from running Slurm in Pods; a
description may replace the defaults but not what holds the cluster together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sunk.errors import InputError
from sunk.model.cluster import Partition, SlurmCluster, effective_partitions
from sunk.render.isolation import isolation_settings
from sunk.render.slurm_keys import (
    MERGED_KEYS,
    RESERVED_KEYS,
    RESERVED_PARTITION_KEYS,
    canonical_key,
    canonical_partition_key,
)
from sunk.render.text import conf_pair
from sunk.wellknown import SLURMCTLD_PORT, SLURMD_PORT, SLURMDBD_PORT

STATE_FOLDER = "/var/lib/slurm/ctld"
"""StateSaveLocation: where the state claim is mounted in slurmctld's Pod."""
SPOOL_FOLDER = "/var/spool/slurmd"
JWT_KEY_PATH = "/etc/slurm/jwt_hs256.key"
GRES_FILE = "/run/sunk/gres.conf"
"""Each worker's own list of devices; must exist, also empty, wherever gres.conf is read."""
CONTROLLER_HOST = "slurmctld-0"
CONTROLLER_SERVICE = "slurmctld"
DATABASE_DAEMON_HOST = "slurmdbd-0.slurmdbd"

DEFAULTS: Mapping[str, str] = {
    "AccountingStorageEnforce": "associations,limits,qos",
    "MailProg": "/usr/bin/true",  # the image sends no mail; without the key slurmctld complains
    "MaxNodeCount": "4096",  # dynamic nodes beyond it are refused, visible only in the log
    "MpiDefault": "pmix",
    "ReturnToService": "2",  # a worker that comes back is used again without a person
    "SelectType": "select/cons_tres",
    "SelectTypeParameters": "CR_Core_Memory",
    # slurmctld pings each third of it, and whoever follows the records reads all anew after a ping.
    "SlurmdTimeout": "90",
    "TreeWidth": "65533",  # workers cannot resolve each other: no fan-out through them
}
"""What a description may replace."""
_MERGED: Mapping[str, tuple[str, ...]] = {
    # The delay before a requeued job may start again is cred_expire + 1 seconds.
    "AuthInfo": ("cred_expire=5", "use_client_ids"),
    "GresTypes": ("gpu",),
    "ReconfigFlags": ("KeepPartInfo",),
    "SchedulerParameters": ("batch_sched_delay=0", "bf_interval=5", "sched_interval=5"),
    "SlurmctldParameters": ("enable_configless",),
    # Slurm believes the worker's own figures: the Pod's limits, not the machine's hardware.
    "SlurmdParameters": ("config_overrides",),
}


def controller_address(cluster: SlurmCluster) -> str:
    """Return slurmctld's name in DNS; the name survives a restart, the address does not."""
    return f"{CONTROLLER_HOST}.{CONTROLLER_SERVICE}.{cluster.namespace}.svc"


def render_slurm_conf(cluster: SlurmCluster) -> str:
    """Return the whole slurm.conf, the same bytes for the same description.

    Raises:
        InputError: a key is unknown or reserved, or a value cannot be written safely.
    """
    asked = {"TopologyPlugin": "topology/tree"} if cluster.topology.strip() else {}
    asked |= isolation_settings(cluster)
    settings = {**_fixed(cluster), **asked, **_defaults_and_overrides(cluster.slurm_conf)}
    lines = [
        f"# Rendered by sunk for SlurmCluster {cluster.name}: change the description, not this.",
        *(conf_pair(key, settings[key]) for key in sorted(settings)),
        *(
            f"{conf_pair('NodeSet', node_set_name(one.name))} {conf_pair('Feature', one.name)}"
            for one in sorted(cluster.node_sets, key=lambda one: one.name)
        ),
        *(_partition_line(cluster, one) for one in effective_partitions(cluster)),
    ]
    return "\n".join(lines) + "\n"


def render_gres_conf() -> str:
    """Return gres.conf: an include of what each worker finds in its own Pod.

    Only a worker knows which devices it was given. slurmctld sends this file to workers
    but not an absolute include, so each reads its own.
    """
    return f"# Rendered by sunk: each worker lists its own devices.\nInclude {GRES_FILE}\n"


def render_topology_conf(cluster: SlurmCluster) -> str:
    """Return topology.conf, the description's text as it is; empty when there is none."""
    text = cluster.topology.strip()
    return f"# From SlurmCluster {cluster.name}, spec.topology.\n{text}\n" if text else ""


def render_mpi_conf() -> str:
    """Return mpi.conf: PMIx fences go around a ring of the nodes.

    Slurm 24.11's default for a fence without data, a tree, lets ranks leave before all have come
    (tests/cluster/test_mpi.py measures it). Open MPI ends MPI_Init with such a fence: the first
    rank then sends to ranks that cannot receive yet, and those crash.
    """
    return "# Rendered by sunk: the default lets ranks leave MPI_Init early.\nPMIxCollFence=ring\n"


def node_set_name(name: str) -> str:
    """Return the name of the NodeSet line of slurm.conf for a node set of ours.

    The prefix keeps it apart from node names and from Slurm's word ALL.
    """
    return f"ns_{name}"


def merge_options(base: Iterable[str], extra: str) -> str:
    """Return a comma-separated option list with `extra` added.

    An option given again (compared up to its ``=``) replaces ours: ``bf_interval=30``.
    """
    merged = {option.partition("=")[0].lower(): option for option in base}
    for option in extra.split(","):
        merged[option.partition("=")[0].lower()] = option
    return ",".join(option for option in merged.values() if option)


def _fixed(cluster: SlurmCluster) -> dict[str, str]:
    return {
        "AccountingStorageHost": DATABASE_DAEMON_HOST,
        "AccountingStoragePort": str(SLURMDBD_PORT),
        "AccountingStorageType": "accounting_storage/slurmdbd",
        "AuthAltParameters": f"jwt_key={JWT_KEY_PATH}",
        "AuthAltTypes": "auth/jwt",
        "AuthType": "auth/slurm",
        "ClusterName": cluster.name,
        "CredType": "auth/slurm",
        "SlurmUser": "slurm",
        "SlurmctldHost": f"{CONTROLLER_HOST}({controller_address(cluster)})",
        "SlurmctldPidFile": "/run/slurmctld/slurmctld.pid",
        "SlurmctldPort": str(SLURMCTLD_PORT),
        "SlurmdPidFile": "/run/slurm/slurmd.pid",
        "SlurmdPort": str(SLURMD_PORT),
        "SlurmdSpoolDir": SPOOL_FOLDER,
        "StateSaveLocation": STATE_FOLDER,
    }


def _defaults_and_overrides(overrides: Mapping[str, str]) -> dict[str, str]:
    settings = {**DEFAULTS, **{key: ",".join(value) for key, value in _MERGED.items()}}
    for written, value in sorted(overrides.items()):
        key = canonical_key(written)
        if key is None or key in RESERVED_KEYS:
            raise InputError(
                f"write {written} in slurm.conf: "
                + ("no such key in Slurm 24.11" if key is None else "sunk sets this key itself"),
                hint="see slurm.conf(5); remove it from slurmConf",
            )
        settings[key] = merge_options(_MERGED[key], value) if key in MERGED_KEYS else value
    return settings


def _partition_line(cluster: SlurmCluster, partition: Partition) -> str:
    members = partition.node_sets or tuple(one.name for one in cluster.node_sets)
    pairs = [("PartitionName", partition.name)]
    if members:
        pairs.append(("Nodes", ",".join(node_set_name(name) for name in sorted(members))))
    pairs.append(("Default", "YES" if partition.default else "NO"))
    pairs.append(("State", partition.state.value))
    pairs.append(("MaxTime", partition.max_time))
    further = {}
    for written, value in partition.parameters.items():
        key = canonical_partition_key(written)
        if key is None or key in RESERVED_PARTITION_KEYS:
            raise InputError(
                f"write {written} of partition {partition.name}: "
                + ("no such parameter" if key is None else "it has a field of its own"),
                hint="see slurm.conf(5), PARTITION CONFIGURATION",
            )
        further[key] = value
    pairs.extend(sorted(further.items()))
    return " ".join(conf_pair(key, value) for key, value in pairs)
