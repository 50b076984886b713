"""Puts the local cluster together: software, Kubernetes, Slurm, the way in, and the demo on it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sunk import wellknown
from sunk.clients.kube.protocol import Kube
from sunk.clients.ssh import Ssh
from sunk.errors import EnvironmentFault, RemoteError
from sunk.local import access, machine_checks
from sunk.local.chart import ChartPlace, find_helm
from sunk.local.cluster import LocalCluster, Parameters
from sunk.local.layout import cluster_layout
from sunk.local.machine import Machine
from sunk.local.node import NodeParts
from sunk.local.shared_software import SharedSoftware
from sunk.local.slurm_site import SlurmSite, put_slurm_on
from sunk.local.software.cache import Cache
from sunk.local.software.debrepo import machine_architecture
from sunk.local.software.fabric_tools import FabricTools, obtain_fabric_tools
from sunk.local.software.gather import Software, SoftwareOptions
from sunk.local.software.gather import ensure_software as build_software
from sunk.local.software.image_store import clone_store
from sunk.local.software.images import export_images as write_images
from sunk.local.software.oci import write_archive
from sunk.local.software.python_environment import (
    RAY,
    TORCH,
    MadeEnvironment,
    PythonEnvironment,
    obtain_environment,
    read_pins,
)
from sunk.local.software.requirements import make_folder
from sunk.model.cluster import Images, SlurmCluster
from sunk.progress import Reporter, step
from sunk.render.kube.nodes import LOGIN_PORT
from sunk.resources import data_folder
from sunk.settings import LocalSettings
from sunk.wiring import clients
from sunk_validation.demo import DemoResult, run_demo

LOGIN_POD = "login-0"
Tell = Callable[[str], None]
KubeContext = tuple[Path, str | None]
"""A kubeconfig file, and a context in it; nothing for its current one."""


def local_cluster(name: str, settings: LocalSettings, reporter: Reporter) -> LocalCluster:
    """Return the local cluster `name`, up or not."""
    layout = cluster_layout(name, settings.state_folder)
    return LocalCluster(layout, Machine(), clients.connect_kube, reporter)


def ensure_software(settings: LocalSettings, reporter: Reporter) -> Software:
    """Install, build or download what the local cluster needs."""
    return build_software(settings.cache_folder, _options(settings), reporter)


def _options(settings: LocalSettings) -> SoftwareOptions:
    path = tuple(Path(folder) for folder in os.environ.get("PATH", "").split(":") if folder)
    return SoftwareOptions(
        kube_bin=settings.kube_bin, search_path=path, debian_mirror=settings.debian_mirror
    )


def ensure_fabric_tools(settings: LocalSettings, reporter: Reporter) -> FabricTools:
    """Make the root file system with simulated fabrics and their tools, unless it is there."""
    with step(reporter, "fabric tools") as current:
        tools = obtain_fabric_tools(
            settings.cache_folder,
            data_folder("deploy"),
            _options(settings),
            say=current.detail,
        )
        current.outcome = tools.outcome
    return tools


ENVIRONMENTS = {one.name: one for one in (TORCH, RAY)}
"""Python environments of applications, by name."""


def ensure_environment(
    settings: LocalSettings, environment: PythonEnvironment, software: Software, reporter: Reporter
) -> MadeEnvironment:
    """Make a Python environment for the images of this build, unless it is there."""
    requirements = data_folder("deploy") / "local" / environment.name / "requirements.txt"
    with step(reporter, f"{environment.name} environment") as current:
        entry = obtain_environment(
            Cache(settings.cache_folder),
            environment,
            requirements,
            machine_architecture(),
            software.slurm_rootfs,
            say=current.detail,
        )
        current.outcome = entry.outcome
    pins = read_pins(requirements.read_text())
    return MadeEnvironment(folder=entry.content, version=pins[environment.name])


def shared_environment(
    settings: LocalSettings, environment: PythonEnvironment
) -> SharedSoftware | None:
    """Return a Python environment for Pods to mount.

    Makes nothing: None when `sunk local software` was never asked for it.
    """
    entry = Cache(settings.cache_folder).newest(environment.name)
    if entry is None:
        return None
    return SharedSoftware(
        name=environment.name, folder=entry.content, mount_path=environment.mount_path
    )


def shared_software(settings: LocalSettings) -> tuple[SharedSoftware, ...]:
    """Return all that was made for Pods to mount."""
    found = (shared_environment(settings, one) for one in ENVIRONMENTS.values())
    return tuple(one for one in found if one is not None)


def node_parts(software: Software) -> NodeParts:
    """Return what nodes are built from."""
    return NodeParts(
        kube=software.kube,
        fill_store=lambda target: clone_store(software.store, target),
        store_key=software.store.key,
        pack_images=lambda target: write_archive(software.images, target),
    )


def with_images(cluster: SlurmCluster, software: Software) -> SlurmCluster:
    """Return the description with the images of this build, unless it names others.

    They are called by their content, so that a changed image replaces the Pods that run it.
    """
    if cluster.images != Images():
        return cluster
    images = replace(
        cluster.images,
        slurm=software.image("slurm").content_name,
        login=software.image("login").content_name,
    )
    return replace(cluster, images=images)


def bring_up(
    name: str,
    parameters: Parameters,
    cluster: SlurmCluster | None,
    settings: LocalSettings,
    reporter: Reporter,
) -> SlurmSite | None:
    """Bring a local cluster up, with the described Slurm on it unless there is none."""
    local = local_cluster(name, settings, reporter)
    try:
        return _bring_up(local, parameters, cluster, settings, reporter)[1]
    finally:
        local.close()


def demo_here(
    name: str,
    parameters: Parameters,
    cluster: SlurmCluster,
    settings: LocalSettings,
    reporter: Reporter,
    tell: Tell,
) -> DemoResult:
    """Run the demo on the local cluster `name`, bringing up what is not."""
    local = local_cluster(name, settings, reporter)
    kube, site = _bring_up(local, parameters, cluster, settings, reporter)
    assert site is not None
    port = local.parameters().ssh_port
    user = access.first_user(site.cluster)
    target = access.login_target(user, "127.0.0.1", port, site.user_key, site.keys)
    with Ssh(target) as ssh:
        return run_demo(ssh, kube, site.cluster, reporter, tell)


def start_node(name: str, node: str, settings: LocalSettings, reporter: Reporter) -> None:
    """Power a node of a local cluster on again."""
    local = local_cluster(name, settings, reporter)
    local.require_off(node)
    local.start_node(node, node_parts(ensure_software(settings, reporter)))


def demo_elsewhere(
    elsewhere: KubeContext,
    cluster: SlurmCluster,
    bridge_image: str,
    settings: LocalSettings,
    reporter: Reporter,
    tell: Tell,
) -> DemoResult:
    """Run the demo on the cluster that a kubeconfig leads to, in one namespace of its own."""
    kubeconfig, context = elsewhere
    kube = clients.connect_kube(kubeconfig, context)
    cluster = replace(
        cluster, login=replace(cluster.login, service_type="ClusterIP", node_port=None)
    )
    folder = settings.state_folder / "elsewhere" / cluster.namespace
    place = ChartPlace(
        helm=find_helm(Cache(settings.cache_folder), os.environ.get("PATH")),
        kubeconfig=kubeconfig,
        context=context,
        scratch=folder / "helm",
        image=bridge_image,
    )
    site = put_slurm_on(kube, cluster, folder, place, reporter)
    user = access.first_user(site.cluster)
    target = access.login_target(user, "login", wellknown.SSH_PORT, site.user_key, site.keys)

    def dial() -> socket.socket:
        return kube.forward(LOGIN_POD, cluster.namespace, LOGIN_PORT)

    with Ssh(target, dial) as ssh:
        return run_demo(ssh, kube, site.cluster, reporter, tell)


def export_images(software: Software, folder: Path, reporter: Reporter) -> tuple[Path, ...]:
    """Write the images as OCI archives into a folder, and return their paths."""
    with step(reporter, "export images") as current:
        written = write_images(software.images, folder)
        current.outcome = f"{len(written)} archives in {folder}"
    return written


def purge_cache(settings: LocalSettings, reporter: Reporter) -> None:
    """Remove everything that was built or downloaded."""
    with step(reporter, f"remove caches in {settings.cache_folder}"):
        Cache(settings.cache_folder).purge()


def _bring_up(
    local: LocalCluster,
    parameters: Parameters,
    cluster: SlurmCluster | None,
    settings: LocalSettings,
    reporter: Reporter,
) -> tuple[Kube, SlurmSite | None]:
    """Refuse what cannot be, then build, then start: nobody waits for a build in vain."""
    local.check(parameters)
    make_folder(settings.state_folder, "--state-dir or SUNK_STATE_DIR")
    machine_checks.require(machine_checks.gather(settings))
    software = ensure_software(settings, reporter)
    with local.exclusively("bring up"):
        kube = local.up(parameters, node_parts(software))
        if cluster is None:
            return kube, None
        try:
            seen = with_images(cluster, software)
            return kube, _site(local, kube, seen, software, shared_software(settings), reporter)
        except (EnvironmentFault, RemoteError):
            local.require_processes()  # one that ended is the cause, and the better message
            raise


def _site(
    local: LocalCluster,
    kube: Kube,
    cluster: SlurmCluster,
    software: Software,
    shared: tuple[SharedSoftware, ...],
    reporter: Reporter,
) -> SlurmSite:
    folder = local.layout.access
    place = ChartPlace(
        helm=software.helm,
        kubeconfig=local.layout.kubeconfig,
        context=None,
        scratch=local.layout.run / "helm",
        image=software.image("bridge").content_name,
    )
    site = put_slurm_on(kube, cluster, folder, place, reporter, software=shared)
    port = local.parameters().ssh_port
    user = access.first_user(site.cluster)
    target = access.login_target(user, "127.0.0.1", port, site.user_key, site.keys)
    access.write_known_hosts(folder, target)
    return site
