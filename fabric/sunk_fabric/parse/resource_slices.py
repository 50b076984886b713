"""ResourceSlice objects: the devices that drivers offer to claims."""

from __future__ import annotations

import msgspec

from sunk_fabric.parse import kube_list
from sunk_fabric.parse.kube_list import Metadata
from sunk_fabric.parse.text import Content, Parsed

KIND = "ResourceSlice"


class Attribute(msgspec.Struct, frozen=True, kw_only=True):
    """A value of one of four types.

    Attributes:
        flag: when it is yes or no.
        number: when it is one.
        text: when it is one.
        version: when it is one.
    """

    flag: bool | None = msgspec.field(name="bool", default=None)
    number: int | None = msgspec.field(name="int", default=None)
    text: str | None = msgspec.field(name="string", default=None)
    version: str | None = None

    @property
    def value(self) -> object:
        """Return the one that is set."""
        given = (self.flag, self.number, self.text, self.version)
        return next((one for one in given if one is not None), None)


class _Basic(msgspec.Struct, frozen=True, kw_only=True):
    attributes: dict[str, Attribute] = {}


class OfferedDevice(msgspec.Struct, frozen=True, kw_only=True):
    """One device.

    Attributes:
        name: in its slice.
        attributes: by name, with the driver's domain or without; ``v1`` has them here.
        basic: the same in ``v1beta1``.
    """

    name: str = ""
    attributes: dict[str, Attribute] = {}
    basic: _Basic = _Basic()

    def told(self, *names: str) -> object:
        """Return the attribute of the first of these names, whatever its domain."""
        every = {**self.basic.attributes, **self.attributes}
        plain = {name.rpartition("/")[2]: one.value for name, one in sorted(every.items())}
        return next((plain[name] for name in names if name in plain), None)


class SliceSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is offered.

    Attributes:
        driver: who offers.
        node_name: where; empty for devices of no Node.
        devices: what.
    """

    driver: str = ""
    node_name: str = ""
    devices: tuple[OfferedDevice, ...] = ()


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """One object.

    Attributes:
        metadata: its name.
        spec: what is offered.
    """

    metadata: Metadata = Metadata()
    spec: SliceSpec = SliceSpec()


def parse(content: Content) -> Parsed[tuple[Slice, ...]]:
    """Return the slices."""
    return kube_list.decode(content, Slice, KIND)
