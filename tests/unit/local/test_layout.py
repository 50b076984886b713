from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.errors import InputError
from sunk.local.layout import NAME_FORM, cluster_layout, node_named, nodes

names = st.from_regex(NAME_FORM, fullmatch=True)


@given(one=names, two=names)
def test_two_clusters_never_share_a_kernel_name(one, two):
    def kernel_names(name):
        layout = cluster_layout(name, Path("/s"))
        every = [layout.namespace, layout.cgroup]
        for node in nodes(9):
            every += [layout.node_namespace(node), layout.node_cgroup(node)]
        return set(every)

    assert one == two or not kernel_names(one) & kernel_names(two)


@pytest.mark.parametrize(
    "name", ["", "A", "1a", "-a", "a-", "a.b", "a/b", "../x", "a\n", "ü", "a" * 21, "a b"]
)
def test_unusable_cluster_name_is_refused(name):
    with pytest.raises(InputError, match="not a usable name"):
        cluster_layout(name, Path("/s"))


def test_unknown_node_is_refused_with_those_there_are():
    with pytest.raises(InputError) as raised:
        node_named("node3", 2)
    assert raised.value.hint == "its nodes are node1, node2"


@pytest.mark.parametrize("count", [0, -1, 10])
def test_impossible_node_count_is_refused(count):
    with pytest.raises(InputError, match="not between 1 and 9"):
        nodes(count)


def test_addresses_of_nodes_and_their_pods_are_distinct():
    every = [node.address for node in nodes(9)] + [node.pod_range for node in nodes(9)]
    assert len(set(every)) == 18
