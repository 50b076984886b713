from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.errors import InputError
from sunk.model.topology import Link, NvlinkDomain, Provenance, Rail, Switch, TopologyNode
from sunk.render.topology import (
    dump_topology,
    dump_topology_json,
    load_topology,
    read_topology,
)
from tests.support.golden import check_golden
from tests.support.topologies import EVERYTHING, leaves, topologies


def test_every_key_of_the_file_is_in_the_model():
    read = read_topology(EVERYTHING, source="t")
    assert read.name == "alpha"
    assert read.nodes[0] == TopologyNode(
        name="w-0", slurm_name="w-0", kubernetes_name="kube-0", gpus=8
    )
    assert read.nodes[11] == TopologyNode(name="w-11", slurm_name="w-11", gpus=8)
    assert read.switches[4] == Switch(name="leaf-5", tier=0, guid="0x98039b0300abcdef")
    assert len(read.links) == 24 + 12
    assert read.links[0] == Link(lower="leaf-1", upper="spine-1", count=1, rate_gbit_per_s=400.0)
    assert read.links[-1] == Link(
        lower="w-11", upper="leaf-6", count=1, rate_gbit_per_s=400.0, rail=1
    )
    assert read.rails == (Rail(index=0, device="mlx5_0"), Rail(index=1, device="mlx5_4"))
    assert read.nvlink_domains[0] == NvlinkDomain(
        name="rack-1", nodes=("w-0", "w-1", "w-2", "w-3"), gb_per_s_per_gpu=900.0
    )
    assert read.block_sizes == (4, 8)
    assert read.provenance == (
        Provenance(what="cabling", source="by hand", who="operator", when="2026-02-03T04:05:06Z"),
    )


def test_written_file_is_folded():
    check_golden("topology/everything.yaml", dump_topology(read_topology(EVERYTHING, source="t")))


@given(topologies())
def test_what_is_written_is_read_as_the_same_topology(topology):
    for dump in (dump_topology, dump_topology_json):
        assert read_topology(dump(topology), source="t") == topology


@given(topologies(), st.randoms())
def test_order_in_memory_does_not_reach_the_file(topology, shuffle):
    def mixed(items):
        items = list(items)
        shuffle.shuffle(items)
        return tuple(items)

    other = replace(topology, switches=topology.switches, links=mixed(topology.links))
    assert read_topology(dump_topology(other), source="t") == topology


def test_ten_thousand_nodes_are_a_file_of_a_few_lines_for_each_leaf():
    topology = leaves(*[32] * 312, 16, per_pod=16)
    text = dump_topology(topology)
    assert len(text.splitlines()) < 2000
    assert read_topology(text, source="t") == topology


HEAD = "apiVersion: sunk.dev/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"
TWO = HEAD + '  nodes: [{name: "w-[0-1]"}]\n  switches: [{name: s, tier: 0}]\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "read t: not a mapping, where one of kind Topology is wanted"),
        ("", "read t: nothing, where one of kind Topology is wanted"),
        ("a: 1\n---\nb: 2\n", "read t: 2 documents, not one mapping of kind Topology"),
        (HEAD.replace("Topology", "NodeSet"), "read t, kind: 'NodeSet' is not allowed"),
        (HEAD.replace("v1alpha1", "v2"), "read t, apiVersion: 'sunk.dev/v2' is not allowed"),
        (HEAD.replace("name: t", "name: a b"), "read t, metadata.name: 'a b' is not allowed"),
        (HEAD + "  nodez: []", "read t, spec.nodez: [] is not allowed; allowed: no such key"),
        (
            HEAD + "  nodes: [{gpus: 8}]",
            "read t, spec.nodes[0].name: nothing is not allowed; allowed: a value: the key is",
        ),
        (HEAD + "  nodes: [{nam: w}]", "read t, spec.nodes[0].nam: 'w' is not allowed"),
        (HEAD + "  nodes: [{name: w, gpus: many}]", "read t, spec.nodes[0].gpus: 'many'"),
        (HEAD + '  nodes: [{name: "w-[0"}]', "read t, spec.nodes[0].name: 'w-[0' is not allowed"),
        (HEAD + '  nodes: [{name: ""}]', "read t, spec.nodes[0].name: '' is not allowed"),
        (
            HEAD + '  nodes: [{name: "w-[0-2]", slurmName: "x-[0-1]"}]',
            "read t, spec.nodes[0].slurmName: 'x-[0-1]' is not allowed; allowed: as many names",
        ),
        (HEAD + "  nodes: [{name: w}, {name: w}]", "read t, spec.nodes.name: 'w'"),
        (HEAD + "  switches: [{name: s, tier: 16}]", "read t, spec.switches[0].tier: 16"),
        (
            HEAD + '  switches: [{name: "s[1-2]", tier: 0, guid: x}]',
            "read t, spec.switches[0].guid",
        ),
        (TWO + "  links: [{lower: w-0, upper: t}]", "read t, spec.links.upper: 't'"),
        (TWO + "  links: [{lower: w-7, upper: s}]", "read t, spec.links.lower: 'w-7'"),
        (TWO + "  links: [{lower: s, upper: s}]", "read t, spec.links.lower: 's'"),
        (TWO + "  links: [{lower: w-0, upper: s, count: 0}]", "read t, spec.links.count: 0"),
        (TWO + "  links: [{lower: w-0, upper: s, rateGbitPerS: 0}]", "spec.links.rateGbitPerS: 0"),
        (
            TWO + "  links: [{lower: w-0, upper: s}, {lower: w-0, upper: s}]",
            "read t, spec.links: 'w-0 to s' is not allowed; allowed: each pair once; use count",
        ),
        (
            TWO + "  rails: [{index: 0}]\n  links: [{lower: w-0, upper: s, rail: 1}]",
            "spec.links.rail: 1 is not allowed; allowed: the index of a rail in this file: 0",
        ),
        (TWO + "  rails: [{index: 0}, {index: 0}]", "read t, spec.rails.index: 0"),
        (TWO + "  nvlinkDomains: [{name: d, nodes: x}]", "read t, spec.nvlinkDomains.nodes: 'x'"),
        (
            TWO + "  nvlinkDomains: [{name: d, nodes: w-0}, {name: e, nodes: w-0}]",
            "read t, spec.nvlinkDomains.nodes: 'w-0' is not allowed; allowed: each node in one",
        ),
        (TWO + "  blockSizes: [0]", "read t, spec.blockSizes: 0"),
        (
            TWO + '  provenance: [{what: "a\\nb", source: s}]',
            "read t, spec.provenance[0].what: 'a\\nb' is not allowed; allowed: one line",
        ),
        ("a: [", "read t, line 1, column 5:"),
        ('{"a": 1, "a": 2}', "read t: key 'a' stands there twice"),
        ('{"kind": NaN}', "read t: NaN is no number that JSON has"),
    ],
)
def test_fault_names_key_value_and_what_is_allowed(text, said):
    with pytest.raises(InputError) as raised:
        read_topology(text, source="t")
    assert said in raised.value.message


def test_rate_that_is_no_number_is_refused():
    text = TWO + "  links: [{lower: w-0, upper: s, rateGbitPerS: .nan}]"
    with pytest.raises(InputError, match=r"links\[0\]\.rateGbitPerS"):
        read_topology(text, source="t")


def test_links_that_would_fill_the_memory_are_refused():
    text = HEAD + '  links: [{lower: "a[1-1001]", upper: "b[1-1000]"}]'
    with pytest.raises(InputError, match="1000000 links in all"):
        read_topology(text, source="t")


def test_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        load_topology(tmp_path / "none.yaml")


def test_json_is_read_like_yaml(tmp_path):
    topology = read_topology(EVERYTHING, source="t")
    file = tmp_path / "topology.json"
    file.write_text(dump_topology_json(topology))
    assert json.loads(file.read_text())["kind"] == "Topology"
    assert load_topology(file) == topology
