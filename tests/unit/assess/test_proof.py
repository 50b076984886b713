"""What is proved of a run: no missing word is taken for a good one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.assess.proof import Proved, Said, prove, summary
from sunk.assess.verdict import Verdict
from sunk_jobs.networks import nccl_log, ompi_log, ucx_log
from sunk_jobs.networks.fabric_choice import Rail
from sunk_jobs.networks.fabric_evidence import Evidence

PASS, WARN, FAIL, SKIP, UNKNOWN = (
    *(Verdict.PASS, Verdict.WARN, Verdict.FAIL),
    *(Verdict.SKIP, Verdict.UNKNOWN),
)
DONE = "ncclCommInitRank comm 0x1 rank 0 nranks 16 cudaDev 0 - Init COMPLETE"
IB = "Channel 00/0 : 0[0] -> 8[0] [send] via NET/IB/0/GDRDMA"
STAGED = "Channel 01/0 : 0[0] -> 8[0] [send] via NET/IB/0"
SOCKET = "Channel 00/0 : 0[0] -> 8[0] [send] via NET/Socket/0"
COLLNET = "CollNet 00/0 : 0 [send] via COLLNET/SHARP/0/GDRDMA"
WANTED = "NCCL_COLLNET_ENABLE set by environment to 1."
USING = "NET/IB : Using [0]mlx5_0:1/IB [RO]; OOB eth0:10.0.0.1<0>"


def node(name: str = "w1", kind: str = "infiniband", **changed: object) -> Evidence:
    rails = () if kind == "tcp" else (Rail("mlx5_0", 1, "InfiniBand", 400.0),)
    return replace(Evidence(name, name, kind, rails, gpu_direct=True), **changed)


TWO = (node(), node("w2"))
TCP = (node(kind="tcp"), node("w2", kind="tcp"))


def nccl(*texts: str) -> Said:
    read = nccl_log.read(f"w1:7:9 [0] NCCL INFO {text}" for text in texts)
    log = read.processes["w1:7"]
    return Said(library="NCCL", host="w1", pid="7", rank=log.rank, log=log)


def ucx(*texts: str) -> Said:
    lines = (f"[1.5] [w1:7:0] ucp_worker.c:1 UCX  INFO  {text}" for text in texts)
    log = ucx_log.read(lines).processes["w1:7"]
    return Said(library="UCX", host="w1", pid="7", rank=None, log=log)


def ompi(*texts: str, rank: int | None = 0) -> Said:
    log = ompi_log.read(f"[w1:7] {text}" for text in texts).processes["w1:7"]
    return Said(library="Open MPI", host="w1", pid="7", rank=rank, log=log)


def of(evidence: tuple[Evidence, ...], *said: Said) -> Proved:
    return next(one for one in prove(evidence, said) if one.library)


def verdict(check: str, evidence: tuple[Evidence, ...], *said: Said) -> Verdict:
    return next(one.verdict for one in of(evidence, *said).findings if one.check == check)


@pytest.mark.parametrize(
    ("evidence", "texts", "wanted"),
    [
        (TWO, (DONE, IB), PASS),
        (TWO, (DONE, SOCKET), FAIL),
        (TWO, (DONE, IB, SOCKET), FAIL),
        (TWO, (DONE, "Using network IB"), UNKNOWN),
        (TWO, (DONE, "Using network Socket"), FAIL),
        (TWO, (DONE, "NET/IB : No device found."), FAIL),
        (TWO, (DONE,), UNKNOWN),
        (TWO, (IB,), UNKNOWN),
        (TCP, (DONE, SOCKET), PASS),
        (TCP, (DONE, IB), WARN),
        ((node(),), (DONE,), SKIP),
        (TWO, (DONE, USING, IB), PASS),
        (TWO, (DONE, USING.replace("mlx5_0", "mlx5_8"), IB), FAIL),
    ],
)
def test_transport_of_nccl(evidence, texts, wanted):
    assert verdict("transport", evidence, nccl(*texts)) is wanted


def test_transport_without_any_evidence_is_unknown_even_if_it_is_fast():
    said = [nccl(DONE, IB), replace(nccl(DONE, IB), host="w2")]
    assert {one.verdict for one in prove((), said)} == {UNKNOWN}


def test_rail_that_is_not_used_is_a_warning_that_names_it():
    rails = (Rail("mlx5_0", 1, "InfiniBand", 400.0), Rail("mlx5_1", 1, "InfiniBand", 400.0))
    evidence = (node(rails=rails), node("w2"))
    found = of(evidence, nccl(DONE, USING, IB)).findings[0]
    assert (found.verdict, found.found) == (WARN, "does not use mlx5_1:1")


@pytest.mark.parametrize(
    ("kind", "network"), [("efa", "AWS Libfabric"), ("slingshot", "Libfabric"), ("roce", "IB")]
)
def test_each_fabric_has_its_own_way(kind, network):
    evidence = (node(kind=kind), node("w2", kind=kind))
    channel = f"Channel 00/0 : 0[0] -> 8[0] [send] via NET/{network}/0/GDRDMA"
    assert verdict("transport", evidence, nccl(DONE, channel)) is PASS
    assert verdict("transport", evidence, nccl(DONE, SOCKET)) is FAIL


def test_nvlink_between_nodes_is_as_good_as_the_network():
    channel = "Channel 00/0 : 0[0] -> 8[0] via P2P/MNNVL"
    found = of(TWO, nccl(DONE, channel))
    assert (found.transport, found.findings[0].verdict) == ("NVLink", PASS)


@pytest.mark.parametrize(
    ("evidence", "texts", "wanted"),
    [
        (TWO, (DONE, IB), PASS),
        (TWO, (DONE, IB, STAGED), FAIL),
        ((node(gpu_direct=False), node("w2")), (DONE, STAGED), WARN),
        (TWO, (DONE, "Using network IB"), UNKNOWN),
        (TCP, (DONE, SOCKET), SKIP),
    ],
)
def test_gdr_holds_for_every_channel_or_not_at_all(evidence, texts, wanted):
    assert verdict("gdr", evidence, nccl(*texts)) is wanted


ASKED = (node(settings={"NCCL_COLLNET_ENABLE": "1"}), node("w2"))
REFUSED = "Communicator has 2 nodes which is less than CollNet node threshold 4, disabling CollNet"


@pytest.mark.parametrize(
    ("evidence", "texts", "wanted"),
    [
        (ASKED, (DONE, IB, COLLNET), PASS),
        (ASKED, (DONE, IB), FAIL),
        (ASKED, (DONE,), UNKNOWN),
        (ASKED, (DONE, IB, REFUSED), FAIL),
        (TWO, (DONE, IB, REFUSED), SKIP),
        (TWO, (DONE, IB), SKIP),
        (TWO, (DONE, IB, WANTED), FAIL),
    ],
)
def test_sharp_that_was_asked_for_is_proved_by_its_channels(evidence, texts, wanted):
    assert verdict("sharp", evidence, nccl(*texts)) is wanted


TUNED = "AllReduce: 33554432 Bytes -> Algo {} proto SIMPLE channel"
NVLS_ASKED = "NCCL_NVLS_ENABLE set by environment to 1."


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        ((TUNED.format("NVLS"),), PASS),
        (("Connected NVLS tree",), SKIP),
        (("Connected NVLS tree", NVLS_ASKED), UNKNOWN),
        ((TUNED.format("RING"), NVLS_ASKED), FAIL),
        (("NVLS multicast support is not available on dev 0", NVLS_ASKED), FAIL),
    ],
)
def test_nvls_that_was_set_up_is_not_yet_used(texts, wanted):
    assert verdict("nvls", TWO, nccl(DONE, IB, *texts)) is wanted


@pytest.mark.parametrize(
    ("evidence", "text", "wanted"),
    [
        (TWO, "x inter-node cfg#1 tag(rc_mlx5/mlx5_0:1)", PASS),
        (TWO, "x inter-node cfg#1 tag(tcp/eth0)", FAIL),
        (TWO, "x intra-node cfg#1 tag(sysv/memory)", UNKNOWN),
        (TCP, "x inter-node cfg#1 tag(tcp/eth0)", PASS),
        ((node(),), "ep_cfg[1]: tag(tcp/eth0)", SKIP),
    ],
)
def test_transport_of_ucx(evidence, text, wanted):
    assert verdict("transport", evidence, ucx(text)) is wanted


@pytest.mark.parametrize(
    ("evidence", "texts", "wanted"),
    [
        (TCP, ("selected ob1 best priority 20",), UNKNOWN),
        (TCP, ("mca: bml: Using tcp btl for send to [[5,1],1] on node w2",), PASS),
        (TWO, ("mca: bml: Using tcp btl for send to [[5,1],1] on node w2",), FAIL),
        (TWO, ("selected ucx best priority 51",), UNKNOWN),
        (
            TWO,
            ("selected cm best priority 25", "mca:base:select:(  mtl) Selected component [ofi]"),
            FAIL,
        ),
        ((node(),), ("selected ob1 best priority 20",), SKIP),
    ],
)
def test_transport_of_open_mpi(evidence, texts, wanted):
    assert verdict("transport", evidence, ompi(*texts)) is wanted


def test_open_mpi_over_ucx_leaves_the_word_to_ucx_and_lends_it_the_rank():
    said = (ompi("selected ucx best priority 51", rank=3), ucx("x inter-node cfg#1 tag(rc/m:1)"))
    found = {one.library: (one.rank, one.verdict) for one in prove(TWO, said) if one.library}
    assert found == {"Open MPI": (3, SKIP), "UCX": (3, PASS)}


def test_node_that_said_nothing_is_unknown():
    (silent,) = [one for one in prove(TWO, [nccl(DONE, IB)]) if not one.library]
    assert (silent.node, silent.verdict) == ("w2", UNKNOWN)


def test_fault_is_told_and_is_no_reason_to_fail():
    log = nccl_log.read(
        [f"w1:7:9 [0] NCCL INFO {DONE}", f"w1:7:9 [0] NCCL INFO {IB}", "w1:7:9 [0] NCCL WARN lost"]
    ).processes["w1:7"]
    found = of(TWO, Said(library="NCCL", host="w1", pid="7", rank=0, log=log))
    assert found.verdict is WARN
    assert found.findings[-1].found == "1 warnings and errors, the first: lost"


def test_ranks_that_fared_alike_stand_in_one_row():
    said = []
    for number in (0, 1, 2, 5):
        one = nccl(DONE.replace("rank 0", f"rank {number}"), IB)
        said.append(replace(one, pid=str(number)))
    said.append(replace(nccl(DONE, SOCKET), rank=7, pid="9"))
    rows = [one for one in summary(prove(TWO, said)) if one["library"]]
    assert [(one["ranks"], one["verdict"]) for one in rows] == [("0-2,5", PASS), ("7", FAIL)]


@given(
    texts=st.lists(
        st.sampled_from(
            [
                DONE,
                IB,
                STAGED,
                SOCKET,
                COLLNET,
                WANTED,
                USING,
                REFUSED,
                NVLS_ASKED,
                "Using network IB",
                "Using network Socket",
                "NET/IB : No device found.",
            ]
        ),
        max_size=6,
    ),
    evidence=st.sampled_from([(), TWO, TCP, ASKED, (node(),)]),
)
def test_nothing_passes_without_a_channel_evidence_and_a_ready_communicator(texts, evidence):
    found = of(evidence, nccl("Bootstrap : Using eth0", *texts))
    (transport,) = [one for one in found.findings if one.check == "transport"]
    if transport.verdict is PASS:
        assert DONE in texts
        assert evidence
        assert {IB, STAGED, SOCKET} & set(texts)
