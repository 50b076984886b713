"""Bring a local Kubernetes cluster up, take it down, look at it, break and mend its nodes.

Every operation first looks at what is there and then does what is missing, so that a run after any
interruption, also one by SIGKILL or power loss, continues where things stand.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from sunk.clients.kube.protocol import Kube
from sunk.errors import ConfigError, EnvironmentFault, InputError, SunkError, Unreachable
from sunk.local import (
    addons,
    cgroups,
    control_plane,
    daemons,
    helpers,
    network,
    node,
    pki,
    rails,
)
from sunk.local.files import write_whole
from sunk.local.layout import NODE_COUNT_LIMIT, Layout, Node, node_named, nodes
from sunk.local.machine import Machine, require_root
from sunk.local.mounts import remove_tree
from sunk.local.parameters import (
    Parameters,
    promised_ports,
    read_parameters,
    require_same,
    with_free_ports,
    write_parameters,
)
from sunk.local.programs import keep_programs
from sunk.local.status import Part, parts_of
from sunk.progress import Reporter, Step, step

__all__ = ["LocalCluster", "Parameters", "Part", "read_hierarchies"]


class LocalCluster:
    """One local cluster.

    Args:
        layout: its name and places.
        machine: the ledger of machine-wide changes.
        connect: builds a Kubernetes client from a kubeconfig.
        reporter: told about progress.
    """

    def __init__(
        self,
        layout: Layout,
        machine: Machine,
        connect: Callable[[Path], Kube],
        reporter: Reporter,
    ) -> None:
        self.layout = layout
        self._machine = machine
        self._connect = connect
        self._reporter = reporter
        self._kube: Kube | None = None

    def kube(self) -> Kube:
        """Return a client of the cluster's API server, through the forwarded port.

        Raises:
            InputError: the cluster is not up.
        """
        self.parameters()
        if self._kube is None:
            self._kube = self._connect(self.layout.kubeconfig)
        return self._kube

    def close(self) -> None:
        """Close connections to the cluster, and forget where it was."""
        if self._kube is not None:
            self._kube.close()
            self._kube = None

    def parameters(self) -> Parameters:
        """Return how the cluster was asked for.

        Raises:
            InputError: there is no such cluster; the hint lists those there are.
        """
        found = read_parameters(self.layout)
        if found is not None:
            return found
        up_now = self._machine.clusters()
        elsewhere = up_now.get(self.layout.name)
        if elsewhere is not None and elsewhere != str(self.layout.state_folder):
            hint = f"it is up with its state in {elsewhere}: add --state-dir {elsewhere}"
        else:
            others = ", ".join(sorted(up_now.keys() - {self.layout.name})) or "none"
            hint = f"sunk local up --name {self.layout.name} (up now: {others})"
        raise InputError(f"find local cluster {self.layout.name}: it is not up", hint=hint)

    def exclusively(self, what: str) -> AbstractContextManager[None]:
        """Hold the cluster's lock for a block of several operations; see `Machine`."""
        require_root(f"{what} cluster {self.layout.name}")
        return self._machine.exclusively(self.layout.name, what)

    def check(self, wanted: Parameters) -> None:
        """Do nothing unless `up` would refuse: to be called before any costly work.

        Raises:
            ConfigError: it is up already with other parameters.
            EnvironmentFault: not root, or it is up from another state folder.
        """
        require_root(f"bring up cluster {self.layout.name}")
        self._machine.refuse_other_folder(self.layout.name, self.layout.state_folder, "bring up")
        existing = read_parameters(self.layout)
        if existing is not None:
            require_same(self.layout.name, existing, wanted)

    def up(self, wanted: Parameters, parts: node.NodeParts) -> Kube:
        """Bring Kubernetes up, or complete what is up, and return a client of it.

        Raises:
            ConfigError: it is up already with other parameters.
            EnvironmentFault: the machine lacks something, or a part does not start.
        """
        layout = self.layout
        with self.exclusively("bring up"):
            self.check(wanted)
            hierarchies = read_hierarchies()
            self._clear_remains()
            self._machine.enter(layout.name, layout.state_folder)
            parameters = self._settle(wanted)
            parts = replace(parts, kube=keep_programs(layout.programs, parts.kube))
            with step(self._reporter, "control plane") as current:
                kube = self._start_control_plane(parameters, parts, current)
            with step(self._reporter, "nodes") as current:
                self._boot_nodes(kube, parameters, parts, hierarchies, current)
            with step(self._reporter, "cluster services") as current:
                self._start_services(kube, current)
        return kube

    def down(self) -> bool:
        """Stop and remove the cluster with its state; returns whether anything was there.

        Works on leftovers of a killed run as well as on a healthy cluster.

        Raises:
            EnvironmentFault: not root, the cluster belongs to another state folder, or something
                cannot be removed.
        """
        layout = self.layout
        with self.exclusively("take down"):
            self._machine.refuse_other_folder(layout.name, layout.state_folder, "take down")
            traces = layout.home.exists() or bool(network.leftovers(layout))
            traces = traces or layout.name in self._machine.clusters()
            every = nodes(NODE_COUNT_LIMIT)
            with step(self._reporter, "stop nodes"):
                for each in every:
                    node.cut_power(layout, each)
            with step(self._reporter, "stop control plane"):
                self._stop_processes()
                traces = bool(daemons.end_all(layout)) or traces
            with step(self._reporter, "remove networks, cgroups and state"):
                cgroups.remove(cgroups.every_root(_mountinfo()), layout.cgroup)
                for each in every:
                    network.disconnect_node(layout, each)
                network.remove_cluster_network(layout)
                # A run killed between fork and exec left a child that only now can be told.
                daemons.end_all(layout)
                self.close()
                remove_tree(layout.home)
                self._machine.leave(layout.name)
        return traces

    def status(self) -> tuple[Part, ...]:
        """Return the state of every process and node; empty when the cluster is not up."""
        parameters = read_parameters(self.layout)
        if parameters is None:
            return ()
        ready: dict[str, bool | None] | None
        try:
            ready = {seen.name: seen.ready for seen in self.kube().nodes()}
        except SunkError:  # half up, or not readable for us: what runs is told all the same
            ready = None
        return parts_of(self.layout, nodes(parameters.node_count), ready)

    def kill_node(self, name: str) -> None:
        """End every process of a node at once: a power loss."""
        require_root(f"cut the power of {name}")
        each = self._node(name)
        if not node.cut_power(self.layout, each):
            raise ConfigError(
                f"cut the power of {name}: it is off already",
                hint=f"power it on with: sunk local node start {name} --name {self.layout.name}",
            )

    def start_node(self, name: str, parts: node.NodeParts) -> None:
        """Power a node on again, and wait until Kubernetes finds it ready."""
        each = self.require_off(name)
        parameters = self.parameters()
        kept = keep_programs(self.layout.programs, parts.kube)
        parts = replace(parts, gpus=parameters.gpus, rails=parameters.rails, kube=kept)
        with (
            self.exclusively(f"power on {name} of"),
            step(self._reporter, f"boot {name}") as current,
        ):
            everyone = nodes(parameters.node_count)
            node.boot(self.layout, each, parts, read_hierarchies(), everyone)
            self._wait_for_nodes(self.kube(), (each,), current, within_seconds=60)

    def require_off(self, name: str) -> Node:
        """Return the node of that name.

        Raises:
            InputError: there is no such node, or no such cluster.
            ConfigError: it is on.
        """
        require_root(f"power on {name}")
        each = self._node(name)
        if node.is_on(self.layout, each):
            raise ConfigError(
                f"power on {name}: it is on already",
                hint=f"sunk local status --name {self.layout.name} shows all nodes",
            )
        return each

    def set_cable(self, name: str, *, connected: bool) -> None:
        """Cut a node off the network, or heal it."""
        require_root(f"change the network of {name}")
        each = self._node(name)
        if not node.is_on(self.layout, each):
            raise ConfigError(
                f"change the network of {name}: it is off",
                hint=f"power it on first: sunk local node start {name} --name {self.layout.name}",
            )
        network.set_cable(self.layout, each, up=connected)

    def _node(self, name: str) -> Node:
        return node_named(name, self.parameters().node_count)

    def _settle(self, wanted: Parameters) -> Parameters:
        """Return the parameters to work with: those of the existing cluster, or `wanted`."""
        layout = self.layout
        existing = read_parameters(layout)
        if existing is not None and daemons.is_running(layout, helpers.FORWARD):
            return existing
        others = {k: v for k, v in self._machine.clusters().items() if k != layout.name}
        chosen = with_free_ports(existing or wanted, promised_ports(others))
        layout.home.mkdir(parents=True, exist_ok=True, mode=0o711)
        write_parameters(layout, chosen)
        if existing is not None and existing.api_port != chosen.api_port:
            # It still talks to the old port, where somebody else listens now.
            helpers.stop(layout, helpers.VOLUMES)
        return chosen

    def _clear_remains(self) -> None:
        """End what a killed run started and did not record, or what lost its network."""
        daemons.end_strays(self.layout)
        if not network.exists(self.layout):
            for each in nodes(NODE_COUNT_LIMIT):
                node.cut_power(self.layout, each)
            self._stop_processes()

    def _stop_processes(self) -> None:
        for name in reversed(helpers.NAMES):
            helpers.stop(self.layout, name)
        control_plane.stop(self.layout)

    def _start_control_plane(
        self, parameters: Parameters, parts: node.NodeParts, current: Step
    ) -> Kube:
        layout = self.layout
        network.make_cluster_network(layout)
        pki.ensure(layout, nodes(parameters.node_count), dt.datetime.now(tz=dt.UTC))
        server = f"https://127.0.0.1:{parameters.api_port}"
        write_whole(layout.kubeconfig, pki.admin_kubeconfig(layout, server), mode=0o600)
        current.detail("starting etcd and kube-apiserver")
        started = control_plane.start(layout, parts.kube, control_plane.STORE_AND_API)
        ports = {"api_port": parameters.api_port, "ssh_port": parameters.ssh_port}
        fresh = helpers.start_forward(layout, node_count=parameters.node_count, **ports)
        self.close()
        kube = self.kube()

        def look() -> None:
            nonlocal fresh
            try:
                helpers.check_forward(
                    layout, lambda: control_plane.is_ready_inside(layout, parts.kube), kube.ready
                )
            except EnvironmentFault as exc:
                if fresh:
                    raise
                current.detail(f"starting the forwarder anew: {exc.message}")
                fresh = helpers.start_forward(layout, node_count=parameters.node_count, **ports)

        control_plane.wait_until_ready(layout, kube.ready, look, within_seconds=90)
        started += control_plane.start(layout, parts.kube, control_plane.CONTROLLERS)
        current.outcome = f"started {', '.join(started)}" if started else "already up"
        return kube

    def require_processes(self) -> None:
        """Do nothing as long as every process of the control plane and every helper lives.

        Raises:
            EnvironmentFault: one ended; the message has the end of its log.
        """
        for name in (*control_plane.PROCESSES, *helpers.NAMES):
            daemons.require_running(self.layout, name)

    def _boot_nodes(
        self,
        kube: Kube,
        parameters: Parameters,
        parts: node.NodeParts,
        hierarchies: cgroups.Hierarchies,
        current: Step,
    ) -> None:
        everyone = nodes(parameters.node_count)
        off = [each for each in everyone if not node.is_on(self.layout, each)]
        parts = replace(parts, gpus=parameters.gpus, rails=parameters.rails)
        for each in everyone:
            if each in off:
                current.detail(f"booting {each.name}")
                node.boot(self.layout, each, parts, hierarchies, everyone)
            else:
                current.detail(f"images on {each.name}")
                node.renew_images(self.layout, each, parts)
        self._wait_for_nodes(kube, everyone, current, within_seconds=120)
        current.outcome = f"{len(everyone)} ready" + ("" if off else ", already up")

    def _wait_for_nodes(
        self, kube: Kube, wanted: tuple[Node, ...], current: Step, *, within_seconds: float
    ) -> None:
        deadline = time.monotonic() + within_seconds
        names = {each.name for each in wanted}
        while True:
            try:
                ready = {seen.name for seen in kube.nodes() if seen.ready}
            except Unreachable:
                ready = set()
            waiting = sorted(names - ready)
            if not waiting:
                return
            current.detail(f"waiting for {', '.join(waiting)}")
            for name in (*waiting, *control_plane.PROCESSES, helpers.FORWARD):
                daemons.require_running(self.layout, name)
            if time.monotonic() > deadline:
                raise EnvironmentFault(
                    f"wait for nodes {', '.join(waiting)}: not ready after {within_seconds:g} s",
                    hint="their logs: "
                    f"sunk local logs {waiting[0]}-kubelet --name {self.layout.name}",
                )
            time.sleep(0.2)

    def _start_services(self, kube: Kube, current: Step) -> None:
        layout = self.layout
        parameters = self.parameters()
        addons.apply(kube, addons.objects())
        addons.apply(kube, rails.objects(layout, nodes(parameters.node_count), parameters.rails))
        started = helpers.start_volumes(layout)
        current.detail("waiting for the default service account and DNS")
        addons.wait_until_ready(kube, layout.name, self.require_processes)
        helpers.wait_for_volumes(layout, started=started)
        current.outcome = "DNS and storage ready"


def read_hierarchies() -> cgroups.Hierarchies:
    """Return this machine's cgroup hierarchies."""
    return cgroups.parse_hierarchies(_mountinfo())


def _mountinfo() -> str:
    return Path("/proc/self/mountinfo").read_text()
