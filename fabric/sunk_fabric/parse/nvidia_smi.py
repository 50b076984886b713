"""nvidia-smi -q -x: GPUs with their PCIe link, memory, and place in an NVLink fabric."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree as Xml

from sunk_fabric.parse.text import Content, Parsed, Reader, printable

ROOT = "nvidia_smi_log"
SIZE_LIMIT_BYTES = 16 * 2**20
_BDF = re.compile(r"[0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU; texts are the tool's, empty when not told or not there (N/A).

    Attributes:
        address: PCI address with four digits of domain, lower case.
        product: ``NVIDIA H100 80GB HBM3``.
        generation: of the PCIe link now.
        best_generation: that GPU and host can.
        width: lanes now.
        best_width: lanes that there could be.
        busy_percent: utilization of the GPU.
        ecc: ``Enabled``.
        remap_pending: ``Yes`` or ``No``.
        remap_failed: ``Yes`` or ``No``.
        fabric_state: ``Completed``.
        fabric_status: ``Success``.
        clique: number in the NVLink domain.
        cluster: UUID of the NVLink domain.
    """

    address: str
    product: str = ""
    generation: int | None = None
    best_generation: int | None = None
    width: int | None = None
    best_width: int | None = None
    busy_percent: int | None = None
    ecc: str = ""
    remap_pending: str = ""
    remap_failed: str = ""
    fabric_state: str = ""
    fabric_status: str = ""
    clique: str = ""
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Gpus:
    """What the tool says.

    Attributes:
        driver: its version.
        gpus: in the order of the text.
    """

    driver: str = ""
    gpus: tuple[Gpu, ...] = ()


def parse(content: Content) -> Parsed[Gpus]:
    """Return the GPUs; entities are refused, as no such tool makes any."""
    whole = content if isinstance(content, bytes) else b"".join(content)
    reader = Reader(whole)
    for _line in reader:
        pass
    if not whole.strip():
        reader.damaged("the output is empty")
        return reader.outcome(Gpus())
    if len(whole) > SIZE_LIMIT_BYTES or b"<!ENTITY" in whole:
        reader.damaged("not the XML of this tool")
        return reader.outcome(Gpus())
    try:
        # Entities were refused above, and expat bounds what is left.
        top = Xml.fromstring(whole)  # noqa: S314
    except (Xml.ParseError, ValueError, LookupError, RecursionError) as exc:
        reader.damaged(f"not the XML of this tool: {printable(str(exc))}")
        return reader.outcome(Gpus())
    if top.tag != ROOT:
        reader.damaged(f"not the XML of this tool: it is about {printable(top.tag)}")
        return reader.outcome(Gpus())
    gpus = []
    for one in top.findall("gpu"):
        address = one.findtext("pci/pci_bus_id") or one.get("id") or ""
        if not _BDF.fullmatch(address):
            reader.damaged(f"a GPU has the PCI address {printable(address, 40) or 'none'}")
            continue
        gpus.append(_gpu(one, address))
    if _text(top, "attached_gpus") not in {"", str(len(gpus))}:
        reader.damaged(f"{_text(top, 'attached_gpus')} GPUs are attached, {len(gpus)} are told of")
    return reader.outcome(Gpus(_text(top, "driver_version"), tuple(gpus)))


def _gpu(one: Xml.Element, address: str) -> Gpu:
    link = "pci/pci_gpu_link_info"
    best = [
        _number(one, f"{link}/pcie_gen/{name}") for name in ("max_device_link_gen", "max_link_gen")
    ]
    return Gpu(
        address=normal(address),
        product=_text(one, "product_name"),
        generation=_number(one, f"{link}/pcie_gen/current_link_gen"),
        best_generation=min((n for n in best if n is not None), default=None),
        width=_number(one, f"{link}/link_widths/current_link_width"),
        best_width=_number(one, f"{link}/link_widths/max_link_width"),
        busy_percent=_number(one, "utilization/gpu_util"),
        ecc=_text(one, "ecc_mode/current_ecc"),
        remap_pending=_text(one, "remapped_rows/remapped_row_pending"),
        remap_failed=_text(one, "remapped_rows/remapped_row_failure"),
        fabric_state=_text(one, "fabric/state"),
        fabric_status=_text(one, "fabric/status"),
        clique=_text(one, "fabric/cliqueId"),
        cluster=_text(one, "fabric/clusterUuid"),
    )


def normal(address: str) -> str:
    """Return a PCI address as sysfs writes it: four digits of domain, lower case."""
    domain, _, rest = address.lower().partition(":")
    return f"{domain[-4:]}:{rest}"


def _text(one: Xml.Element, path: str) -> str:
    text = printable((one.findtext(path) or "").strip(), 80)
    return "" if text in {"N/A", "[N/A]"} else text


def _number(one: Xml.Element, path: str) -> int | None:
    match = re.match(r"(\d{1,6})(?:x| ?%|$)", _text(one, path))
    return int(match[1]) if match else None
