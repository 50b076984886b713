"""Copies of a node's sysfs and procfs, simulated: laid out as the drivers lay theirs.

No node with such adapters was at hand: files and their words follow the kernel's documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MELLANOX, AMAZON, NVIDIA = "0x15b3", "0x1d0f", "0x10de"


@dataclass(frozen=True)
class Adapter:
    """An RDMA device with one port."""

    name: str
    rate: str = "400 Gb/sec (4X NDR)"
    layer: str = "InfiniBand"
    state: str = "4: ACTIVE"
    netdev: str = ""
    gid_type: str = ""
    vf: bool = False
    vendor: str = MELLANOX
    driver: str = "mlx5_core"
    owner: str = ""


def lay_out(
    root: Path,
    adapters: tuple[Adapter, ...] = (),
    *,
    nets: dict[str, int] | None = None,
    default: str = "",
    cxi: tuple[str, ...] = (),
    gpus: int = 0,
    peer_memory: bool = False,
    imex_channels: int = 0,
) -> tuple[Path, Path]:
    """Write the trees below `root`; return where sysfs and procfs are.

    The tree of devices is ``dev``, beside them.

    Args:
        root: an empty folder.
        adapters: RDMA devices.
        nets: network device -> MTU; all are up.
        default: the one with the default route.
        cxi: devices of class cxi.
        gpus: NVIDIA GPUs.
        peer_memory: nvidia_peermem is loaded.
        imex_channels: channels of NVLink between nodes.
    """
    sys, proc = root / "sys", root / "proc"
    _lay_out_adapters(sys, adapters)
    for name, mtu in (nets or {}).items():
        _write(sys / "class/net" / name / "operstate", "up")
        _write(sys / "class/net" / name / "mtu", str(mtu))
    for number in range(gpus):
        gpu = sys / f"bus/pci/devices/0000:{number + 0xA0:02x}:00.0"
        _write(gpu / "vendor", NVIDIA)
        _write(gpu / "class", "0x030200")
    if peer_memory:
        (sys / "module/nvidia_peermem").mkdir(parents=True)
    for number in range(imex_channels):
        _write(root / "dev/nvidia-caps-imex-channels" / f"channel{number}", "")
    for name in cxi:
        (sys / "class/cxi" / name).mkdir(parents=True)
    lines = ["Iface\tDestination\tGateway"]
    if default:
        lines.append(f"{default}\t00000000\t0100000A")
    _write(proc / "net/route", "\n".join(lines))
    return sys, proc


def _lay_out_adapters(sys: Path, adapters: tuple[Adapter, ...]) -> None:
    for number, one in enumerate(adapters):
        pci = sys / f"devices/pci0000:00/0000:{number + 1:02x}:00.0"
        _write(pci / "vendor", one.vendor)
        if one.vf:
            (pci / "physfn").symlink_to("../0000:00:00.0")
        (pci / "driver").symlink_to(f"../../../bus/pci/drivers/{one.driver}")
        if one.owner:
            owner = sys / "class/infiniband" / one.owner / "device"
            (owner / "virtfn0").symlink_to(f"../{pci.name}")
        folder = sys / "class/infiniband" / one.name
        port = folder / "ports/1"
        words = {"state": one.state, "rate": one.rate, "link_layer": one.layer}
        for name, word in words.items():
            _write(port / name, word)
        _write(port / "gids/0", "fe80:0000:0000:0000:0000:0000:0000:0001")
        if one.gid_type:
            _write(port / "gid_attrs/types/0", one.gid_type)
        if one.netdev:
            _write(port / "gid_attrs/ndevs/0", one.netdev)
        (folder / "device").symlink_to(pci)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n")
