"""Facts come from Slurm's own words or from a file, and what they lack stays unknown."""

from __future__ import annotations

import pytest

from sunk.errors import InputError
from sunk.toolkit.lint.engine import lint_bytes
from sunk.toolkit.lint.facts import ClusterFacts, facts_from_scontrol, minutes_of, seconds_of
from sunk.toolkit.lint.files import facts_from, read_facts

CONFIG = """\
Configuration data as of 2026-11-27T23:54:57
JobFileAppend           = 0
MaxArraySize            = 1001
MpiDefault              = none
SelectTypeParameters    = CR_CORE_MEMORY,CR_LLN
SLURM_VERSION           = 24.11.5
TopologyPlugin          = topology/block
"""
PARTITIONS = """\
PartitionName=main AllowGroups=ALL Default=YES MaxTime=2-00:00:00 State=UP
PartitionName=long AllowGroups=ALL Default=NO MaxTime=UNLIMITED State=UP
"""
NODES = "NodeName=w-2 Arch=x86_64 State=IDLE\nNodeName=w-10 Arch=x86_64 State=IDLE\n"
TOPOLOGY = "BlockName=b1 BlockIndex=0 Nodes=w-[1-18] BlockSize=18\nAggregated BlockSize=36\n"
HELP = "Usage: sbatch [OPTIONS]\n  -N, --nodes=N   number\n      --site-option=x   of a plugin\n"


def test_facts_are_what_slurm_says():
    assert facts_from_scontrol(CONFIG, PARTITIONS, NODES, TOPOLOGY, HELP) == ClusterFacts(
        release=(24, 11),
        topology_plugin="topology/block",
        block_sizes=(18, 36),
        max_array_size=1001,
        mpi_default="none",
        job_file_append=False,
        select_parameters=("CR_CORE_MEMORY", "CR_LLN"),
        default_partition="main",
        partition_max_minutes={"main": 2880},
        node_names=("w-10", "w-2"),
        sbatch_options=("nodes", "site-option"),
    )


def test_mpi_plugin_that_is_not_set_is_none():
    assert facts_from_scontrol("MpiDefault = (null)\n", "", "").mpi_default == "none"


def test_what_slurm_does_not_say_is_not_known():
    assert facts_from_scontrol("", "", "") == ClusterFacts()
    assert facts_from_scontrol("MaxArraySize = (null)\n", "\n", "\n") == ClusterFacts()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 300),
        ("5:30", 330),
        ("01:00:00", 3600),
        ("1-0", 86400),
        ("1-02:03", 93780),
        ("1-02:03:04", 93784),
        ("UNLIMITED", None),
        ("", None),
        ("1:2:3:4", None),
        ("x", None),
    ],
)
def test_time_limits_are_read_as_slurm_reads_them(text, seconds):
    assert seconds_of(text) == seconds
    assert minutes_of(text) == (None if seconds is None else -(-seconds // 60))


def test_file_of_facts_has_camel_case_keys(tmp_path):
    file = tmp_path / "facts.yaml"
    file.write_text("release: [24, 11]\nmpiDefault: none\npartitionMaxMinutes: {main: 60}\n")
    assert read_facts(file) == ClusterFacts(
        release=(24, 11), mpi_default="none", partition_max_minutes={"main": 60}
    )


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"mpi_default": "none"}, "mpi_default: no such key"),
        ({"maxArraySize": "many"}, "maxArraySize"),
        ({"partitionMaxMinutes": {"main": "x"}}, "partitionMaxMinutes.main"),
        (["release"], "not a mapping"),
    ],
)
def test_wrong_fact_is_named(document, words):
    with pytest.raises(InputError, match=words) as caught:
        facts_from(document, "facts.yaml")
    assert caught.value.message.startswith("read facts facts.yaml: ")
    assert "keys: blockSizes, " in (caught.value.hint or "")


HEAD = "#!/bin/bash\n#SBATCH --time=10 "


@pytest.mark.parametrize(
    ("text", "facts", "wanted"),
    [
        ("--site-option=x\n", {"sbatch_options": ("site-option",)}, set()),
        ("--site-option=x\n", {"sbatch_options": ("nodes",)}, {("S007", "error")}),
        ("--site-option=x\n", {}, {("S007", "warning")}),
        ("--spread-segments\n", {"release": (24, 11)}, {("S007", "error")}),
        ("--spread-segments\n", {"release": (25, 5)}, set()),
        ("--spread-segments\n", {}, set()),
        ("-o /logs/x\n", {"folders": {"/logs": False}}, {("S003", "error")}),
        ("-o /logs/x\n", {"folders": {"/logs": True}}, set()),
        ("-o /logs/x\n", {}, set()),
        ("-o logs/x\n", {}, {("S003", "warning")}),
        ("-o logs/x\n", {"release": (23, 11)}, {("S003", "warning")}),
        ("-o logs/x\n", {"release": (24, 11)}, set()),
        ("-c4\nsrun x\n", {"release": (24, 11)}, set()),
        ("-c4\nsrun x\n", {"release": (23, 2)}, {("S021", "warning")}),
        ("--requeue\n", {"job_file_append": True}, set()),
        ("--exclusive\n", {"select_parameters": ("CR_CORE",)}, set()),
        ("--exclusive\n", {"select_parameters": ("CR_CORE_MEMORY",)}, {("S019", "warning")}),
        ("-N36 --segment=20\n", {"block_sizes": (18,)}, {("S042", "error")}),
        ("-N36 --segment=36\n", {"block_sizes": (18, 36)}, set()),
        ("\nexport NCCL_IB_GID_INDEX=3\n", {"virtual_functions": False}, set()),
        ("\nexport NCCL_IB_GID_INDEX=3\n", {}, {("S033", "warning")}),
        ("\nexport NCCL_IB_GID_INDEX=3\n", {"virtual_functions": True}, {("S033", "error")}),
    ],
)
def test_fact_decides(text, facts, wanted):
    found = lint_bytes("x", (HEAD + text).encode(), ClusterFacts(**facts))
    assert {(one.rule, str(one.severity)) for one in found} == wanted


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("--gres=gpu:2 --gpus-per-node=2\n", "warning"),
        ("--gres=gpu:h100:2 --gpus-per-node=h100:2\n", "warning"),
        ("--gres=gpu:2 --gpus-per-node=4\n", "error"),
        ("--gres=gpu:2 --gpus=2\n", "error"),
    ],
)
def test_gpus_asked_for_twice_are_worse_when_the_numbers_differ(text, severity):
    (one,) = lint_bytes("x", (HEAD + text).encode())
    assert (one.rule, str(one.severity)) == ("S018", severity)
