from __future__ import annotations

import pytest

from sunk_jobs.networks import nccl_log
from sunk_jobs.networks.nccl_log import Hca, Transport, Tuned, Uplink


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NET/IB/0/GDRDMA", Transport("NET/IB", gdr=True)),
        ("NET/IB/0", Transport("NET/IB", gdr=False)),
        ("NET/IB/0(3)/GDRDMA", Transport("NET/IB", gdr=True)),
        ("NET/IB/12(PCI)/GDRDMA/Shared", Transport("NET/IB", gdr=True)),
        ("NET/AWS Libfabric/0/GDRDMA", Transport("NET/AWS Libfabric", gdr=True)),
        ("NET/Socket/0", Transport("NET/Socket", gdr=False)),
        ("P2P/CUMEM", Transport("P2P/CUMEM", gdr=False)),
        ("SHM/direct/direct", Transport("SHM/direct/direct", gdr=False)),
        ("COLLNET/SHARP/0/GDRDMA", Transport("COLLNET/SHARP", gdr=True)),
    ],
)
def test_transport_is_kind_and_gdr_without_the_card_number(text, expected):
    assert nccl_log.transport(text) == expected


def log(*texts, level="INFO"):
    return nccl_log.read(f"gpu1:7:9 [0] NCCL {level} {text}" for text in texts)


def test_channels_are_counted_by_transport():
    found = log(
        "Channel 00/0 : 0[0] -> 8[0] [send] via NET/IB/0/GDRDMA",
        "Channel 01/0 : 0[0] -> 8[0] [receive] via NET/IB/1/GDRDMA",
        "Channel 00 : 0[a000] -> 1[b000] via P2P/IPC",
    )
    assert dict(found.processes["gpu1:7"].channels) == {
        Transport("NET/IB", gdr=True): 2,
        Transport("P2P/IPC", gdr=False): 1,
    }


def test_adapter_of_a_channel_is_its_own_ends_and_none_through_another_rank():
    found = log(
        "Channel 00/0 : 0[2] -> 8[0] [send] via NET/IB/3/GDRDMA",
        "Channel 01/0 : 8[5] -> 0[2] [receive] via NET/IB/4",
        "Channel 02/0 : 0[2] -> 8[0] [send] via NET/IB/5(1)/GDRDMA/Shared",
        "Channel 03 : 0[1000] -> 8[1000] [send] via NET/IB/6",
        "Channel 04/0 : 0[2] -> 1[3] via P2P/IPC",
    )
    assert found.processes["gpu1:7"].uplinks == {Uplink(2, 3), Uplink(2, 4), Uplink(None, 6)}


def test_adapters_of_both_link_layers_are_listed():
    found = log("NET/IB : Using [0]mlx5_0:1/IB [1]mlx5_bond_0:2/RoCE [RO]; OOB eth0:10.0.0.1<0>")
    assert found.processes["gpu1:7"].hcas == (
        Hca(0, "mlx5_0", 1, "IB"),
        Hca(1, "mlx5_bond_0", 2, "RoCE"),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "AllReduce: 33554432 Bytes -> Algo RING proto SIMPLE channel{Lo..Hi}={0..31}",
            Tuned("AllReduce", 33554432, "RING", "SIMPLE"),
        ),
        (
            "AllGather: 1024 Bytes -> Algo 4 proto 0 time 1.5",
            Tuned("AllGather", 1024, "NVLS", "LL"),
        ),
        ("AllGather: 1024 Bytes -> Algo 9 proto 0", Tuned("AllGather", 1024, "9", "LL")),
    ],
)
def test_algorithm_is_a_name_in_old_and_new_releases(text, expected):
    assert log(text).processes["gpu1:7"].tuned == {expected}


def test_lines_of_others_are_counted_and_left_alone():
    found = nccl_log.read(["step 1 loss 2.5", "gpu1:7:9 [0] NCCL INFO Using network IB"])
    assert (found.lines, found.foreign) == (1, 1)
    assert found.processes["gpu1:7"].networks == {"IB"}


def test_warning_is_a_fault_whatever_it_says():
    found = log("something new", level="WARN")
    assert found.processes["gpu1:7"].faults == ["something new"]


def test_endless_faults_are_counted_and_not_kept():
    found = log(*["x"] * 3000, level="WARN")
    process = found.processes["gpu1:7"]
    assert (len(process.faults), process.fault_count) == (nccl_log.FAULT_LIMIT, 3000)
