from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import strategies as st

from sunk.errors import InputError
from sunk.model.cluster import NodeSet, Partition, SlurmCluster
from sunk.render.slurm_conf import merge_options, render_slurm_conf
from sunk.render.slurm_keys import MERGED_KEYS, canonical_key
from sunk.render.text import conf_pair
from tests.support.render import (
    ALL_RESERVED,
    ALL_RESERVED_PARTITION,
    clusters,
    conf_values,
    for_all,
    parse_slurm_conf,
)

LAB = SlurmCluster(name="lab", node_sets=(NodeSet(name="w"),))


def settings_of(text: str) -> dict[str, str]:
    lines = parse_slurm_conf(text)
    single = [pairs[0] for pairs in lines if pairs[0][0] not in ("NodeSet", "PartitionName")]
    assert len(single) == len(dict(single)), "a key stands there twice"
    return dict(single)


@for_all(clusters())
def test_every_override_reaches_exactly_its_own_key(cluster: SlurmCluster) -> None:
    read = settings_of(render_slurm_conf(cluster))
    plain = settings_of(render_slurm_conf(LAB))

    assert set(read) == set(plain) | set(cluster.slurm_conf)
    for key, value in cluster.slurm_conf.items():
        if key not in MERGED_KEYS:
            assert read[key] == value


@for_all(clusters())
def test_partition_lines_hold_what_was_described_and_nothing_else(cluster: SlurmCluster) -> None:
    lines = [
        pairs
        for pairs in parse_slurm_conf(render_slurm_conf(cluster))
        if pairs[0][0] == "PartitionName"
    ]

    described = {one.name: one for one in cluster.partitions} or {
        "main": Partition(name="main", default=True)
    }
    assert [dict(pairs)["PartitionName"] for pairs in lines] == sorted(described)
    for pairs in lines:
        read = dict(pairs)
        one = described[read["PartitionName"]]
        members = sorted(one.node_sets or (s.name for s in cluster.node_sets))
        wanted = {
            "PartitionName": one.name,
            "Default": "YES" if one.default else "NO",
            "State": one.state.value,
            "MaxTime": one.max_time,
            **one.parameters,
        }
        if members:
            wanted["Nodes"] = ",".join(f"ns_{name}" for name in members)
        assert read == wanted
        assert len(pairs) == len(read)


@for_all(clusters())
def test_each_node_set_is_one_line_with_its_own_feature(cluster: SlurmCluster) -> None:
    lines = [p for p in parse_slurm_conf(render_slurm_conf(cluster)) if p[0][0] == "NodeSet"]

    assert lines == [
        [("NodeSet", f"ns_{name}"), ("Feature", name)]
        for name in sorted(one.name for one in cluster.node_sets)
    ]


@for_all(st.text(max_size=60))
def test_no_text_leaves_its_key(value: str) -> None:
    try:
        line = conf_pair("Epilog", value)
    except InputError:
        return

    assert parse_slurm_conf(line) == [[("Epilog", value)]]


@pytest.mark.parametrize(
    "value",
    [
        "a\nPartitionName=evil",
        "a\rb",
        'a" SlurmUser=root',
        "a#b",
        "a\\",
        "\u00e9",
        "a\u2028b",
        "",
        " a",
        "a ",
        "'a'",
    ],
)
def test_value_that_could_leave_its_key_is_refused(value: str) -> None:
    cluster = SlurmCluster(name="lab", slurm_conf={"Epilog": value})

    with pytest.raises(InputError, match="write Epilog for Slurm"):
        render_slurm_conf(cluster)


@for_all(conf_values)
def test_value_with_an_equals_sign_stays_one_value(value: str) -> None:
    text = render_slurm_conf(SlurmCluster(name="lab", slurm_conf={"Licenses": f"a={value}"}))

    assert settings_of(text)["Licenses"] == f"a={value}"


@pytest.mark.parametrize("key", ALL_RESERVED)
def test_reserved_key_is_refused_in_any_case(key: str) -> None:
    with pytest.raises(InputError, match="sunk sets this key itself"):
        render_slurm_conf(SlurmCluster(name="lab", slurm_conf={key.upper(): "x"}))


@pytest.mark.parametrize("key", ALL_RESERVED_PARTITION)
def test_partition_parameter_with_a_field_of_its_own_is_refused(key: str) -> None:
    cluster = SlurmCluster(
        name="lab", partitions=(Partition(name="p", parameters={key.lower(): "x"}),)
    )

    with pytest.raises(InputError, match="it has a field of its own"):
        render_slurm_conf(cluster)


def test_unknown_key_is_refused() -> None:
    with pytest.raises(InputError, match=r"write SlurmdTimeot in slurm\.conf: no such key"):
        render_slurm_conf(SlurmCluster(name="lab", slurm_conf={"SlurmdTimeot": "5"}))


def test_configless_and_client_ids_survive_every_merge() -> None:
    cluster = SlurmCluster(
        name="lab", slurm_conf={"SlurmctldParameters": "cloud_dns", "AuthInfo": "cred_expire=60"}
    )

    read = settings_of(render_slurm_conf(cluster))

    assert read["SlurmctldParameters"] == "enable_configless,cloud_dns"
    assert read["AuthInfo"] == "cred_expire=60,use_client_ids"


def test_option_given_again_replaces_ours_and_others_stay() -> None:
    assert merge_options(("bf_interval=5", "defer"), "bf_interval=30,bf_continue") == (
        "bf_interval=30,defer,bf_continue"
    )


def test_keys_are_found_in_any_case() -> None:
    assert canonical_key("slurmdTIMEOUT") == "SlurmdTimeout"


@for_all(clusters())
def test_order_of_the_description_does_not_matter(cluster: SlurmCluster) -> None:
    turned = replace(
        cluster,
        node_sets=cluster.node_sets[::-1],
        partitions=cluster.partitions[::-1],
        slurm_conf=dict(reversed(cluster.slurm_conf.items())),
    )

    assert render_slurm_conf(turned) == render_slurm_conf(cluster)
