"""What answers are about, as paths: a cause above or below in the path concerns the other."""

from __future__ import annotations

FABRIC = "fabric"


def node(host: str, *parts: str) -> str:
    """Return a host, or a part of it such as a device and its port."""
    return _path("node", host, *parts)


def switch(name: str, *parts: str) -> str:
    """Return a switch, or a port of it."""
    return _path("switch", name, *parts)


def pod(namespace: str, name: str, *parts: str) -> str:
    """Return a Pod, or a network of it."""
    return _path("pod", namespace, name, *parts)


def attachment(namespace: str, name: str) -> str:
    """Return a NetworkAttachmentDefinition."""
    return _path("attachment", namespace, name)


def in_fabric(subject: str) -> str:
    """Return the same place as a part of the fabric: what concerns all of it concerns this."""
    return f"{FABRIC}/{subject}"


def pair(one: str, other: str, rail: str = "") -> str:
    """Return two hosts and the way between them, on one rail where there are several."""
    return _path("pair", *sorted((one, other)), *((rail,) if rail else ()))


def limit(name: str) -> str:
    """Return a limit that many processes have in common."""
    return _path("limits", name)


def run(name: str, *parts: str) -> str:
    """Return a measurement, such as one benchmark, or a part of it."""
    return _path("run", name, *parts)


def _path(*words: str) -> str:
    return "/".join(word.replace("/", "_") for word in words)
