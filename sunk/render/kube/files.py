"""Namespace, Secrets, ConfigMaps and claims: what the Pods are started with."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from sunk.model.cluster import SlurmCluster
from sunk.model.storage import Claim
from sunk.render.accounts import (
    render_authorized_keys,
    render_group,
    render_passwd,
    render_shadow,
)
from sunk.render.database_conf import render_client_cnf, render_init_sql, render_slurmdbd_conf
from sunk.render.isolation import render_cgroup_conf
from sunk.render.keys import (
    JWT_KEY_FILE,
    PASSWORD_FILE,
    SECRET_DATABASE,
    SECRET_JWT,
    SECRET_SLURM_KEY,
    SECRET_SSH_HOST,
    SLURM_KEY_FILE,
    SSH_HOST_KEY_FILE,
    SSH_HOST_PUBLIC_KEY_FILE,
    ClusterKeys,
)
from sunk.render.kube.parts import SCRIPTS, SLURM_CONF, USERS, Object, digest, labels, metadata
from sunk.render.slurm_conf import (
    render_gres_conf,
    render_mpi_conf,
    render_slurm_conf,
    render_topology_conf,
)
from sunk.resources import data_folder

AUTHORIZED_KEYS = "login-authorized-keys"
LOGIN_CONF = "login-conf"
MARIADB_CONF = "mariadb-conf"
CLUSTER = "cluster"
"""Component of what belongs to no single daemon."""

CONF_DIGEST = "digest"
"""File beside slurm.conf with a digest of the configuration."""
SLURMDBD_CONF_FILE = "slurmdbd.conf"
INIT_SQL_FILE = "init.sql"
CLIENT_CNF_FILE = "client.cnf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Everything that ends up as a file in some Pod; made once, used by objects and digests.

    Attributes:
        slurm_conf: slurm.conf, cgroup.conf, gres.conf, mpi.conf, topology.conf, and their digest,
            by which slurmctld's Pod says which of them are in force.
        scripts: entry scripts, hooks and probes, by file name.
        users: passwd, group, shadow.
        authorized_keys: by user.
        login: sshd_config.
        mariadb: my.cnf.
        database: the database's files with its password.
    """

    slurm_conf: Mapping[str, str]
    scripts: Mapping[str, str]
    users: Mapping[str, str]
    authorized_keys: Mapping[str, str]
    login: Mapping[str, str]
    mariadb: Mapping[str, str]
    database: Mapping[str, str]


def render_files(cluster: SlurmCluster, keys: ClusterKeys) -> Files:
    """Return the files of a cluster."""
    folder = data_folder("templates") / "slurm"
    conf = {
        "cgroup.conf": render_cgroup_conf(cluster),
        "gres.conf": render_gres_conf(),
        "mpi.conf": render_mpi_conf(),
        "slurm.conf": render_slurm_conf(cluster),
    }
    if topology := render_topology_conf(cluster):
        conf["topology.conf"] = topology
    shipped = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())}
    return Files(
        slurm_conf={**conf, CONF_DIGEST: f"{digest(conf)}\n"},
        scripts={name: text for name, text in shipped.items() if name.endswith(".sh")},
        users={
            "group": render_group(cluster),
            "passwd": render_passwd(cluster),
            "shadow": render_shadow(cluster),
        },
        authorized_keys=render_authorized_keys(cluster),
        login={"sshd_config": shipped["sshd_config"]},
        mariadb={"my.cnf": shipped["my.cnf"]},
        database={
            CLIENT_CNF_FILE: render_client_cnf(keys),
            INIT_SQL_FILE: render_init_sql(keys),
            PASSWORD_FILE: keys.database_password,
            SLURMDBD_CONF_FILE: render_slurmdbd_conf(cluster, keys),
        },
    )


def namespace(cluster: SlurmCluster) -> Object:
    """Return the Namespace; Pod Security refuses anything privileged in it, unless allowed.

    What is allowed beyond baseline is still told to who applies it, and written to the audit log.
    """
    level = {
        f"pod-security.kubernetes.io/{mode}": "baseline" for mode in ("audit", "enforce", "warn")
    }
    level["pod-security.kubernetes.io/enforce"] = str(cluster.pod_security)
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"labels": {**labels(cluster, CLUSTER), **level}, "name": cluster.namespace},
    }


def secrets(cluster: SlurmCluster, keys: ClusterKeys, files: Files) -> tuple[Object, ...]:
    """Return the Secrets, one for each group of daemons that may see it."""
    host = {
        SSH_HOST_KEY_FILE: keys.ssh_host_key,
        SSH_HOST_PUBLIC_KEY_FILE: f"{keys.ssh_host_public_key}\n".encode(),
    }
    database = {name: text.encode() for name, text in files.database.items()}
    return (
        _secret(cluster, "login", SECRET_SSH_HOST, host),
        _secret(cluster, "slurmdbd", SECRET_DATABASE, database),
        _secret(cluster, "slurmctld", SECRET_JWT, {JWT_KEY_FILE: keys.jwt_key}),
        _secret(cluster, CLUSTER, SECRET_SLURM_KEY, {SLURM_KEY_FILE: keys.slurm_key}),
    )


def config_maps(cluster: SlurmCluster, files: Files) -> tuple[Object, ...]:
    """Return the ConfigMaps, sorted by name."""
    ours = cluster.database.external is None
    return (
        _config_map(cluster, "login", AUTHORIZED_KEYS, files.authorized_keys),
        _config_map(cluster, "login", LOGIN_CONF, files.login),
        *((_config_map(cluster, "mariadb", MARIADB_CONF, files.mariadb),) if ours else ()),
        _config_map(cluster, CLUSTER, SLURM_CONF, files.slurm_conf),
        _config_map(cluster, CLUSTER, SCRIPTS, files.scripts),
        _config_map(cluster, CLUSTER, USERS, files.users),
    )


def claims(cluster: SlurmCluster) -> tuple[Object, ...]:
    """Return the persistent volume claims, sorted by name."""
    storage = cluster.storage
    database = _claim(cluster, ("mariadb", "database"), storage.database, "ReadWriteOnce")
    return (
        *((database,) if cluster.database.external is None else ()),
        _claim(cluster, (CLUSTER, "home"), storage.home, "ReadWriteMany"),
        _claim(cluster, ("slurmctld", "state"), storage.state, "ReadWriteOnce"),
    )


def _secret(cluster: SlurmCluster, component: str, name: str, data: Mapping[str, bytes]) -> Object:
    return {
        "apiVersion": "v1",
        "data": {key: base64.b64encode(data[key]).decode("ascii") for key in sorted(data)},
        "kind": "Secret",
        "metadata": metadata(cluster, component, name),
        "type": "Opaque",
    }


def _config_map(
    cluster: SlurmCluster, component: str, name: str, data: Mapping[str, str]
) -> Object:
    return {
        "apiVersion": "v1",
        "data": dict(sorted(data.items())),
        "kind": "ConfigMap",
        "metadata": metadata(cluster, component, name),
    }


def _claim(cluster: SlurmCluster, who: tuple[str, str], claim: Claim, mode: str) -> Object:
    component, name = who
    spec: Object = {
        "accessModes": [mode],
        "resources": {"requests": {"storage": claim.size}},
    }
    if claim.storage_class is not None:
        spec["storageClassName"] = claim.storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(cluster, component, name),
        "spec": spec,
    }
