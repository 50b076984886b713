from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk_jobs.placement.slurm_topology import (
    LEVELS_MAX,
    Block,
    SlurmTopology,
    Switch,
    TopologyTextError,
    read,
)

TREE = SlurmTopology(
    switches=(
        Switch("s1", 0, ("n1", "n2"), ()),
        Switch("s2", 0, ("n10", "n3"), ()),
        Switch("root", 1, (), ("s1", "s2")),
    )
)


def test_what_scontrol_prints_of_a_tree_is_read():
    text = (
        "SwitchName=s1 Level=0 LinkSpeed=1 Nodes=n[1-2]\n"
        "SwitchName=s2 Level=0 LinkSpeed=1 Nodes=n[10,3]\n"
        "SwitchName=root Level=1 LinkSpeed=1 Nodes=n[1-3,10] Switches=s[1-2]\n"
    )
    assert read(text) == TREE


def test_topology_conf_of_the_same_tree_means_the_same():
    text = (
        "# by hand\n"
        "switchname=s1 Nodes=n[1-2]  # two\n"
        "SwitchName=s2 \\\n"
        "    Nodes=n[10,3] LinkSpeed=100\n\n"
        "SwitchName=root Switches=s[1-2]\n"
    )
    assert read(text) == TREE


def test_blocks_are_read_in_both_forms_and_aggregated_ones_only_for_their_size():
    wanted = SlurmTopology(
        blocks=(Block("b1", ("n1", "n2")), Block("b2", ("n3", "n4"))), block_sizes=(2, 4)
    )
    printed = (
        "BlockName=b1 BlockIndex=0 Nodes=n[1-2] BlockSize=2\n"
        "BlockName=b2 BlockIndex=1 Nodes=n[3-4] BlockSize=2\n"
        "AggregatedBlock=b[1-2] BlockIndex=2 Nodes=n[1-4] BlockSize=4\n"
    )
    assert read(printed) == wanted
    assert read("BlockName=b1 Nodes=n[1-2]\nBlockName=b2 Nodes=n[3-4]\nBlockSizes=2,4\n") == wanted


def test_switch_without_nodes_yet_is_kept():
    assert read("SwitchName=s1 Level=0 LinkSpeed=1 Nodes=(null)").switches == (
        Switch("s1", 0, (), ()),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SwitchName=s1 Nodes=n1\nSwitchName=s1 Nodes=n2", "line 2: s1 is described twice"),
        ("SwitchName=s1 Switches=s2", "line 1: there is no switch s2"),
        (
            "SwitchName=a Switches=b\nSwitchName=b Switches=a",
            "line 1: switches go in a circle: a, b",
        ),
        ("SwitchName=a Nodes=n1\nSwitchName=b Nodes=n1", "line 2: node n1 is on a and on b"),
        (
            "SwitchName=a Nodes=n\nSwitchName=b Switches=a\nSwitchName=c Switches=a",
            "line 3: switch a is below b and below c",
        ),
        ("BlockName=a Nodes=n1\nBlockName=b Nodes=n1", "block b: node n1 is in a as well"),
        ("BlockSizes=0", "line 1: block size '0' is no number above 0"),
        ("\n\nhello", "line 3: 'hello' is not Key=Value"),
        ("NodeName=n1", "line 1: 'NodeName=n1' names no switch and no block"),
        ("SwitchName=s Nodes=n[1-", "line 1: read hostlist 'n[1-'"),
    ],
)
def test_fault_is_named_with_its_line(text, said):
    with pytest.raises(TopologyTextError) as raised:
        read(text)
    assert str(raised.value).startswith(said)


def test_tower_of_switches_is_refused():
    tower = ["SwitchName=s0 Nodes=n"]
    tower += [f"SwitchName=s{at + 1} Switches=s{at}" for at in range(LEVELS_MAX)]
    with pytest.raises(TopologyTextError, match=f"{LEVELS_MAX + 1} levels"):
        read("\n".join(tower))


@given(
    st.lists(
        st.sampled_from(
            [
                "SwitchName=",
                "BlockName=",
                "Nodes=",
                "Switches=",
                "a",
                "b",
                "n[1-3]",
                " ",
                "\n",
                "=",
                "\\",
            ]
        ),
        max_size=25,
    )
)
def test_any_text_is_read_or_refused(words):
    try:
        read("".join(words))
    except TopologyTextError:
        return
