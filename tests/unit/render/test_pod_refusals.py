"""Every refusal of what a site adds to Pods, by the key and by what is allowed there."""

from __future__ import annotations

import pytest

from sunk.errors import InputError
from sunk.model.cluster import Login, SlurmCluster
from sunk.model.overlay import PodOverlay
from sunk.render.checks import problems
from sunk.render.description import read_description
from sunk.render.ours import OURS
from tests.support.pods import COMPONENTS

HEAD = """\
apiVersion: sunk.dev/v1alpha1
kind: SlurmCluster
metadata: {name: lab}
"""
ONE = "x.yaml, document 1 (SlurmCluster lab), spec."
TWO = "x.yaml, document 2 (NodeSet g), spec."


def cluster(text: str) -> str:
    return f"{HEAD}spec: {text}\n"


def on(component: str, text: str) -> str:
    return cluster(f"{{{component}: {{pod: {text}}}}}")


def workers(text: str, level: str = "baseline") -> str:
    return f"""\
{HEAD}spec: {{podSecurity: {level}}}
---
apiVersion: sunk.dev/v1alpha1
kind: NodeSet
metadata: {{name: g}}
spec: {text}
"""


def pod(text: str, level: str = "baseline") -> str:
    return workers(f"{{pod: {text}}}", level)


def one_mount(path: str) -> str:
    mounts = f"volumeMounts: [{{name: v, mountPath: {path}}}]"
    return f"{{volumes: [{{name: v, emptyDir: {{}}}}], {mounts}}}"


def mount(path: str) -> str:
    return pod(one_mount(path))


def sidecar(text: str) -> str:
    return pod(f"{{sidecars: [{{name: s, image: a, {text}}}]}}")


MOUNT = TWO + "pod.volumeMounts[0].mountPath"
WRONG = {
    # --- ours
    "our variable": (
        on("controller", "{env: [{name: STATE_FOLDER, value: /x}]}"),
        ONE + "controller.pod.env[0].name: 'STATE_FOLDER'",
        "none of sunk's own: ACCOUNTING_HOST",
    ),
    "Slurm's own variable": (
        pod("{env: [{name: SLURM_CONF, value: /x}]}"),
        TWO + "pod.env[0].name: 'SLURM_CONF'",
        "none of sunk's own",
    ),
    "our volume": (
        on("login", "{volumes: [{name: home, emptyDir: {}}]}"),
        ONE + "login.pod.volumes[0].name: 'home'",
        "none of sunk's own: authorized-keys, home",
    ),
    "our container": (
        on("login", "{sidecars: [{name: sackd, image: a}]}"),
        ONE + "login.pod.sidecars[0].name: 'sackd'",
        "none of sunk's own: sackd, sshd",
    ),
    "our label": (
        on("rest", "{labels: {app.kubernetes.io/name: x}}"),
        ONE + "rest.pod.labels.app.kubernetes.io/name: 'x'",
        "keys of your own; sunk.dev/",
    ),
    "label of our group": (
        pod("{labels: {sunk.dev/other: x}}"),
        TWO + "pod.labels.sunk.dev/other: 'x'",
        "keys of your own",
    ),
    "our annotation": (
        on("database", "{annotations: {sunk.dev/config-hash: x}}"),
        ONE + "database.pod.annotations.sunk.dev/config-hash: 'x'",
        "keys of your own",
    ),
    "less time to stop than the daemon needs": (
        on("database", "{terminationGracePeriodSeconds: 119}"),
        ONE + "database.pod.terminationGracePeriodSeconds: 119",
        "at least the 120 s",
    ),
    "a year to stop": (
        pod("{terminationGracePeriodSeconds: 31536000}"),
        TWO + "pod.terminationGracePeriodSeconds: 31536000",
        "0 to 604800",
    ),
    # --- resources
    "cpu of workers": (
        pod("{resources: {limits: {cpu: '4'}}}"),
        TWO + "pod.resources.limits.cpu: '4'",
        "the NodeSet's own cpu and cpuRequest",
    ),
    "memory of workers": (
        pod("{resources: {requests: {memory: 1Gi}}}"),
        TWO + "pod.resources.requests.memory: '1Gi'",
        "the NodeSet's own memory and memoryRequest",
    ),
    "GPUs of workers": (
        pod("{resources: {limits: {nvidia.com/gpu: '1'}}}"),
        TWO + "pod.resources.limits.nvidia.com/gpu: '1'",
        "the NodeSet's own gpus",
    ),
    "RDMA devices of workers": (
        workers("{rdma: true, pod: {resources: {limits: {rdma/hca: '1'}}}}", "privileged"),
        TWO + "pod.resources.limits.rdma/hca: '1'",
        "the NodeSet's own rdmaCount",
    ),
    "quantity": (
        on("rest", "{resources: {limits: {memory: lots}}}"),
        ONE + "rest.pod.resources.limits.memory: 'lots'",
        "a quantity such as",
    ),
    "resource": (
        on("rest", "{resources: {limits: {gpu: '1'}}}"),
        ONE + "rest.pod.resources.limits.gpu",
        "cpu, memory, ephemeral-storage",
    ),
    "request above the limit": (
        on("rest", "{resources: {requests: {cpu: '2'}, limits: {cpu: '1'}}}"),
        ONE + "rest.pod.resources.requests.cpu: '2'",
        "at most the limit, 1",
    ),
    "device without a limit": (
        pod("{resources: {requests: {example.org/card: '1'}}}"),
        TWO + "pod.resources.requests.example.org/card: '1'",
        "the same as in limits",
    ),
    # --- volumes and mounts
    "mount of a volume that is not there": (
        pod("{volumeMounts: [{name: v, mountPath: /v}]}"),
        TWO + "pod.volumeMounts[0].name: 'v'",
        "one of this pod's volumes: none",
    ),
    "same path twice": (
        pod(
            "{volumes: [{name: v, emptyDir: {}}], volumeMounts: "
            "[{name: v, mountPath: /v}, {name: v, mountPath: /v}]}"
        ),
        TWO + "pod.volumeMounts[1].mountPath: '/v'",
        "each one once",
    ),
    "relative path": (mount("scratch"), MOUNT + ": 'scratch'", "an absolute path"),
    "path with dots": (mount("/a/../etc/slurm"), MOUNT, "without .."),
    "path with an end": (mount("/scratch/"), MOUNT, "without / at its end"),
    "path out of the volume": (
        pod(
            "{volumes: [{name: v, emptyDir: {}}], volumeMounts: "
            "[{name: v, mountPath: /v, subPath: ../x}]}"
        ),
        TWO + "pod.volumeMounts[0].subPath: '../x'",
        "without ..",
    ),
    "propagation": (
        pod(
            "{volumes: [{name: v, emptyDir: {}}], volumeMounts: "
            "[{name: v, mountPath: /v, mountPropagation: Both}]}"
        ),
        TWO + "pod.volumeMounts[0].mountPropagation: 'Both'",
        "HostToContainer",
    ),
    "propagation to the machine": (
        pod(
            "{volumes: [{name: v, emptyDir: {}}], volumeMounts: "
            "[{name: v, mountPath: /v, mountPropagation: Bidirectional}]}",
            "privileged",
        ),
        TWO + "pod.volumeMounts[0].mountPropagation",
        "in a privileged container only",
    ),
    "volume without a source": (
        pod("{volumes: [{name: v}]}"),
        TWO + "pod.volumes[0]: nothing",
        "one of emptyDir, hostPath",
    ),
    "volume with two sources": (
        pod("{volumes: [{name: v, emptyDir: {}, csi: {driver: d}}]}"),
        TWO + "pod.volumes[0]: 'emptyDir, csi'",
        "one of emptyDir",
    ),
    "volume of an unknown kind": (
        pod("{volumes: [{name: v, gitRepo: {}}]}"),
        TWO + "pod.volumes[0].gitRepo",
        "no such key",
    ),
    "volume name": (
        pod("{volumes: [{name: V, emptyDir: {}}]}"),
        TWO + "pod.volumes[0].name: 'V'",
        "a DNS label",
    ),
    "same volume twice": (
        pod("{volumes: [{name: v, emptyDir: {}}, {name: v, emptyDir: {}}]}"),
        TWO + "pod.volumes[1].name: 'v'",
        "each one once",
    ),
    "size": (
        pod("{volumes: [{name: v, emptyDir: {sizeLimit: big}}]}"),
        TWO + "pod.volumes[0].emptyDir.sizeLimit: 'big'",
        "a quantity",
    ),
    "no size": (
        pod("{volumes: [{name: v, emptyDir: {sizeLimit: '0'}}]}"),
        TWO + "pod.volumes[0].emptyDir.sizeLimit: '0'",
        "above 0",
    ),
    "medium": (
        pod("{volumes: [{name: v, emptyDir: {medium: Disk}}]}"),
        TWO + "pod.volumes[0].emptyDir.medium: 'Disk'",
        "Memory",
    ),
    "claim": (
        pod("{volumes: [{name: v, persistentVolumeClaim: {claimName: A}}]}"),
        TWO + "pod.volumes[0].persistentVolumeClaim.claimName: 'A'",
        "a claim's name",
    ),
    "path of the machine": (
        pod("{volumes: [{name: v, hostPath: {path: a/../b}}]}", "privileged"),
        TWO + "pod.volumes[0].hostPath.path: 'a/../b'",
        "an absolute path",
    ),
    "type of a path of the machine": (
        pod("{volumes: [{name: v, hostPath: {path: /a, type: Folder}}]}", "privileged"),
        TWO + "pod.volumes[0].hostPath.type: 'Folder'",
        "Directory",
    ),
    # --- variables
    "variable name": (
        pod("{env: [{name: 1A, value: x}]}"),
        TWO + "pod.env[0].name: '1A'",
        "no digit first",
    ),
    "variable with = in its name": (
        pod("{env: [{name: 'A=B', value: x}]}"),
        TWO + "pod.env[0].name: 'A=B'",
        "letters, digits",
    ),
    "same variable twice": (
        pod("{env: [{name: A, value: x}, {name: A, value: y}]}"),
        TWO + "pod.env[1].name: 'A'",
        "each one once",
    ),
    "value and its source": (
        pod("{env: [{name: A, value: x, valueFrom: {secretKeyRef: {name: a, key: b}}}]}"),
        TWO + "pod.env[0].value: 'x'",
        "none with valueFrom",
    ),
    "no source": (
        pod("{env: [{name: A, valueFrom: {}}]}"),
        TWO + "pod.env[0].valueFrom: nothing",
        "secretKeyRef or configMapKeyRef",
    ),
    "Secret": (
        pod("{env: [{name: A, valueFrom: {secretKeyRef: {name: A, key: b}}}]}"),
        TWO + "pod.env[0].valueFrom.secretKeyRef.name: 'A'",
        "its name",
    ),
    "key of a Secret": (
        pod("{env: [{name: A, valueFrom: {secretKeyRef: {name: a, key: b/c}}}]}"),
        TWO + "pod.env[0].valueFrom.secretKeyRef.key: 'b/c'",
        "letters, digits",
    ),
    "newline in a variable": (
        pod('{env: [{name: A, value: "a\\nb"}]}'),
        "x.yaml, document 2, spec.pod.env[0].value",
        "one line without control",
    ),
    "newline in an affinity": (
        pod('{affinity: {a: [{b: "a\\nb"}]}}'),
        "x.yaml, document 2, spec.pod.affinity.a[0].b",
        "one line without control",
    ),
    # --- where it runs
    "affinity that is a text": (
        pod("{affinity: near}"),
        TWO + "pod.affinity: 'near'",
        "Input should be an object",
    ),
    "node selector": (
        pod("{nodeSelector: {a/b/c: x}}"),
        TWO + "pod.nodeSelector.a/b/c",
        "a key such as",
    ),
    "label's value": (
        pod("{labels: {a: 'two words'}}"),
        TWO + "pod.labels.a: 'two words'",
        "at most 63 letters",
    ),
    "toleration without a key": (
        pod("{tolerations: [{value: x}]}"),
        TWO + "pod.tolerations[0].key: nothing",
        "operator Exists",
    ),
    "toleration with a value of nothing": (
        pod("{tolerations: [{key: a, operator: Exists, value: x}]}"),
        TWO + "pod.tolerations[0].value: 'x'",
        "none with operator Exists",
    ),
    "toleration's operator": (
        pod("{tolerations: [{key: a, operator: In}]}"),
        TWO + "pod.tolerations[0].operator: 'In'",
        "Equal, Exists",
    ),
    "toleration's effect": (
        pod("{tolerations: [{key: a, effect: No}]}"),
        TWO + "pod.tolerations[0].effect: 'No'",
        "NoSchedule",
    ),
    "toleration's time": (
        pod("{tolerations: [{key: a, tolerationSeconds: 3}]}"),
        TWO + "pod.tolerations[0].tolerationSeconds: 3",
        "with effect NoExecute",
    ),
    "spread's skew": (
        pod("{topologySpreadConstraints: [{topologyKey: a, maxSkew: 0}]}"),
        TWO + "pod.topologySpreadConstraints[0].maxSkew: 0",
        "1 to",
    ),
    "spread's word": (
        pod("{topologySpreadConstraints: [{topologyKey: a, whenUnsatisfiable: Never}]}"),
        TWO + "pod.topologySpreadConstraints[0].whenUnsatisfiable: 'Never'",
        "'ScheduleAnyway' or 'DoNotSchedule'",
    ),
    "spread's domains": (
        pod("{topologySpreadConstraints: [{topologyKey: a, minDomains: 2}]}"),
        TWO + "pod.topologySpreadConstraints[0].minDomains: 2",
        "whenUnsatisfiable DoNotSchedule",
    ),
    "same spread twice": (
        pod("{topologySpreadConstraints: [{topologyKey: a}, {topologyKey: a, maxSkew: 2}]}"),
        TWO + "pod.topologySpreadConstraints[1].topologyKey",
        "each one once",
    ),
    "priority class": (
        pod("{priorityClassName: High}"),
        TWO + "pod.priorityClassName: 'High'",
        "a PriorityClass's name",
    ),
    "runtime class": (
        pod("{runtimeClassName: A_B}"),
        TWO + "pod.runtimeClassName: 'A_B'",
        "a RuntimeClass's name",
    ),
    "service account": (
        pod("{serviceAccountName: a b}"),
        TWO + "pod.serviceAccountName: 'a b'",
        "a ServiceAccount's name",
    ),
    "pull secret": (
        pod("{pullSecrets: [A]}"),
        TWO + "pod.pullSecrets[0]: 'A'",
        "a Secret's name",
    ),
    "host network": (pod("{hostNetwork: true}"), TWO + "pod.hostNetwork", "no such key"),
    # --- Pod Security
    "hostPath": (
        pod("{volumes: [{name: v, hostPath: {path: /mnt}}]}"),
        TWO + "pod.volumes[0].hostPath: '/mnt'",
        "say podSecurity: privileged",
    ),
    "capability beyond baseline": (
        pod("{securityContext: {capabilities: {add: [KILL, SYS_ADMIN]}}}"),
        TWO + "pod.securityContext.capabilities.add[1]: 'SYS_ADMIN'",
        "say podSecurity: privileged",
    ),
    "privileged container": (
        pod("{securityContext: {privileged: true}}"),
        TWO + "pod.securityContext.privileged: True",
        "say podSecurity: privileged",
    ),
    "privileged sidecar": (
        sidecar("securityContext: {privileged: true}"),
        TWO + "pod.sidecars[0].securityContext.privileged: True",
        "say podSecurity: privileged",
    ),
    "capability of a sidecar": (
        sidecar("securityContext: {capabilities: {add: [NET_RAW]}}"),
        TWO + "pod.sidecars[0].securityContext.capabilities.add[0]: 'NET_RAW'",
        "say podSecurity: privileged",
    ),
    "kernel setting beyond baseline": (
        on("login", "{podSecurityContext: {sysctls: [{name: net.core.somaxconn, value: '1'}]}}"),
        ONE + "login.pod.podSecurityContext.sysctls[0].name: 'net.core.somaxconn'",
        "say podSecurity: privileged",
    ),
    "RDMA": (workers("{rdma: true}"), TWO + "rdma: True", "say podSecurity: privileged"),
    "level": (
        cluster("{podSecurity: restricted}"),
        ONE + "podSecurity: 'restricted'",
        "'baseline' or 'privileged'",
    ),
    "capability's name": (
        pod("{securityContext: {capabilities: {add: [ipc_lock]}}}", "privileged"),
        TWO + "pod.securityContext.capabilities.add[0]: 'ipc_lock'",
        "without CAP_",
    ),
    "capability's prefix": (
        pod("{securityContext: {capabilities: {add: [CAP_IPC_LOCK]}}}", "privileged"),
        TWO + "pod.securityContext.capabilities.add[0]: 'CAP_IPC_LOCK'",
        "IPC_LOCK",
    ),
    "kernel setting": (
        on("login", "{podSecurityContext: {sysctls: [{name: somaxconn, value: '1'}]}}"),
        ONE + "login.pod.podSecurityContext.sysctls[0].name: 'somaxconn'",
        "a name with dots",
    ),
    "same kernel setting twice": (
        on(
            "login",
            "{podSecurityContext: {sysctls: [{name: net.ipv4.tcp_syncookies, value: '1'}, "
            "{name: net.ipv4.tcp_syncookies, value: '0'}]}}",
        ),
        ONE + "login.pod.podSecurityContext.sysctls[1].name",
        "each one once",
    ),
    "group of root": (
        pod("{podSecurityContext: {supplementalGroups: [0]}}"),
        TWO + "pod.podSecurityContext.supplementalGroups[0]: 0",
        "1 to",
    ),
    "group of slurm": (
        pod("{podSecurityContext: {supplementalGroups: [64030]}}"),
        TWO + "pod.podSecurityContext.supplementalGroups[0]: 64030",
        "none of the daemons' own",
    ),
    # --- sidecars
    "sidecar's image": (
        pod("{sidecars: [{name: s, image: 'a b'}]}"),
        TWO + "pod.sidecars[0].image: 'a b'",
        "an image name",
    ),
    "sidecar without an image": (
        pod("{sidecars: [{name: s}]}"),
        TWO + "pod.sidecars[0].image",
        "Field required",
    ),
    "sidecar's name": (
        pod("{sidecars: [{name: S, image: a}]}"),
        TWO + "pod.sidecars[0].name: 'S'",
        "a DNS label",
    ),
    "same sidecar twice": (
        pod("{sidecars: [{name: s, image: a}, {name: s, image: b}]}"),
        TWO + "pod.sidecars[1].name: 's'",
        "each one once",
    ),
    "sidecar's variable": (
        sidecar("env: [{name: a-b, value: x}]"),
        TWO + "pod.sidecars[0].env[0].name: 'a-b'",
        "letters, digits",
    ),
    "sidecar's mount": (
        sidecar("volumeMounts: [{name: slurm-key, mountPath: /key}]"),
        TWO + "pod.sidecars[0].volumeMounts[0].name: 'slurm-key'",
        "one of this pod's volumes: none",
    ),
    "sidecar's memory": (
        sidecar("resources: {limits: {memory: x}}"),
        TWO + "pod.sidecars[0].resources.limits.memory: 'x'",
        "a quantity",
    ),
    "sidecar's port": (
        sidecar("ports: [{name: m, containerPort: 65536}]"),
        TWO + "pod.sidecars[0].ports[0].containerPort: 65536",
        "1 to 65535",
    ),
    "sidecar's port's name": (
        sidecar("ports: [{name: much-longer-than-15, containerPort: 1}]"),
        TWO + "pod.sidecars[0].ports[0].name",
        "at most 15",
    ),
    "sidecar's user": (
        sidecar("securityContext: {runAsUser: -1}"),
        TWO + "pod.sidecars[0].securityContext.runAsUser: -1",
        "0 to",
    ),
    # --- fields of NodeSets and images
    "shared memory": (workers("{shmSize: big}"), TWO + "shmSize: 'big'", "a quantity"),
    "no shared memory": (workers("{shmSize: '0'}"), TWO + "shmSize: '0'", "above 0"),
    "more shared memory than memory": (
        workers("{memory: 1Gi, shmSize: 2Gi}"),
        TWO + "shmSize: '2Gi'",
        "at most memory, 1Gi",
    ),
    "RDMA resource": (
        workers("{rdma: true, rdmaResource: hca}", "privileged"),
        TWO + "rdmaResource: 'hca'",
        "rdma/hca",
    ),
    "RDMA resource of the GPUs": (
        workers("{rdma: true, gpus: 1, rdmaResource: nvidia.com/gpu}", "privileged"),
        TWO + "rdmaResource: 'nvidia.com/gpu'",
        "not that of the GPUs",
    ),
    "RDMA devices": (workers("{rdmaCount: 0}"), TWO + "rdmaCount: 0", "1 to 64"),
    "registry": (
        cluster("{images: {registry: 'a b'}}"),
        ONE + "images.registry: 'a b'",
        "a registry and folder",
    ),
    "registry with an end": (
        cluster("{images: {registry: a/}}"),
        ONE + "images.registry: 'a/'",
        "a registry and folder",
    ),
    "tag": (cluster("{images: {tag: a/b}}"), ONE + "images.tag: 'a/b'", "an image's tag"),
    "digest": (
        cluster("{images: {slurmDigest: 'sha256:00'}}"),
        ONE + "images.slurmDigest: 'sha256:00'",
        "64 hexadecimal digits",
    ),
}


@pytest.mark.parametrize(("text", "place", "allowed"), WRONG.values(), ids=WRONG.keys())
def test_refusal_names_key_value_and_what_is_allowed(text: str, place: str, allowed: str) -> None:
    with pytest.raises(InputError) as caught:
        read_description(text, source="x.yaml")

    assert place in caught.value.message
    assert allowed in caught.value.message.split("; allowed: ", 1)[1]


OVER = [
    *("/etc/slurm", "/run/slurm", "/var/spool/slurmd", "/etc/slurm/plugstack.conf", "/run/slurm/x"),
    *("/var/run/slurm", "/var/spool", "/etc", "/run", "/var", "/usr", "/bin", "/usr/bin", "/lib"),
    *("/proc", "/sys", "/dev", "/home", "/dev/shm", "/var/lib/extrausers", "/etc/sunk/more"),
]


@pytest.mark.parametrize("path", OVER)
def test_nothing_is_mounted_over_what_the_daemons_use(path: str) -> None:
    with pytest.raises(InputError) as caught:
        read_description(mount(path), source="x.yaml")

    assert f"{MOUNT}: '{path}' is not allowed" in caught.value.message
    assert "such as /scratch" in caught.value.message


@pytest.mark.parametrize(
    "path", ["/scratch", "/home/shared", "/opt/site", "/tmp", "/usr/share/site", "/dev/infiniband"]
)
def test_elsewhere_there_is_room(path: str) -> None:
    (node_set,) = read_description(mount(path), source="x.yaml").node_sets

    assert node_set.pod is not None
    assert node_set.pod.volume_mounts[0].mount_path == path


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_mount_of_a_component_is_protected(component: str) -> None:
    for path in sorted(OURS[COMPONENTS[component]].paths):
        with pytest.raises(InputError, match="is not allowed"):
            read_description(on(component, one_mount(path)), source="x.yaml")


def test_newline_in_an_untyped_object_is_found_without_a_file() -> None:
    """Custom resources come without the reader of files."""
    overlay = PodOverlay(affinity={"a": [{"b": "x\ny"}]})

    (problem,) = problems(SlurmCluster(name="lab", login=Login(pod=overlay)))

    assert problem.path == ("login", "pod", "affinity", "a", 0, "b")
    assert problem.allowed == "one line without control characters"
