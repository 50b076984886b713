"""Record what tools say in guests: ``python -m tests.recordings.record_guest_texts`` (root).

Writes fixtures of the fabric validator. Soft-RoCE is an RDMA device of the kernel's own, and what
its tools say is recorded; a NIC with virtual functions is one that QEMU emulates, and what a tool
says about it is simulated.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import sunk_jobs
from sunk.assess.check import Proof
from sunk.progress import Silent
from tests.support.cluster import local_settings
from tests.support.fabric_texts import FOLDER
from tests.support.guest_image import obtain_guest_image
from tests.support.guests import DEVICE, NIC, Guests

JOBS = Path(sunk_jobs.__file__).resolve().parents[1]
SOFT = (
    "a guest of QEMU {qemu-system-x86}, Linux {linux-image-amd64}, soft-RoCE over an emulated igb"
)
IGB = (
    "a guest of QEMU {qemu-system-x86}, Linux {linux-image-amd64}, two functions of an emulated igb"
)


@dataclass(frozen=True)
class Text:
    """One fixture: where it goes, what prints it, and what it is worth."""

    path: str
    package: str
    command: str
    origin: Proof = Proof.RECORDED
    how: str = SOFT


TEXTS = (
    Text("ibv_devinfo/soft-roce.txt", "ibverbs-utils", "ibv_devinfo -v"),
    Text("ibstat/soft-roce.txt", "infiniband-diags", "ibstat"),
    Text("rdma_link/soft-roce.json", "iproute2", "rdma -j link"),
    Text("rdma_system/words.txt", "iproute2", "rdma -j system show"),
    Text("proc_modules/soft-roce.txt", "linux-image-amd64", "cat /proc/modules"),
    Text("ip_link/igb.json", "iproute2", "ip -d -j link", Proof.SIMULATED, IGB),
    Text("lspci/igb.txt", "pciutils", "lspci -vv", Proof.SIMULATED, IGB),
)
PAIRS = (
    Text(
        "perftest/soft-roce-write-bw.txt",
        "perftest",
        f"ib_write_bw -d {DEVICE} -s 65536 -n 500 -F --report_gbits",
    ),
    Text("perftest/soft-roce-write-lat.txt", "perftest", f"ib_write_lat -d {DEVICE} -s 2 -F"),
    Text(
        "perftest/soft-roce-send-bw.txt",
        "perftest",
        f"ib_send_bw -d {DEVICE} -s 65536 -n 500 -F",
    ),
)


def main() -> None:
    image = obtain_guest_image(local_settings(), Silent())
    folder = Path(tempfile.mkdtemp(prefix="sunk-record-"))
    with Guests(image, folder, JOBS) as guests:
        first, second = guests.guests
        guests.does(first.name, f"echo 2 > /sys/class/net/{NIC}/device/sriov_numvfs")
        for one in TEXTS:
            keep(one, one.command, guests.does(first.name, f"LC_ALL=C {one.command}"), image)
        for one in PAIRS:
            guests.does(second.name, f"timeout 60 {one.command} > /tmp/server 2>&1 &")
            line = f"{one.command} {second.rdma}"
            tries = f"for n in 1 2 3 4 5 6 7 8; do {line} 2>/tmp/err && exit; sleep 1; done; exit 1"
            keep(one, line, guests.does(first.name, tries), image)
        guests.does(second.name, "timeout 60 iperf3 --server --one-off > /tmp/server 2>&1 &")
        told = Text("iperf3/guests.json", "iperf3", "iperf3 --json --bytes 2000000 --client")
        line = f"{told.command} {second.rdma}"
        tries = f"for n in 1 2 3 4; do {line} > /tmp/out && break; sleep 1; done; cat /tmp/out"
        keep(told, line, guests.does(first.name, tries), image)


def keep(text: Text, command: str, output: str, image) -> None:
    path = FOLDER / text.path
    path.write_text(output)
    tool = f"{command} of {text.package} {image.versions[text.package]}"
    how = text.how.format_map(image.versions)
    path.with_name(f"{path.stem}.origin.yaml").write_text(
        f"origin: {text.origin}\ntool: {tool}\nhow: printed in {how}\n"
    )
    print(path.relative_to(FOLDER), len(output))


if __name__ == "__main__":
    main()
