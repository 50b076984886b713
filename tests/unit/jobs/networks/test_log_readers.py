"""Readers of UCX's and Open MPI's logs, and of NCCL's newer lines.

The lines are written after the layouts in the libraries' sources; names and numbers are invented.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk_jobs.networks import nccl_log, ompi_log, ucx_log
from sunk_jobs.networks.log_lines import whole_lines, without_label
from sunk_jobs.networks.ucx_log import Lane


def ucx(*texts: str, level: str = "INFO", who: str = "gpu1:77:0") -> ucx_log.UcxLog:
    return ucx_log.read(
        f"[1750940543.886091] [{who}]      ucp_worker.c:1855 UCX  {level:5} {text}"
        for text in texts
    )


@pytest.mark.parametrize(
    ("text", "lanes"),
    [
        (
            "ucp_context_0 inter-node cfg#8 tag(rc_mlx5/mlx5_2:1 rc_mlx5/mlx5_0:1)",
            {
                Lane("inter-node", "rc_mlx5", "mlx5_2:1"),
                Lane("inter-node", "rc_mlx5", "mlx5_0:1"),
            },
        ),
        (
            "0x252d990 intra-node cfg#2 tag(sysv/memory cma/memory) rma(sysv/memory)",
            {Lane("intra-node", "sysv", "memory"), Lane("intra-node", "cma", "memory")},
        ),
        ("0x2d96740 self cfg#1tag(self/memory)", {Lane("self", "self", "memory")}),
        ("ep_cfg[3]: tag(tcp/ib1 tcp/ib0); ", {Lane("", "tcp", "ib1"), Lane("", "tcp", "ib0")}),
    ],
    ids=["1.13", "1.12", "without a blank", "1.6"],
)
def test_ways_of_each_release_are_read(text, lanes):
    assert ucx(text).processes["gpu1:77"].lanes == lanes


def test_ways_that_leave_the_node_are_told_apart():
    lanes = {
        Lane("inter-node", "tcp", "eth0"): True,
        Lane("intra-node", "rc_mlx5", "mlx5_0:1"): False,
        Lane("", "rc_mlx5", "mlx5_0:1"): True,
        Lane("", "cma", "memory"): False,
    }
    assert {one: one.between_nodes for one in lanes} == lanes


def test_version_variables_and_faults_of_ucx_are_read_and_other_lines_counted():
    found = ucx(
        "Version 1.15.0 (loaded from /lib/libucp.so.0)",
        "UCX_* env variables: UCX_TLS=rc,self UCX_LOG_LEVEL=info",
        "something of a later release",
    )
    process = found.processes["gpu1:77"]
    assert found.version == "1.15.0"
    assert process.environment == {"UCX_TLS": "rc,self", "UCX_LOG_LEVEL": "info"}
    assert (process.unknown, process.fault_count) == (1, 0)
    assert ucx("no way to peer", level="ERROR").processes["gpu1:77"].faults == ["no way to peer"]


def test_release_with_a_blank_in_its_prefix_is_read():
    assert ucx("ep_cfg[1]: tag(self/memory)", who="gpu1:3473 :0").processes.keys() == {"gpu1:3473"}


def ompi(*texts: str) -> ompi_log.Process:
    return ompi_log.read(f"[w1:12] {text}" for text in texts).processes["w1:12"]


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("selected ucx best priority 51", {"pml": "ucx"}),
        ("select: component ob1 selected", {"pml": "ob1"}),
        ("mca:base:select:(  mtl) Selected component [ofi]", {"mtl": "ofi"}),
        ("select: component cm not selected / finalized", {}),
        ("mca: base: components_open: component ucx open function successful", {}),
    ],
)
def test_component_counts_when_it_was_selected(text, selected):
    assert ompi(text).selected == selected


def test_transport_and_provider_of_open_mpi_are_read():
    process = ompi(
        "mca: bml: Using tcp btl for send to [[5332,1],1] on node w2",
        "mca: bml: Using self btl for send to [[5332,1],0] on node w1",
        'mtl_ofi_component.c:315: mtl:ofi:provider_include = "(null)"',
        "mtl_ofi_component.c:347: mtl:ofi:prov: efa",
    )
    assert process.transports == {"tcp": {"w2"}, "self": {"w1"}}
    assert (process.provider, process.unknown) == ("efa", 1)


def test_ranks_that_selected_different_components_are_a_fault():
    process = ompi("[[32156,1],1] selected pml cm, but peer [[32156,1],0] on w2 selected pml ob1")
    assert process.fault_count == 1


@pytest.mark.parametrize(
    ("line", "rank"),
    [
        ("12: text", 12),
        (" 3: text", 3),
        ("[1,26]<stdout>:text", 26),
        ("[1,26]<stderr>: text", 26),
        ("text", None),
    ],
)
def test_label_of_srun_and_mpirun_is_the_rank(line, rank):
    assert without_label(line) == (rank, "text")


def test_labelled_lines_give_the_rank():
    line = "[1566814148.941358] [w1:9:0] ucp_worker.c:1 UCX  INFO  ep_cfg[1]: tag(tcp/eth0)"
    assert ucx_log.read([f"4: {line}"]).processes["w1:9"].rank == 4
    assert ompi_log.read(["5: [w1:12] selected ob1 best priority 20"]).processes["w1:12"].rank == 5


def test_line_without_an_end_is_left_out():
    assert list(whole_lines("a\r\n\x1b[31mb\x1b[0m\nvia NET/IB/0/GDR")) == ["a", "b"]


def nccl(*texts: str) -> nccl_log.Process:
    return nccl_log.read(f"gpu1:7:9 [0] NCCL INFO {text}" for text in texts).processes["gpu1:7"]


def test_rank_is_that_of_the_largest_communicator():
    line = "ncclCommInitRank comm 0x1 rank {} nranks {} cudaDev 0 busId 1000 - Init COMPLETE"
    process = nccl(line.format(3, 4), line.format(11, 16), line.format(1, 2))
    assert (process.rank, process.ranks, process.complete) == (11, 16, 3)


def test_nvlink_and_libfabric_lines_are_read():
    process = nccl(
        "NVLS multicast support is available on dev 0 (NVLS_NCHANNELS 16)",
        "Connected NVLS tree",
        "MNNVL 1 cliqueId 7ffe cliqueSize 72 cliqueRank 3",
        "NET/OFI Selected Provider is efa (found 16 nics)",
    )
    assert (process.nvls, process.nvls_connected) == (True, True)
    assert (process.clique, process.provider, process.unknown) == (72, "efa", 0)
    assert nccl("NVLS multicast support is not available on dev 0").nvls is False
    assert nccl("MNNVL 0 cliqueId 0 cliqueSize 8 cliqueRank 0").clique is None


LINES = st.lists(
    st.one_of(
        st.text(max_size=60),
        st.builds(
            "{}{}".format,
            st.sampled_from(
                [
                    "gpu1:7:9 [0] NCCL INFO ",
                    "[1750940543.886091] [w1:9:0] a.c:1 UCX  INFO  ",
                    "[w1:12] mca: bml: ",
                    "3: [w1:12] select: ",
                    "[1566814148.94] [w1:9:0] ucp_worker.c:1 UCX  INFO  x inter-node cfg#1 tag(",
                ]
            ),
            st.text(max_size=60),
        ),
    ),
    max_size=8,
)


@given(lines=LINES)
def test_any_lines_are_read_and_each_is_the_librarys_or_foreign(lines):
    for reader in (nccl_log, ucx_log, ompi_log):
        found = reader.read(lines)
        assert found.lines + found.foreign == len(lines)
