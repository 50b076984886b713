"""Names that other systems see: labels, annotations, field managers, objects, ports.

Each says who sets it and who reads it. Change one only with a migration.
"""

from __future__ import annotations

API_GROUP = "sunk.dev"
"""Prefix of our labels and annotations, group of our resources."""

FIELD_MANAGER = "sunk"
"""Owner of the fields that we apply server-side; read by kube-apiserver's conflict detection."""

LABEL_NAME = "app.kubernetes.io/name"
"""Component (slurmctld, slurmd, …); set by the renderers, read by selectors."""
LABEL_INSTANCE = "app.kubernetes.io/instance"
"""The SlurmCluster's name; set by the renderers."""
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
"""Always ``sunk``; set by the renderers, read before anything is changed or deleted."""
LABEL_NODE_SET = f"{API_GROUP}/node-set"
"""The NodeSet's name on worker Pods; set by the renderers."""
ANNOTATION_CONFIG_HASH = f"{API_GROUP}/config-hash"
"""Digest of the configuration a Pod was started with; a change restarts the Pod."""
ANNOTATION_REVISION = f"{API_GROUP}/revision"
"""Digest of what a worker Pod was made from; read by the bridge, which replaces those of others."""
ANNOTATION_OFFERED = f"{API_GROUP}/offered"
"""Digest of the configuration offered to slurmctld, on its Pod: a change makes the kubelet look."""
ANNOTATION_MACHINE = f"{API_GROUP}/machine"
"""Kubernetes Node that a worker Pod was made for; set where there is one worker on each Node."""
ANNOTATION_MACHINE_UID = f"{API_GROUP}/node-uid"
"""UID of the Kubernetes Node that a worker Pod was bound to; set by the bridge, read by it and by
the worker, so that a Node made anew under the name is not taken for that one."""
ANNOTATION_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
"""The lower, the sooner a worker is chosen when some must go; set by people, read by the bridge."""
LABEL_COLLECT = f"{API_GROUP}/collect"
"""Token of one collection, on the DaemonSet that it makes and its Pods; read by that collection."""
ANNOTATION_COLLECT_UNTIL = f"{API_GROUP}/collect-until"
"""On such a DaemonSet: the time in UTC after which any collection may delete it as left over."""
FINALIZER = f"{API_GROUP}/bridge"
"""On SlurmClusters and NodeSets: they stay until the bridge has seen their jobs to an end."""

BRIDGE_LEASE = "sunk-bridge"
"""Lease in a Slurm cluster's namespace; whichever bridge holds it acts. One name for all of them,
so that two releases of the chart, or a bridge beside the cluster, never act at once."""

EXTRA_POD_UID = "podUid"
"""Key in the field ``extra`` of a Slurm node; set by a worker's slurmd, read by the bridge."""

EXTRA_NODE_UID = "nodeUid"
"""The same for its Kubernetes Node's UID."""

CONTROLLER_POD = "slurmctld-0"
"""slurmctld's Pod; made by its StatefulSet."""

LOGIN_POD = "login-0"
"""The login node's Pod; its sackd container runs Slurm's commands for the bridge, where asked."""

SLURMCTLD_PORT = 6817
SLURMD_PORT = 6818
SLURMDBD_PORT = 6819
SLURMRESTD_PORT = 6820
MARIADB_PORT = 3306
SSH_PORT = 22

TORCH_FOLDER = "/opt/sunk-torch"
"""Where login and worker Pods have the torch environment, read-only; its programs say this path."""
RAY_FOLDER = "/opt/sunk-ray"
"""The same of the Ray environment."""

SLURM_UID = 64030
"""Debian's fixed id of the user and group ``slurm``."""
