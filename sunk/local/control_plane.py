"""etcd, kube-apiserver, kube-controller-manager and kube-scheduler of a local cluster.

The argument lists are pure; `start` and `stop` act. Flags and their reasons follow the Kubernetes
reference pages of each component.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sunk.clients import process
from sunk.errors import EnvironmentFault, clip
from sunk.local import daemons, network, pids
from sunk.local.layout import API_PORT, CLUSTER_ADDRESS, SERVICE_RANGE, Layout
from sunk.local.software.gather import KubePrograms
from sunk.resources import data_folder

_ETCD = "http://127.0.0.1:2379"
_LOOK_SECONDS = 4.0
"""A cold start takes 2 to 5 s: nobody looks for what is broken before that."""


def etcd_argv(layout: Layout) -> tuple[str, ...]:
    """Return etcd's arguments; it listens on the loopback of the cluster's own namespace."""
    return (
        "etcd",
        "--name=local",
        f"--data-dir={layout.etcd}",
        f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--quota-backend-bytes=8589934592",
        "--auto-compaction-mode=periodic",
        "--auto-compaction-retention=5m",
        "--log-level=warn",
    )


def apiserver_argv(layout: Layout, kube: KubePrograms) -> tuple[str, ...]:
    """Return kube-apiserver's arguments: audit on, Pod Security admission on (a default plugin)."""
    pki = layout.pki
    return (
        str(kube.apiserver),
        f"--etcd-servers={_ETCD}",
        "--bind-address=0.0.0.0",
        f"--secure-port={API_PORT}",
        f"--advertise-address={CLUSTER_ADDRESS}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--client-ca-file={pki}/ca.crt",
        f"--service-account-key-file={pki}/service-account.pub",
        f"--service-account-signing-key-file={pki}/service-account.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--kubelet-client-certificate={pki}/kubelet-client.crt",
        f"--kubelet-client-key={pki}/kubelet-client.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",
        f"--requestheader-client-ca-file={pki}/ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={pki}/front-proxy-client.crt",
        f"--proxy-client-key-file={pki}/front-proxy-client.key",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=PodSecurity",
        "--allow-privileged=true",
        f"--audit-policy-file={data_folder('deploy') / 'local' / 'audit-policy.yaml'}",
        f"--audit-log-path={layout.audit_log}",
        "--audit-log-maxsize=100",
        "--audit-log-maxbackup=2",
        # A lost node is noticed and its Pods replaced in seconds: see controller_manager_argv.
        "--default-not-ready-toleration-seconds=5",
        "--default-unreachable-toleration-seconds=5",
        "--profiling=false",
        "--v=1",
    )


def controller_manager_argv(layout: Layout, kube: KubePrograms) -> tuple[str, ...]:
    """Return kube-controller-manager's arguments."""
    pki = layout.pki
    config = f"{pki}/controller-manager.kubeconfig"
    return (
        str(kube.controller_manager),
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={pki}/service-account.key",
        f"--root-ca-file={pki}/ca.crt",
        f"--cluster-signing-cert-file={pki}/ca.crt",
        f"--cluster-signing-key-file={pki}/ca.key",
        "--allocate-node-cidrs=false",
        # NotReady after 8 s instead of 50: people and tests watch a node die here.
        "--node-monitor-period=1s",
        "--node-monitor-grace-period=8s",
        "--v=1",
    )


def scheduler_argv(layout: Layout, kube: KubePrograms) -> tuple[str, ...]:
    """Return kube-scheduler's arguments."""
    config = f"{layout.pki}/scheduler.kubeconfig"
    return (
        str(kube.scheduler),
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        "--v=1",
    )


PROCESSES: dict[str, Callable[[Layout, KubePrograms], tuple[str, ...]]] = {
    "etcd": lambda layout, _kube: etcd_argv(layout),
    "apiserver": apiserver_argv,
    "controller-manager": controller_manager_argv,
    "scheduler": scheduler_argv,
}
"""In the order of their start; stopped in reverse: the API server hangs once etcd is gone."""


STORE_AND_API = ("etcd", "apiserver")
CONTROLLERS = ("controller-manager", "scheduler")
"""Started once the API server is ready: they end when it does not know its own roles yet."""


def start(layout: Layout, kube: KubePrograms, names: Sequence[str]) -> tuple[str, ...]:
    """Start those of the processes that do not run, and return their names."""
    started = []
    for name in names:
        if not daemons.is_running(layout, name):
            argv = PROCESSES[name](layout, kube)
            daemons.start(layout, name, (*network.enter_argv(layout.namespace), *argv))
            started.append(name)
    return tuple(started)


def stop(layout: Layout) -> None:
    """Stop what runs, in reverse order."""
    for name in reversed(PROCESSES):
        pids.stop(layout.pid_file(name), grace_seconds=2.0)


def is_ready_inside(layout: Layout, kube: KubePrograms) -> bool:
    """Return whether the API server says that it is ready, asked in the cluster's own network."""
    asked = process.run(
        [
            *network.enter_argv(layout.namespace),
            *(kube.kubectl, f"--kubeconfig={layout.pki}/admin.kubeconfig"),
            *("--request-timeout=3s", "get", "--raw", "/readyz"),
        ],
        timeout_seconds=20,
        check=False,
    )
    return asked.status == 0


def wait_until_ready(
    layout: Layout,
    ready: Callable[[], bool],
    look: Callable[[], None],
    *,
    within_seconds: float,
) -> None:
    """Wait until `ready` says so; fail early when a process ends.

    Args:
        layout: whose.
        ready: asks the API server.
        look: called every few seconds while it is not; raises when the way to it is broken.
        within_seconds: the longest it may take.

    Raises:
        EnvironmentFault: a process ended, or the time is over; the message names log and last line.
    """
    begin = time.monotonic()
    next_look = begin + _LOOK_SECONDS
    while not ready():
        for name in STORE_AND_API:
            daemons.require_running(layout, name)
        now = time.monotonic()
        if now > next_look:
            look()
            next_look = time.monotonic() + _LOOK_SECONDS
        if now > begin + within_seconds:
            tail = clip(process.tail_of(layout.log("apiserver"), 1))
            raise EnvironmentFault(
                f"wait for kube-apiserver: not ready after {within_seconds:g} s: {tail}",
                hint=f"its log is {layout.log('apiserver')}",
            )
        time.sleep(0.1)
