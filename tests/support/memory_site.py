"""A Slurm cluster and its Kubernetes in memory, with a bridge and a clock of the test's own."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections import Counter
from dataclasses import replace

from sunk.bridge.loop import Bridge, Settings
from sunk.clients.kube.memory import MemoryKube
from sunk.clients.slurm.memory import MemoryCluster, MemorySlurm
from sunk.errors import NotFound
from sunk.model.kube import (
    CONFIG_MAP,
    DEPLOYMENT,
    NODE,
    NODE_SET,
    POD,
    SLURM_CLUSTER,
    STATEFUL_SET,
    KubeObject,
)
from sunk.model.slurm import (
    JobId,
    JobState,
    JobSubmission,
    NodeName,
    NodeState,
    SlurmNode,
)
from sunk.plan.budget import Budget
from sunk.wellknown import ANNOTATION_MACHINE, EXTRA_POD_UID, LABEL_MANAGED_BY
from sunk.wiring.bridge import logger

NAMESPACE, CLUSTER = "slurm", "lab"
QUIET = logger(least=logging.CRITICAL)
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class Site:
    """NodeSet `a` on Kubernetes nodes `m0`, `m1`, … with its workers registered.

    The test plays controllers, kubelets and slurmds, in `settle`.
    """

    def __init__(
        self,
        workers: int = 4,
        machines: int = 2,
        budget: Budget | None = None,
        spec: dict | None = None,
        *,
        node_conditions: bool = False,
    ) -> None:
        self.kube = MemoryKube()
        self.kube.create(thing("v1", "Namespace", NAMESPACE, namespace=None))
        for number in range(machines):
            self.add_machine(f"m{number}")
        self.world = MemoryCluster(job_seconds={"long": 10**9})
        self.slurm = MemorySlurm(self.world)
        self.now = 0.0
        self.calls: Counter[str] = Counter()
        for name in ("apply", "apply_status", "create", "delete", "merge"):
            self._count(name)
        self.kube.create(
            {
                **resource("SlurmCluster", CLUSTER),
                "spec": {"users": [{"name": "alice", "uid": 2001}]},
            }
        )
        self.kube.create(
            {**resource("NodeSet", "a"), "spec": {"replicas": workers, **(spec or {})}}
        )
        self.settings = Settings(
            namespace=NAMESPACE, budget=budget or Budget(), node_conditions=node_conditions
        )
        self.bridge = self.new_bridge()
        self.rounds(6)  # the first readings must agree before anything is believed
        self.settle()
        self.rounds(2)

    def new_bridge(self) -> Bridge:
        return Bridge(
            self.kube,
            lambda _keys: self.slurm,
            self.settings,
            monotonic=lambda: self.now,
            wall=lambda: START + dt.timedelta(seconds=self.now),
            log=QUIET,
        )

    def add_machine(self, name: str, **labels: str) -> None:
        node = thing("v1", "Node", name, namespace=None, labels=labels)
        self.kube.create({**node, "spec": {}, "status": {}})

    def settle(self) -> None:
        """Let controllers make their Pods ready, and slurmds on new Pods register."""
        for kind in (STATEFUL_SET, DEPLOYMENT):
            for one in self.kube.list(kind, NAMESPACE):
                meta, wanted = one["metadata"], one["spec"].get("replicas", 1)
                counts = dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas"), wanted)
                status = {"observedGeneration": meta["generation"], **counts}
                self.kube.set_status(kind, meta["name"], status, NAMESPACE)
        for one in self.kube.list(CONFIG_MAP, NAMESPACE):
            if one["metadata"]["name"] == "slurm-conf":
                digest = one["data"]["digest"].strip()
                said = f"sunk: configuration {digest} is in force"
                self.kube.set_log("slurmctld-0", NAMESPACE, said)
        if self.gone(POD, "slurmctld-0"):
            controller = {**thing("v1", "Pod", "slurmctld-0"), "spec": {}}
            controller["metadata"]["labels"] = {LABEL_MANAGED_BY: "sunk"}
            self.kube.create(controller)
        machines = [one.name for one in self.kube.nodes()]
        for number, pod in enumerate(self.pods()):
            name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
            machine = pod["metadata"]["annotations"].get(ANNOTATION_MACHINE)
            if "nodeName" not in pod["spec"]:
                place = machine or machines[number % len(machines)]
                self.kube.merge(POD, name, {"spec": {"nodeName": place}}, NAMESPACE)
                ready = {"type": "Ready", "status": "True"}
                self.kube.set_status(
                    POD, name, {"phase": "Running", "conditions": [ready]}, NAMESPACE
                )
                self.register(name, uid)

    def register(self, name: str, uid: str) -> None:
        record = SlurmNode(name=NodeName(name), state=NodeState.IDLE, cpus=1, real_memory_mib=896)
        extra = json.dumps({EXTRA_POD_UID: uid})
        self.world.set_node(replace(record, extra=extra))

    def occupy(self, node: str) -> JobId:
        """Let a job of nearly endless length run on a node."""
        submission = JobSubmission(
            script="#!/bin/sh\n",
            name="long",
            working_directory="/",
            required_nodes=(NodeName(node),),
        )
        job = self.slurm.submit(submission)
        self.world.advance(1)
        assert self.slurm.job(job).state is JobState.RUNNING
        return job

    def finish(self, job: JobId) -> None:
        """Let a job end well."""
        self.world.advance(1)
        self.world.end_job(self.slurm.job(job), JobState.COMPLETED, exit_code=0)

    def pods(self) -> list[KubeObject]:
        found = self.kube.list(POD, NAMESPACE)
        return [one for one in found if one["metadata"]["labels"].get("sunk.dev/node-set")]

    def names(self) -> list[str]:
        return [one["metadata"]["name"] for one in self.pods()]

    def scale(self, replicas: int) -> None:
        self.edit("a", replicas=replicas)

    def edit(self, node_set: str, **spec: object) -> None:
        self.kube.merge(NODE_SET, node_set, {"spec": spec}, NAMESPACE)

    def edit_cluster(self, **spec: object) -> None:
        self.kube.merge(SLURM_CLUSTER, CLUSTER, {"spec": spec}, NAMESPACE)

    def status(self, kind: str, name: str) -> dict[str, tuple[str, str]]:
        """Return a resource's conditions as type -> (status, message)."""
        which = {"NodeSet": NODE_SET, "SlurmCluster": SLURM_CLUSTER}[kind]
        found = self.kube.get(which, name, NAMESPACE)["status"]["conditions"]
        return {one["type"]: (one["status"], one["message"]) for one in found}

    def rounds(self, count: int = 1, seconds: float = 1.0) -> list:
        made = []
        for _ in range(count):
            made.append(self.bridge.round())
            self.now += seconds
        return made

    def actions(self, count: int = 1) -> list:
        return [one.action for made in self.rounds(count) for one in made.outcomes if one.done]

    def cordon(self, machine: str, *, on: bool = True) -> None:
        self.kube.merge(NODE, machine, {"spec": {"unschedulable": on}})

    def drained(self) -> set[str]:
        return {str(node.name) for node in self.slurm.nodes() if node.drain}

    def conditions(self, pod: str) -> dict[str, str]:
        (found,) = [one for one in self.kube.pods(NAMESPACE) if one.name == pod]
        every = found.conditions.values()
        return {one.type: one.message for one in every if one.type.startswith("SlurmNode")}

    def gone(self, kind: object, name: str) -> bool:
        try:
            self.kube.get(kind, name, NAMESPACE)
        except NotFound:
            return True
        return False

    def _count(self, name: str) -> None:
        real = getattr(self.kube, name)

        def counted(*words: object, **options: object) -> object:
            self.calls[name] += 1
            return real(*words, **options)

        setattr(self.kube, name, counted)


def resource(kind: str, name: str) -> dict:
    return thing("sunk.dev/v1alpha1", kind, name)


def thing(
    version: str,
    kind: str,
    name: str,
    *,
    namespace: str | None = NAMESPACE,
    labels: dict | None = None,
) -> dict:
    place = {} if namespace is None else {"namespace": namespace}
    meta = {"name": name, "labels": labels or {}, **place}
    return {"apiVersion": version, "kind": kind, "metadata": meta}
