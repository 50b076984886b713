"""STAND-IN for Multus: a CNI plugin that gives Pods further networks (``python -m`` this module).

It follows the Network Plumbing Working Group's standard, and nothing beyond it: networks are asked
for by the annotation ``k8s.v1.cni.cncf.io/networks``, described by NetworkAttachmentDefinitions,
made by the CNI plugins that those name, and told in ``k8s.v1.cni.cncf.io/network-status``. The
device of a definition's resource is the one that the kubelet has given the Pod.

Not served: addresses and options in the long form of the annotation, a default network chosen by
the Pod, GC and STATUS of CNI 1.1.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import sys
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sunk.clients import process
from sunk.errors import CommandError, InputError, NotFound, Rejected, SunkError
from sunk.local import rails

NETWORKS = "k8s.v1.cni.cncf.io/networks"
STATUS = "k8s.v1.cni.cncf.io/network-status"
RESOURCE = "k8s.v1.cni.cncf.io/resourceName"
VERSIONS = ("0.3.0", "0.3.1", "0.4.0", "1.0.0")
KEPT = Path("/var/lib/cni/attachments")
"""What each sandbox was given, so that it can be taken back when the Pod is gone from the API."""
CHECKPOINT = Path("/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint")
_SECONDS = 20.0
_PLUGIN_FAILED = 100
"""From here on error codes are a plugin's own (CNI specification)."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A network that a Pod asks for.

    Attributes:
        namespace: of the definition.
        name: of the definition.
        interface: in the Pod.
    """

    namespace: str
    name: str
    interface: str


def asked_for(annotation: str, namespace: str) -> tuple[Asked, ...]:
    """Return the networks of an annotation, in order.

    Args:
        annotation: short form ``[namespace/]name[@interface], …`` or long form, a JSON list.
        namespace: the Pod's.

    Raises:
        InputError: it is neither, or asks for what this stand-in does not serve.
    """
    text = annotation.strip()
    entries = _long(text) if text.startswith("[") else _short(text)
    return tuple(
        Asked(one.get("namespace") or namespace, one["name"], one.get("interface") or f"net{index}")
        for index, one in enumerate(entries, start=1)
    )


def _short(text: str) -> list[Json]:
    found = []
    for word in filter(None, (one.strip() for one in text.split(","))):
        path, _, interface = word.partition("@")
        namespace, _, name = path.rpartition("/")
        found.append({"namespace": namespace, "name": name, "interface": interface})
    return found


def _long(text: str) -> list[Json]:
    try:
        entries: list[Json] = json.loads(text)
        odd = sorted({key for one in entries for key in one} - {"name", "namespace", "interface"})
        unnamed = any(not one.get("name") for one in entries)
    except (ValueError, AttributeError, TypeError) as exc:
        raise InputError(f"read annotation {NETWORKS}: {exc}") from exc
    if odd or unnamed:
        raise InputError(
            f"read annotation {NETWORKS}: {', '.join(odd) or 'an entry without a name'}",
            hint="this stand-in serves name, namespace and interface",
        )
    return entries


def devices_of(checkpoint: Json, pod_uid: str, resource: str) -> list[str]:
    """Return the devices of a resource that the kubelet has given a Pod, in order."""
    entries = checkpoint.get("Data", {}).get("PodDeviceEntries") or []
    found: list[str] = []
    for one in entries:
        if one["PodUID"] == pod_uid and one["ResourceName"] == resource:
            found += [each for group in one["DeviceIDs"].values() for each in group]
    return sorted(found)


def status_of(name: str, interface: str, result: Json, *, default: bool, device: str) -> Json:
    """Return an entry of the annotation network-status.

    Args:
        name: ``namespace/name`` of the definition, or of the default network.
        interface: in the Pod.
        result: what the CNI plugin answered.
        default: whether it is the cluster's own network.
        device: PCI address; none when empty.
    """
    inside = [one for one in result.get("interfaces", []) if one.get("sandbox")]
    entry: Json = {
        "name": name,
        "interface": interface,
        "ips": [one["address"].partition("/")[0] for one in result.get("ips", [])],
        "mac": inside[0].get("mac", "") if inside else "",
        "default": default,
        "dns": result.get("dns", {}),
    }
    if device:
        pci = {"pci-address": device}
        if rdma := rails.rdma_device(Path(rails.SYSFS), device):
            pci["rdma-device"] = rdma
        entry["device-info"] = {"type": "pci", "version": "1.1.0", "pci": pci}
    return entry


class Api:
    """kube-apiserver, as far as this needs it.

    Args:
        config: ``server``, and the files ``ca``, ``certificate`` and ``key``.
    """

    def __init__(self, config: Json) -> None:
        self._server = urllib.parse.urlsplit(config["server"])
        self._trust = ssl.create_default_context(cafile=config["ca"])
        self._trust.load_cert_chain(config["certificate"], config["key"])

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        """Ask, and return the answer.

        Raises:
            NotFound, Rejected: it answers so.
        """
        connection = http.client.HTTPSConnection(
            str(self._server.hostname), self._server.port, timeout=_SECONDS, context=self._trust
        )
        headers = {"Content-Type": "application/merge-patch+json"} if body else {}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        if answer.status == http.client.NOT_FOUND:
            raise NotFound(f"{method} {path}: not found", system="kube-apiserver")
        if answer.status >= http.client.BAD_REQUEST:
            raise Rejected(
                f"{method} {path}: {answer.status} {text[:200]}", system="kube-apiserver"
            )
        found: Json = json.loads(text)
        return found


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What the container runtime asks about.

    Attributes:
        container: its id.
        namespace: the Pod's.
        pod: its name.
    """

    container: str
    namespace: str
    pod: str

    @property
    def path(self) -> str:
        """Return where the API has the Pod."""
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.pod}"

    @property
    def kept(self) -> Path:
        """Return the file that says what it was given."""
        return KEPT / f"{self.container}.json"


def sandbox_of(environment: Mapping[str, str]) -> Sandbox:
    """Return what the variables of CNI name."""
    words = dict(one.partition("=")[::2] for one in environment.get("CNI_ARGS", "").split(";"))
    return Sandbox(
        container=environment["CNI_CONTAINERID"],
        namespace=words.get("K8S_POD_NAMESPACE", ""),
        pod=words.get("K8S_POD_NAME", ""),
    )


class Plugin:
    """Carries out one command of CNI.

    Args:
        config: what the container runtime gave: our own keys, and ``default``, the configuration
            of the cluster's own network.
        sandbox: what it is about.
    """

    def __init__(self, config: Json, sandbox: Sandbox) -> None:
        self._config = config
        self._sandbox = sandbox
        self._given: list[tuple[str, Json]] = []

    def add(self) -> Json:
        """Give the Pod its networks, all or none; returns the default network's result."""
        result = self._delegate("ADD", "eth0", self._default())
        pod = Api(self._config).call("GET", self._sandbox.path)
        annotation = pod["metadata"].get("annotations", {}).get(NETWORKS, "")
        try:
            further = list(self._further(asked_for(annotation, self._sandbox.namespace), pod))
            if further:
                name = self._config["name"]
                own = status_of(name, "eth0", result, default=True, device="")
                text = json.dumps([own, *further])
                notes = {"metadata": {"annotations": {STATUS: text}}}
                Api(self._config).call("PATCH", self._sandbox.path, notes)
        except BaseException:
            self.delete()
            raise
        return result

    def delete(self) -> None:
        """Take everything back; what is gone already is no error."""
        kept = self._sandbox.kept
        given = json.loads(kept.read_text()) if kept.exists() else []
        for interface, conf in reversed(given):
            self._delegate("DEL", interface, conf)
        kept.unlink(missing_ok=True)
        self._delegate("DEL", "eth0", self._default())

    def check(self) -> None:
        """Look whether the default network is as it was made."""
        previous = self._config.get("prevResult")
        self._delegate("CHECK", "eth0", {**self._default(), "prevResult": previous})

    def _default(self) -> Json:
        own = {key: self._config[key] for key in ("cniVersion", "name")}
        return {**self._config["default"], **own}

    def _further(self, asked: tuple[Asked, ...], pod: Json) -> Iterator[Json]:
        used: dict[str, int] = {}
        for one in asked:
            path = (
                f"/apis/k8s.cni.cncf.io/v1/namespaces/{one.namespace}"
                f"/network-attachment-definitions/{one.name}"
            )
            definition = Api(self._config).call("GET", path)
            resource = definition["metadata"].get("annotations", {}).get(RESOURCE, "")
            device = self._device(pod, resource, used) if resource else ""
            result = self._attach(one.interface, json.loads(definition["spec"]["config"]), device)
            name = f"{one.namespace}/{one.name}"
            yield status_of(name, one.interface, result, default=False, device=device)

    def _device(self, pod: Json, resource: str, used: dict[str, int]) -> str:
        there = devices_of(json.loads(CHECKPOINT.read_text()), pod["metadata"]["uid"], resource)
        index = used.get(resource, 0)
        if index >= len(there):
            raise InputError(
                f"attach a network of {resource}: the Pod was given {len(there)} of it",
                hint=f"ask for {resource} in the limits of one of its containers",
            )
        used[resource] = index + 1
        return there[index]

    def _attach(self, interface: str, conf: Json, device: str) -> Json:
        """Run the plugin, or the list of plugins, of a definition."""
        result: Json = {}
        for each in conf.get("plugins", [conf]):
            own = {key: conf[key] for key in ("cniVersion", "name") if key in conf}
            whole = {"name": "attachment", "cniVersion": VERSIONS[-1], **each, **own}
            if device:
                whole["deviceID"] = device
            # Noted before it is made: a half-made one is to be taken back too.
            self._given.append((interface, whole))
            KEPT.mkdir(parents=True, exist_ok=True)
            self._sandbox.kept.write_text(json.dumps(self._given))
            previous = {"prevResult": result} if result else {}
            result = self._delegate("ADD", interface, {**whole, **previous})
        return result

    def _delegate(self, command: str, interface: str, conf: Json) -> Json:
        folders = os.environ.get("CNI_PATH", "").split(":")
        files = (Path(one) / conf["type"] for one in folders)
        program = next((one for one in files if one.exists()), None)
        if program is None:
            raise InputError(f"run CNI plugin {conf['type']}: not in {', '.join(folders)}")
        done = process.run(
            [program],
            timeout_seconds=_SECONDS,
            input_text=json.dumps(conf),
            env={"CNI_COMMAND": command, "CNI_IFNAME": interface},
            check=False,
        )
        if done.status != 0:
            raise Rejected(f"run CNI plugin {conf['type']}: {done.stdout}", system="CNI")
        found: Json = json.loads(done.stdout) if done.stdout.strip() else {}
        return found


def main() -> int:
    """Carry out the command in the environment; returns the exit code."""
    command, config = os.environ["CNI_COMMAND"], json.load(sys.stdin)
    version = config.get("cniVersion", VERSIONS[-1])
    if command == "VERSION":
        sys.stdout.write(json.dumps({"cniVersion": version, "supportedVersions": VERSIONS}))
        return 0
    plugin = Plugin(config, sandbox_of(os.environ))
    try:
        if command == "ADD":
            sys.stdout.write(json.dumps(plugin.add()))
        elif command == "DEL":
            plugin.delete()
        else:
            plugin.check()
    except (SunkError, CommandError, OSError, ValueError, KeyError) as exc:
        words = exc.message if isinstance(exc, SunkError) else f"{type(exc).__name__}: {exc}"
        sys.stdout.write(json.dumps({"cniVersion": version, "code": _PLUGIN_FAILED, "msg": words}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
