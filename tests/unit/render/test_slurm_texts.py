from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.errors import InputError
from sunk.render.slurm_texts import (
    mebibytes,
    minutes,
    number,
    read_configuration,
    read_records,
    read_table,
    tres,
    words,
)
from tests.support.recorded_texts import recorded


def test_configuration_of_a_real_slurm_is_keys_and_values():
    conf = read_configuration(recorded("configuration"), source="t")
    assert conf["ClusterName"] == "lab"
    assert conf["SLURM_VERSION"] == "24.11.5"
    assert conf["InteractiveStepOptions"] == "--interactive --preserve-env --pty $SHELL"
    assert conf["PMIxTimeout"] == "300"


def test_records_of_a_real_slurm_hold_what_free_text_cannot_change():
    # Somebody drained w3 with the reason "fan RealMemory=1".
    nodes = {
        one["NodeName"]: one for one in read_records(recorded("nodes"), "NodeName", source="t")
    }
    assert sorted(nodes) == ["w1", "w10", "w2", "w3"]
    assert nodes["w3"]["RealMemory"] == "2000"
    assert "RealMemory=1" in recorded("nodes")


def test_records_over_several_lines_are_the_same():
    text = recorded("partitions")
    folded = text.replace(" Nodes=", "\n   Nodes=").replace(" State=", "\n   State=")
    assert folded != text
    assert read_records(folded, "PartitionName", source="t") == read_records(
        text, "PartitionName", source="t"
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("UNLIMITED", None),
        ("NONE", None),
        ("30", 30),
        ("00:00:30", 1),
        ("90:30", 91),
        ("01:00:00", 60),
        ("1-00:00:00", 1440),
        ("1-12", 2160),
        ("2-01:30", 2970),
    ],
)
def test_time_is_in_minutes_rounded_up(text, wanted):
    assert minutes(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("UNLIMITED", None), ("2000", 2000), ("2000M", 2000), ("4G", 4096), ("1.5T", 1572864)],
)
def test_memory_is_in_mib(text, wanted):
    assert mebibytes(text) == wanted


def test_tres_are_counts_and_memory_in_mib():
    assert tres("cpu=8,mem=4G,node=2,gres/gpu=16") == {
        "cpu": 8,
        "mem": 4096,
        "node": 2,
        "gres/gpu": 16,
    }
    assert tres("") == {}


def test_list_without_limit_is_empty():
    assert words("ALL") == words("(null)") == words("") == ()
    assert words("b,a") == ("a", "b")


def test_table_of_a_real_sacctmgr_has_its_columns_by_name():
    rows = read_table(recorded("qos"), source="t")
    assert [(row["Name"], row["MaxWall"], row["MaxTRES"]) for row in rows] == [
        ("normal", "02:00:00", "cpu=12")
    ]


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (lambda: read_configuration("x", source="t"), "read t: no ClusterName in it"),
        (
            lambda: read_records("slurm_load error", "NodeName", source="t"),
            "read t: begins with 'slurm_load error', not with NodeName=",
        ),
        (lambda: read_table("a|b\nc", source="t"), "read t, line 2: 1 fields, not 2"),
        (lambda: read_table("", source="t"), "read t: empty"),
        (lambda: minutes("soon"), "read a time of Slurm: 'soon' is none"),
        (lambda: number("two"), "read a number of Slurm: 'two' is none"),
        (lambda: mebibytes("2 cups"), "read an amount of memory of Slurm: '2 cups' is none"),
        (lambda: tres("cpu"), "read TRES 'cpu': 'cpu' is not name=amount"),
    ],
)
def test_text_that_is_something_else_is_refused(read, said):
    with pytest.raises(InputError) as raised:
        read()
    assert raised.value.message == said


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    for read in (minutes, number, mebibytes, tres):
        try:
            read(text)
        except InputError:
            continue
