"""What a description must satisfy beyond its types; pure, the first faults first.

`sunk.render.description` turns a `Problem` into an error with file and document; code that builds
a SlurmCluster by itself (the bridge, from custom resources) calls `problems` too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from sunk.errors import InputError
from sunk.model.cluster import NodeSet, Partition, SlurmCluster, User, UsersFrom, slurm_shape
from sunk.model.file_form import camel
from sunk.model.quantity import parse_quantity
from sunk.model.storage import Claim, Database
from sunk.render import forms
from sunk.render.isolation import isolation_problems
from sunk.render.pod_checks import image_problems, pod_problems
from sunk.render.problem import Path, Problem, duplicates, quantity, size
from sunk.render.slurm_conf import DEFAULTS
from sunk.render.slurm_keys import (
    RESERVED_KEYS,
    RESERVED_PARTITION_KEYS,
    canonical_key,
    canonical_partition_key,
)
from sunk.render.text import VALUE_ALLOWED, has_control, is_conf_value

__all__ = ["Problem", "problems"]


def problems(cluster: SlurmCluster) -> Iterator[Problem]:
    """Yield every fault of a cluster; nothing when it can be rendered and run."""
    yield from _control_characters((), cluster)
    yield from _own_names(cluster)
    yield from _images(cluster)
    yield from _users(cluster.users)
    yield from _users_from(cluster.users_from)
    for index, node_set in enumerate(cluster.node_sets):
        yield from _node_set(("nodeSets", index), node_set, cluster)
    yield from duplicates(("nodeSets",), [("name", one.name) for one in cluster.node_sets])
    yield from _node_count(cluster)
    yield from _partitions(cluster)
    for name in ("home", "state", "database"):
        yield from _claim(("storage", name), getattr(cluster.storage, name))
    yield from _database(cluster.database)
    yield from _login(cluster)
    yield from _slurm_conf(cluster.slurm_conf)
    yield from _topology(cluster.topology)
    yield from isolation_problems(cluster)
    yield from pod_problems(cluster)


def _users_from(where: UsersFrom | None) -> Iterator[Problem]:
    if where is None:
        return
    if (where.config_map is None) == (where.secret is None):
        yield Problem(
            path=("usersFrom",),
            value=where.config_map or where.secret,
            allowed="one of configMap and secret",
        )
    for key, name in (("configMap", where.config_map), ("secret", where.secret)):
        if name is not None and not forms.SUBDOMAIN.fullmatch(name):
            yield Problem(path=("usersFrom", key), value=name, allowed="an object's name")
    if not forms.CONFIG_KEY.fullmatch(where.key):
        yield Problem(path=("usersFrom", "key"), value=where.key, allowed="a key of such an object")
    if not forms.ACCOUNT.fullmatch(where.account):
        yield Problem(
            path=("usersFrom", "account"),
            value=where.account,
            allowed="lower-case letters, digits, _ and -",
        )


def _topology(text: str) -> Iterator[Problem]:
    """Lines of topology.conf: printable ASCII, and nothing that includes another file."""
    for number, line in enumerate(text.splitlines()):
        word = line.strip().partition(" ")[0].partition("=")[0].lower()
        if not line.isascii() or not line.replace("\t", " ").isprintable() or word == "include":
            yield Problem(
                path=("topology",),
                value=f"line {number + 1}: {line[:40]}",
                allowed="lines of topology.conf(5) in printable ASCII, without Include",
            )


def _own_names(cluster: SlurmCluster) -> Iterator[Problem]:
    # 40 characters: the name begins every table of the accounting database.
    if not forms.LABEL.fullmatch(cluster.name) or len(cluster.name) > 40:
        yield Problem(
            path=("name",), value=cluster.name, allowed=f"{forms.LABEL_ALLOWED}, here at most 40"
        )
    if not forms.LABEL.fullmatch(cluster.namespace):
        yield Problem(path=("namespace",), value=cluster.namespace, allowed=forms.LABEL_ALLOWED)


def _images(cluster: SlurmCluster) -> Iterator[Problem]:
    images = cluster.images
    for key, value in (("slurm", images.slurm), ("login", images.login)):
        if not forms.IMAGE.fullmatch(value):
            yield Problem(path=("images", key), value=value, allowed="an image name and tag")
    yield from image_problems(images)
    if images.pull_policy not in forms.PULL_POLICIES:
        yield Problem(
            path=("images", "pullPolicy"),
            value=images.pull_policy,
            allowed=", ".join(forms.PULL_POLICIES),
        )
    for index, value in enumerate(images.pull_secrets):
        if not forms.SUBDOMAIN.fullmatch(value):
            yield Problem(
                path=("images", "pullSecrets", index), value=value, allowed="a Secret's name"
            )


def _users(users: tuple[User, ...]) -> Iterator[Problem]:
    for index, user in enumerate(users):
        path: Path = ("users", index)
        if not forms.USER.fullmatch(user.name) or user.name in forms.SYSTEM_USERS:
            yield Problem(
                path=(*path, "name"),
                value=user.name,
                allowed="a login of at most 32 lower-case letters, digits, _ and -, "
                "none of the image's own users",
            )
        for key, number in (("uid", user.uid), ("gid", user.group_id)):
            if not 1000 <= number <= forms.ID_LIMIT:
                yield Problem(
                    path=(*path, key),
                    value=number,
                    allowed=f"1000 to {forms.ID_LIMIT}; {forms.SYSTEM_IDS.start} to "
                    f"{forms.SYSTEM_IDS.stop - 1} are the daemons' own",
                )
        if not forms.ACCOUNT.fullmatch(user.account):
            yield Problem(
                path=(*path, "account"),
                value=user.account,
                allowed="lower-case letters, digits, _ and -",
            )
        if not forms.SHELL.fullmatch(user.shell):
            yield Problem(path=(*path, "shell"), value=user.shell, allowed="an absolute path")
        for number, key_line in enumerate(user.ssh_keys):
            if not forms.SSH_KEY.fullmatch(key_line):
                yield Problem(
                    path=(*path, "sshKeys", number),
                    value=key_line,
                    allowed="one public key without options: type, base64, comment",
                )
    yield from duplicates(("users",), [("name", user.name) for user in users])
    yield from duplicates(("users",), [("uid", user.uid) for user in users])


def _node_set(path: Path, node_set: NodeSet, cluster: SlurmCluster) -> Iterator[Problem]:
    name = node_set.name
    # 52 characters: Kubernetes appends a hash of 10 to the name and puts it into a label.
    if not forms.LABEL.fullmatch(name) or not name[0].isalpha() or len(name) > 52:
        yield Problem(
            path=(*path, "name"),
            value=name,
            allowed=f"{forms.LABEL_ALLOWED}, here at most 52 and a letter first",
        )
    if name in forms.DAEMON_NAMES:
        yield Problem(
            path=(*path, "name"),
            value=name,
            allowed=f"not one of {', '.join(sorted(forms.DAEMON_NAMES))}",
        )
    if not 0 <= node_set.replicas <= forms.MOST_REPLICAS:
        yield Problem(
            path=(*path, "replicas"), value=node_set.replicas, allowed=f"0 to {forms.MOST_REPLICAS}"
        )
    if not 0 <= node_set.gpus <= 64:
        yield Problem(path=(*path, "gpus"), value=node_set.gpus, allowed="0 to 64")
    if not forms.GPU_RESOURCE.fullmatch(node_set.gpu_resource):
        yield Problem(
            path=(*path, "gpuResource"),
            value=node_set.gpu_resource,
            allowed="an extended resource such as nvidia.com/gpu",
        )
    names = {other.name for other in cluster.node_sets} - {name}
    for index, feature in enumerate(node_set.features):
        if not forms.FEATURE.fullmatch(feature) or feature in names:
            yield Problem(
                path=(*path, "features", index),
                value=feature,
                allowed="letters, digits, _ and -, a letter first, not another node set's name",
            )
    yield from _resources(path, node_set)


def _node_count(cluster: SlurmCluster) -> Iterator[Problem]:
    """Yield a problem when slurmctld would refuse workers, which only its log would tell."""
    written = {key.lower(): value for key, value in cluster.slurm_conf.items()}
    most = written.get("maxnodecount", DEFAULTS["MaxNodeCount"])
    total = 0
    for index, node_set in enumerate(cluster.node_sets):
        total += node_set.replicas
        if most.isdecimal() and total > int(most):
            yield Problem(
                path=("nodeSets", index, "replicas"),
                value=node_set.replicas,
                allowed=f"{most} workers in all; raise slurmConf.MaxNodeCount",
            )


def _resources(path: Path, node_set: NodeSet) -> Iterator[Problem]:
    bad = False
    for key, text in (
        ("cpu", node_set.cpu),
        ("memory", node_set.memory),
        ("memoryOverhead", node_set.memory_overhead),
        ("cpuRequest", node_set.cpu_request),
        ("memoryRequest", node_set.memory_request),
    ):
        for problem in quantity((*path, key), text) if text is not None else ():
            bad = True
            yield problem
    if bad:
        return
    for key, request, limit in (
        ("cpuRequest", node_set.cpu_request, node_set.cpu),
        ("memoryRequest", node_set.memory_request, node_set.memory),
    ):
        if request is not None and parse_quantity(request) > parse_quantity(limit):
            yield Problem(path=(*path, key), value=request, allowed=f"at most the limit, {limit}")
    try:
        slurm_shape(node_set)
    except InputError as exc:
        key, value = ("cpu", node_set.cpu) if "CPU" in exc.message else ("memory", node_set.memory)
        yield Problem(path=(*path, key), value=value, allowed=exc.hint or exc.message)


def _partitions(cluster: SlurmCluster) -> Iterator[Problem]:
    known = {one.name for one in cluster.node_sets}
    for index, partition in enumerate(cluster.partitions):
        path: Path = ("partitions", index)
        # Slurm takes PartitionName=default, in any case, for defaults of the lines after it.
        if not forms.LABEL.fullmatch(partition.name) or partition.name == "default":
            yield Problem(
                path=(*path, "name"),
                value=partition.name,
                allowed=f"{forms.LABEL_ALLOWED}, not default",
            )
        for number, name in enumerate(partition.node_sets):
            if name not in known:
                yield Problem(
                    path=(*path, "nodeSets", number),
                    value=name,
                    allowed=f"a NodeSet of this cluster: {', '.join(sorted(known)) or 'none'}",
                )
        if not forms.TIME.fullmatch(partition.max_time):
            yield Problem(
                path=(*path, "maxTime"),
                value=partition.max_time,
                allowed="UNLIMITED, minutes, hours:minutes:seconds or days-hours",
            )
        yield from _partition_parameters(path, partition)
    yield from duplicates(("partitions",), [("name", one.name) for one in cluster.partitions])
    defaults = [index for index, one in enumerate(cluster.partitions) if one.default]
    for index in defaults[1:]:
        yield Problem(
            path=("partitions", index, "default"), value=True, allowed="one default partition"
        )


def _partition_parameters(path: Path, partition: Partition) -> Iterator[Problem]:
    for written, value in sorted(partition.parameters.items()):
        key = canonical_partition_key(written)
        where: Path = (*path, "parameters", written)
        if key is None:
            allowed = "a parameter of slurm.conf(5), PARTITION CONFIGURATION"
            yield Problem(path=where, value=value, allowed=allowed)
        elif key in RESERVED_PARTITION_KEYS:
            yield Problem(path=where, value=value, allowed="the partition's own field for it")
        elif not is_conf_value(value) or " " in value or "=" in _bare(key, value):
            yield Problem(path=where, value=value, allowed=f"{VALUE_ALLOWED}, no space or =")
    yield from _twice((*path, "parameters"), partition.parameters)


def _bare(key: str, value: str) -> str:
    """Return the value, or nothing where Slurm's own grammar has ``name=number`` lists."""
    return "" if key == "TRESBillingWeights" else value


def _slurm_conf(settings: Mapping[str, str]) -> Iterator[Problem]:
    for written, value in sorted(settings.items()):
        key = canonical_key(written)
        where: Path = ("slurmConf", written)
        if key is None:
            yield Problem(path=where, value=value, allowed="a key of slurm.conf(5), Slurm 24.11")
        elif key in RESERVED_KEYS:
            yield Problem(path=where, value=value, allowed="not this key: sunk sets it")
        elif not is_conf_value(value):
            yield Problem(path=where, value=value, allowed=VALUE_ALLOWED)
    yield from _twice(("slurmConf",), settings)


def _twice(path: Path, settings: Mapping[str, str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for key in sorted(settings):
        if key.lower() in seen:
            yield Problem(path=(*path, key), value=settings[key], allowed="each key once")
        seen.add(key.lower())


def _claim(path: Path, claim: Claim) -> Iterator[Problem]:
    yield from size((*path, "size"), claim.size)
    if claim.storage_class is not None and not forms.SUBDOMAIN.fullmatch(claim.storage_class):
        yield Problem(
            path=(*path, "storageClass"), value=claim.storage_class, allowed="a StorageClass's name"
        )


def _database(database: Database) -> Iterator[Problem]:
    external = database.external
    if external is None:
        return
    path: Path = ("database", "external")
    if database.pod is not None:
        allowed = "nothing: with an external database no MariaDB is made"
        yield Problem(path=("database", "pod"), value="a Pod", allowed=allowed)
    for key, form, value, allowed in (
        ("host", forms.DATABASE_HOST, external.host, "a host name or IPv4 address"),
        ("name", forms.DATABASE_NAME, external.name, "letters, digits and _, at most 64"),
        ("user", forms.DATABASE_USER, external.user, "letters, digits, _, . and -, at most 80"),
        ("passwordSecret", forms.SUBDOMAIN, external.password_secret, "a Secret's name"),
        ("passwordKey", forms.CONFIG_KEY, external.password_key, "a key of such an object"),
    ):
        if not form.fullmatch(value):
            yield Problem(path=(*path, key), value=value, allowed=allowed)
    if not 1 <= external.port <= 65535:
        yield Problem(path=(*path, "port"), value=external.port, allowed="1 to 65535")
    for key, value in sorted(external.parameters.items()):
        if key not in forms.STORAGE_PARAMETERS or not forms.STORAGE_VALUE.fullmatch(value):
            allowed = f"a path or name for one of {', '.join(forms.STORAGE_PARAMETERS)}"
            yield Problem(path=(*path, "parameters", key), value=value, allowed=allowed)


def _login(cluster: SlurmCluster) -> Iterator[Problem]:
    login = cluster.login
    if login.service_type not in forms.SERVICE_TYPES:
        yield Problem(
            path=("login", "serviceType"),
            value=login.service_type,
            allowed=", ".join(forms.SERVICE_TYPES),
        )
    if login.node_port is not None and (
        login.service_type != "NodePort" or login.node_port not in forms.NODE_PORTS
    ):
        yield Problem(
            path=("login", "nodePort"),
            value=login.node_port,
            allowed="30000 to 32767, with serviceType NodePort",
        )


def _control_characters(path: Path, value: object) -> Iterator[Problem]:
    if isinstance(value, str):
        # The one text of several lines has a check of its own.
        if path != ("topology",) and has_control(value):
            yield Problem(path=path, value=value, allowed="one line without control characters")
    elif is_dataclass(value):
        for one in fields(value):
            yield from _control_characters((*path, camel(one.name)), getattr(value, one.name))
    elif isinstance(value, Mapping):
        for key in sorted(value):
            yield from _control_characters((*path, "key"), key)
            yield from _control_characters((*path, key), value[key])
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _control_characters((*path, index), item)
