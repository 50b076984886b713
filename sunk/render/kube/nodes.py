"""The Pods that users meet: the login node and the workers."""

from __future__ import annotations

from sunk.model.cluster import Isolation, NodeSet, SlurmCluster, slurm_shape
from sunk.model.quantity import parse_quantity
from sunk.render.keys import (
    SECRET_SLURM_KEY,
    SECRET_SSH_HOST,
    SLURM_KEY_FILE,
    SSH_HOST_KEY_FILE,
    ClusterKeys,
)
from sunk.render.kube.files import AUTHORIZED_KEYS, LOGIN_CONF, Files
from sunk.render.kube.parts import (
    SCRIPTS,
    SCRIPTS_FOLDER,
    SLURM_CONF,
    USERS,
    USERS_FOLDER,
    Container,
    Mount,
    Object,
    Pod,
    bash,
    claim,
    config,
    digest,
    joined,
    listens,
    metadata,
    of_config,
    of_secret,
    probe,
    requests,
    scratch,
    script,
    security,
    selector,
    service,
    stateful_set,
)
from sunk.render.slurm_conf import GRES_FILE, controller_address
from sunk.wellknown import (
    ANNOTATION_MACHINE,
    ANNOTATION_MACHINE_UID,
    ANNOTATION_REVISION,
    LABEL_NODE_SET,
    SLURM_UID,
    SLURMCTLD_PORT,
    SLURMD_PORT,
    SSH_PORT,
)

LOGIN_PORT = 2222
"""Where sshd listens in its Pod: above 1024, so that it needs no capability; 22 at the Service."""
DRAIN_SECONDS = 30
"""How long a worker that is told to stop waits for its jobs."""
_HOOK_SLACK_SECONDS = 45
"""Time for the hook's own calls and for slurmd's end, after the wait."""

SLURMD_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID")
"""The least set with which jobs start, are cancelled and run PMIx; each was tried without."""
RDMA_CAPABILITIES = ("IPC_LOCK",)
"""What slurmd has besides, so that root's programs register memory whatever the memlock limit."""
SSHD_CAPABILITIES = ("AUDIT_WRITE", "CHOWN", "SETGID", "SETUID", "SYS_CHROOT")
"""The least set with which sshd serves users and homes are made; each was tried without.

Without AUDIT_WRITE commands and sftp work, but a session with a terminal is cut.
"""

_SCRIPTS = config(SCRIPTS, SCRIPTS_FOLDER, volume="scripts")
_USERS = config(USERS, USERS_FOLDER, volume="users")
_FACTS_FOLDER = "/etc/sunk/pod"
_POD_FACTS = Mount(
    name="pod-facts",
    path=_FACTS_FOLDER,
    source={
        "downwardAPI": {
            "items": [
                {
                    "fieldRef": {"fieldPath": f"metadata.annotations['{ANNOTATION_MACHINE_UID}']"},
                    "path": "node-uid",
                }
            ]
        }
    },
    read_only=True,
)
"""What is noted on the Pod once it is bound: a volume shows it to a running container too."""
_SETTLE_FOLDER = "/etc/sunk/settle"
"""slurm.conf with its key beside it, for what a worker does before slurmd fetches its own.

Not in ``/etc/slurm``: there every user's command would take it for the configuration.
"""


def login(cluster: SlurmCluster, keys: ClusterKeys, files: Files) -> tuple[Object, ...]:
    """Return the login node's Service and StatefulSet.

    sshd and sackd are two containers, so that the one that strangers talk to holds no Slurm key.
    They share ``/run/slurm``, which only sackd may write: who could replace the socket or the
    slurm.conf there would act for every user.
    """
    pod = Pod(
        component="login",
        containers=(_sshd(cluster), _sackd(cluster)),
        config_hash=digest(
            {
                **files.login,
                SLURM_KEY_FILE: keys.slurm_key,
                SSH_HOST_KEY_FILE: keys.ssh_host_key,
                **_scripts(files, "login.sh", "sackd.sh", "ready-login.sh", "ready-sackd.sh"),
            }
        ),
        overlay=cluster.login.pod,
    )
    port: Object = {
        "name": "ssh",
        "port": SSH_PORT,
        "protocol": "TCP",
        "targetPort": LOGIN_PORT,
    }
    if cluster.login.node_port is not None:
        port["nodePort"] = cluster.login.node_port
    return (
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata(cluster, "login", "login"),
            "spec": {
                "ports": [port],
                "selector": selector(cluster, "login"),
                "type": cluster.login.service_type,
            },
        },
        # Named like the Pod: slurmctld knows a submitting host by its bare name only.
        service(cluster, "login", ("ssh", LOGIN_PORT), name="login-0"),
        stateful_set(cluster, pod),
    )


def worker_service(cluster: SlurmCluster, node_set: NodeSet) -> Object:
    """Return a node set's Service: it gives each worker Pod its name in DNS."""
    front = service(cluster, "slurmd", ("slurmd", SLURMD_PORT), name=node_set.name)
    front["metadata"]["labels"] |= {LABEL_NODE_SET: node_set.name}
    front["spec"]["selector"] |= {LABEL_NODE_SET: node_set.name}
    return front


def worker_revision(
    cluster: SlurmCluster, node_set: NodeSet, keys: ClusterKeys, files: Files
) -> str:
    """Return a digest of everything that the worker Pods of a set are made from."""
    return digest(_worker_template(cluster, node_set, keys, files))


def worker_pod(
    cluster: SlurmCluster,
    node_set: NodeSet,
    keys: ClusterKeys,
    files: Files,
    *,
    name: str,
    machine: str | None = None,
) -> Object:
    """Return the Pod of one worker: the Slurm node of its own name.

    Args:
        cluster: the description.
        node_set: one of its node sets.
        keys: the cluster's secrets.
        files: the cluster's files.
        name: name of the Pod and of the Slurm node.
        machine: Kubernetes Node that it must run on.
    """
    template = _worker_template(cluster, node_set, keys, files)
    spec = {**template["spec"], "hostname": name, "subdomain": node_set.name}
    notes = {ANNOTATION_REVISION: digest(template)}
    if machine is not None:
        notes[ANNOTATION_MACHINE] = machine
        spec["affinity"] = _only_on(machine, spec.get("affinity") or {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "annotations": {**template["metadata"]["annotations"], **notes},
            "labels": template["metadata"]["labels"],
            "name": name,
            "namespace": cluster.namespace,
        },
        "spec": spec,
    }


def _only_on(machine: str, affinity: Object) -> Object:
    """Return an affinity to one Node beside a site's own, as a DaemonSet's Pods have it."""
    field = {"key": "metadata.name", "operator": "In", "values": [machine]}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    to_nodes = affinity.get("nodeAffinity") or {}
    # Any one of the terms is enough, so that each has to name the machine.
    terms = (to_nodes.get(required) or {}).get("nodeSelectorTerms") or [{}]
    pinned = [{**one, "matchFields": [*one.get("matchFields", ()), field]} for one in terms]
    return {
        **affinity,
        "nodeAffinity": {**to_nodes, required: {"nodeSelectorTerms": pinned}},
    }


def _worker_template(
    cluster: SlurmCluster, node_set: NodeSet, keys: ClusterKeys, files: Files
) -> Object:
    further = {LABEL_NODE_SET: node_set.name}
    pod = Pod(
        component="slurmd",
        containers=(_slurmd(cluster, node_set),),
        # slurm.conf is not part of it: workers fetch it and are told of changes without a restart.
        config_hash=digest(
            {
                SLURM_KEY_FILE: keys.slurm_key,
                **_scripts(files, "slurmd.sh", "drain.sh", "ready-slurmd.sh"),
            }
        ),
        grace_seconds=DRAIN_SECONDS + _HOOK_SLACK_SECONDS,
        overlay=node_set.pod,
        further_labels=further,
        further={
            "topologySpreadConstraints": [
                {
                    "labelSelector": {"matchLabels": {**selector(cluster, "slurmd"), **further}},
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    # A full or lost machine must not keep workers from the others.
                    "whenUnsatisfiable": "ScheduleAnyway",
                }
            ]
        },
    )
    return pod.template(cluster)


def node_conf(node_set: NodeSet) -> str:
    """Return slurmd's ``--conf``: what a worker of this set tells Slurm about itself."""
    shape = slurm_shape(node_set)
    words = [
        f"CPUs={shape.cpus}",
        f"RealMemory={shape.real_memory_mib}",
        f"Feature={','.join(shape.features)}",
    ]
    if shape.gpus:
        words.append(f"Gres=gpu:{shape.gpus}")
    return " ".join(words)


def _slurmd(cluster: SlurmCluster, node_set: NodeSet) -> Container:
    return Container(
        name="slurmd",
        image=cluster.images.slurm_image,
        command=script("slurmd.sh"),
        values={
            **_controller(cluster),
            "DRAIN_SECONDS": str(_drain_seconds(node_set)),
            "GRES_FILE": GRES_FILE,
            "NODE_CONF": node_conf(node_set),
            "NODE_UID_FILE": f"{_FACTS_FOLDER}/node-uid",
            "NODE_GPUS": str(node_set.gpus),
            "SETTLE_CONF": f"{_SETTLE_FOLDER}/slurm.conf",
        },
        facts={"POD_UID": "metadata.uid"},
        mounts=(
            claim("home", "/home"),
            _shm(node_set),
            _POD_FACTS,
            _SCRIPTS,
            joined(
                "settle",
                _SETTLE_FOLDER,
                of_config(SLURM_CONF),
                of_secret(SECRET_SLURM_KEY, SLURM_KEY_FILE),
                mode=0o400,
            ),
            _slurm_key(mode=0o400),
            _USERS,
        ),
        security=security(
            add=(*SLURMD_CAPABILITIES, *(RDMA_CAPABILITIES if node_set.rdma else ())),
            read_only=False,
            privileged=cluster.isolation is Isolation.CGROUP,
        ),
        resources=_worker_resources(node_set),
        readiness=probe(*bash("ready-slurmd.sh"), period_seconds=30),
        # slurmd listens when it has its configuration; to ask before that costs more than to start.
        startup=listens(SLURMD_PORT),
        port=("slurmd", SLURMD_PORT),
        lifecycle={"preStop": {"exec": {"command": list(bash("drain.sh"))}}},
    )


def _shm(node_set: NodeSet) -> Mount:
    """Return /dev/shm: Open MPI and NCCL share memory there; the runtime's default is 64 MiB."""
    limit = {} if node_set.shm_size is None else {"sizeLimit": node_set.shm_size}
    source = {"emptyDir": {"medium": "Memory", **limit}}
    return Mount(name="shm", path="/dev/shm", source=source)  # noqa: S108 - a mount point


def _drain_seconds(node_set: NodeSet) -> int:
    """Return how long a worker waits for its jobs: all of its time to stop that it can spare."""
    asked = None if node_set.pod is None else node_set.pod.termination_grace_period_seconds
    return DRAIN_SECONDS if asked is None else asked - _HOOK_SLACK_SECONDS


def _sshd(cluster: SlurmCluster) -> Container:
    return Container(
        name="sshd",
        image=cluster.images.login_image,
        command=script("login.sh"),
        values={
            "SSHD_CONFIG": "/etc/sunk/login/sshd_config",
            "USERS_FILE": f"{USERS_FOLDER}/passwd",
        },
        mounts=(
            config(AUTHORIZED_KEYS, "/etc/sunk/authorized-keys", volume="authorized-keys"),
            claim("home", "/home"),
            joined(
                "host-key",
                "/etc/sunk/host-key",
                of_secret(SECRET_SSH_HOST, SSH_HOST_KEY_FILE),
                mode=0o400,
            ),
            config(LOGIN_CONF, "/etc/sunk/login", volume="login-conf"),
            Mount(name="sack", path="/run/slurm", source={"emptyDir": {}}, read_only=True),
            _SCRIPTS,
            _USERS,
        ),
        security=security(add=SSHD_CAPABILITIES, read_only=False),
        resources=requests("20m", "32Mi"),
        readiness=probe(*bash("ready-login.sh")),
        port=("ssh", LOGIN_PORT),
    )


def _sackd(cluster: SlurmCluster) -> Container:
    return Container(
        name="sackd",
        image=cluster.images.slurm_image,
        command=script("sackd.sh"),
        values=_controller(cluster),
        mounts=(
            scratch("sack", "/run/slurm"),
            _SCRIPTS,
            _slurm_key(mode=0o440),
            _USERS,
        ),
        # Group root reads the key: an fsGroup would do, but Kubernetes would give it /home as well.
        security=security(uid=SLURM_UID, gid=0),
        resources=requests("10m", "16Mi"),
        readiness=probe(*bash("ready-sackd.sh")),
    )


def _slurm_key(*, mode: int) -> Mount:
    return joined("slurm-key", "/etc/slurm", of_secret(SECRET_SLURM_KEY, SLURM_KEY_FILE), mode=mode)


def _controller(cluster: SlurmCluster) -> dict[str, str]:
    return {"CONTROLLER_HOST": controller_address(cluster), "CONTROLLER_PORT": str(SLURMCTLD_PORT)}


def _worker_resources(node_set: NodeSet) -> Object:
    limits = {"cpu": node_set.cpu, "memory": node_set.memory}
    wanted = {
        "cpu": node_set.cpu_request or node_set.cpu,
        "memory": node_set.memory_request or node_set.memory,
    }
    if node_set.gpus:
        # Extended resources have no request of their own: it must equal the limit.
        limits[node_set.gpu_resource] = wanted[node_set.gpu_resource] = str(node_set.gpus)
    if node_set.rdma:
        limits[node_set.rdma_resource] = wanted[node_set.rdma_resource] = str(node_set.rdma_count)
    assert parse_quantity(wanted["cpu"]) <= parse_quantity(limits["cpu"])
    return {"limits": limits, "requests": wanted}


def _scripts(files: Files, *names: str) -> dict[str, str]:
    return {name: files.scripts[name] for name in ("common.sh", *names)}
