"""What the bridge knows about workers at one moment: wishes, Pods, Nodes, Slurm's records, trust.

A worker is one Slurm node and one Pod of the same name: ``<node set>-<ordinal>``, or the Kubernetes
Node's where a NodeSet wants one worker on each. Planners decide on a `Snapshot` alone. What was not
read, or is not believed, is said by `Trust`, never by an empty list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sunk.model.kube import KubeNode
from sunk.model.slurm import JobId, NodeName, SlurmNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whether conclusions may be drawn from what is missing in a reading.

    Attributes:
        why_not: why it is not believed, for people; empty when it is.
        first: it is a complete answer, the first of all, which nothing contradicts. That is enough
            to make what is missing, where a name that is taken after all is refused.
    """

    why_not: str = ""
    first: bool = False

    @property
    def ok(self) -> bool:
        """Whether the reading is complete, fresh and believed."""
        return not self.why_not


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSet:
    """What somebody wants of a NodeSet.

    Attributes:
        replicas: how many workers; not counted when `machines` are named.
        machines: Kubernetes Nodes that shall have one worker each; None for any number anywhere.
        closed: of `machines`, those that get no new worker, with the reason; one there stays.
        revision: digest of what its Pods are made from; empty when that is not known.
        frozen: why nothing is made, removed or replaced; empty for a set that can be acted on.
        deleting: the NodeSet is to go, its workers with it.
    """

    name: str
    replicas: int
    machines: tuple[str, ...] | None = None
    closed: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""
    frozen: str = ""
    deleting: bool = False

    @property
    def wanted(self) -> int:
        """How many workers there should be in the end."""
        if self.deleting:
            return 0
        return self.replicas if self.machines is None else len(self.machines)

    def surplus(self, pods: Iterable[WorkerPod]) -> int:
        """How many of these Pods are more than wanted; of a set with machines, all elsewhere."""
        mine = [pod for pod in pods if pod.node_set == self.name]
        if self.frozen:
            return 0
        if self.machines is None or self.deleting:
            return max(0, len(mine) - self.wanted)
        return sum(pod.machine not in self.machines for pod in mine)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPod:
    """A Pod that we made for a worker.

    Attributes:
        name: name of the Pod and of the Slurm node.
        uid: tells it from an earlier or later Pod of the name.
        node_set: NodeSet that it belongs to.
        ordinal: number in its name; None for the worker of a named machine.
        machine: Kubernetes Node that it was made for; None for one that may be anywhere.
        kube_node: Node it is bound to; nothing while pending.
        machine_uid: UID of that Node when it was bound, as it was noted on the Pod; empty before.
        deleting: its deletion is under way.
        ended: its containers ended for good (evicted, for example); only its name is left.
        revision: digest of what it was made from.
        deletion_cost: the higher, the later it is chosen when workers must go.
        created: seconds since the epoch.
    """

    name: NodeName
    uid: str
    node_set: str
    ordinal: int | None
    machine: str | None = None
    kube_node: str | None = None
    machine_uid: str = ""
    deleting: bool = False
    ended: bool = False
    revision: str = ""
    deletion_cost: int = 0
    created: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The jobs on a Slurm node.

    Attributes:
        jobs: their numbers, sorted.
        ends_at: when the last of them reaches its time limit, in seconds since the epoch; None
            when that is not known.
    """

    jobs: tuple[JobId, ...]
    ends_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything at one moment.

    Attributes:
        sets: NodeSets of one Slurm cluster.
        pods: our worker Pods.
        pods_trust: whether a Pod that is not in `pods` does not exist.
        kube_nodes: Kubernetes Nodes by name.
        kube_nodes_trust: the same for Nodes.
        records: Slurm's nodes by name, ours and others'.
        slurm_trust: whether records and loads are believed.
        loads: jobs by Slurm node; a node without an entry has none.
        pod_of_record: UID of the Pod that registered a record, where the record says so. A record
            without an entry was not made by a worker of ours.
        forgotten: workers whose slurmd runs and that Slurm has not known for a while.
    """

    sets: tuple[WorkerSet, ...] = ()
    pods: tuple[WorkerPod, ...] = ()
    pods_trust: Trust = field(default_factory=Trust)
    kube_nodes: Mapping[str, KubeNode] = field(default_factory=dict)
    kube_nodes_trust: Trust = field(default_factory=Trust)
    records: Mapping[NodeName, SlurmNode] = field(default_factory=dict)
    slurm_trust: Trust = field(default_factory=Trust)
    loads: Mapping[NodeName, Load] = field(default_factory=dict)
    pod_of_record: Mapping[NodeName, str] = field(default_factory=dict)
    forgotten: frozenset[NodeName] = frozenset()

    @property
    def trusts(self) -> tuple[Trust, Trust, Trust]:
        """How far the readings are believed: Pods, Kubernetes Nodes, Slurm."""
        return (self.pods_trust, self.kube_nodes_trust, self.slurm_trust)
