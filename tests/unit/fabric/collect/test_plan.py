from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.assess.evidence import Evidence
from sunk.errors import InputError
from sunk_fabric.collect.plan import hosts_in, hosts_of, plan
from sunk_fabric.collect.questions import (
    AT_LID,
    HOST_SCRIPTS,
    OnceOf,
    host_questions,
    once_questions,
)
from sunk_fabric.parse import formats

HOST = host_questions(within_seconds=10)
ONCE = once_questions(within_seconds=10)
NAMES = [one.name for one in (*HOST, *(each.question for each in ONCE))]

READS_ONLY = {
    *(
        "cat",
        "chronyc",
        "df",
        "dmesg",
        "env",
        "systemctl",
        "timedatectl",
        "ibnetdiscover",
        "ibqueryerrors",
        "iblinkinfo",
        "ibstat",
        "ibv_devinfo",
        "ip",
        "lspci",
    ),
    *(
        "nvidia-imex-ctl",
        "nvidia-smi",
        "ofed_info",
        "python3",
        "rdma",
        "saquery",
        "scontrol",
        "sh",
        "sminfo",
        "uname",
    ),
}
CHANGES = {"set", "add", "del", "delete", "change", "replace", "update", "create", "reset", "clear"}


def test_every_command_only_reads():
    for one in (*HOST, *(each.question for each in ONCE)):
        words = {word.strip("-") for part in one.argv for word in part.split()}
        assert one.argv[0] in READS_ONLY
        assert not words & CHANGES
    (accounting,) = [each.question.argv for each in ONCE if each.question.argv[0] == "env"]
    only_shows = ("SLURM_TIME_FORMAT=%s", "sacctmgr", "--noheader", "--parsable2", "show")
    assert accounting[1:6] == only_shows
    assert {one.argv[1] for one in HOST if one.argv[0] == "nvidia-smi"} == {"-q", "topo"}
    assert [one.argv[1:] for one in HOST if one.argv[0] == "nvidia-imex-ctl"] == [("-N", "-j")]


def test_what_is_kept_is_a_text_of_a_known_format_or_one_for_people():
    known = {*formats.BY_NAME, *formats.FOR_PEOPLE}
    assert {name.partition(".")[0] for name in NAMES} <= known
    assert len(NAMES) == len(set(NAMES))


QUERIES = {"saquery SMIR", "saquery -s"}
"""Of a command that answers many: the one that is asked."""


def test_commands_are_those_that_the_formats_are_of():
    for one in (*HOST, *(each.question for each in ONCE)):
        first = one.name.partition(".")[0]
        scripted = one.argv[0] == "sh" or first in {"proc_limits", "sysfs_rdma"}
        if first in formats.BY_NAME and not scripted:
            assert shlex.join(one.argv) in {formats.BY_NAME[first].command, *QUERIES}


def test_sysfs_is_read_where_it_is_said_to_be():
    asked = host_questions(within_seconds=10, sysfs_root="/odd place/$(x)")
    by_name = {one.name: one for one in asked}
    assert by_name["sysfs_rdma"].argv == ("python3", "-", "--root", "/odd place/$(x)")
    assert "'/odd place/$(x)'/class/infiniband/*" in by_name["mlxlink"].argv[2]
    assert {name for name, _ in HOST_SCRIPTS} <= set(by_name)


def test_counters_are_read_a_second_time_only_where_that_is_wanted():
    later = host_questions(within_seconds=10, window_seconds=60)[-1]
    assert (later.name, later.after_seconds) == ("sysfs_rdma.later", 60)
    assert all(one.after_seconds == 0 for one in HOST)


def test_two_answers_of_the_subnet_manager_are_seconds_apart():
    asked = [one.question for one in ONCE if one.question.argv == ("sminfo",)]
    assert [one.after_seconds for one in asked] == [0.0, 3.0]


def test_hosts_come_once_in_their_order():
    assert hosts_of(["b[1-2]", "a", "b2"]) == (
        "b1",
        "b2",
        "a",
    )
    assert hosts_in("# all\nb[1-2] a # and this\n\n b2\n") == ("b1", "b2", "a")


def test_an_ipv6_address_is_a_host():
    assert hosts_of(["fd77::1", "a", "fe80::1%eth0"]) == ("fd77::1", "a", "fe80::1%eth0")


def test_no_host_is_refused():
    with pytest.raises(InputError, match="none is named"):
        plan({}, ONCE)


@pytest.mark.parametrize("word", ["a;b", "$(x)", "a b", "gpu[1-", "\x1b[31m"])
def test_what_is_no_host_name_is_refused(word):
    with pytest.raises(InputError):
        hosts_of([word])


def evidence(host: str, name: str, incomplete: str = "") -> Evidence:
    return Evidence(
        command=(name,),
        host=host,
        at="",
        exit_code=0,
        sha256="",
        size_bytes=0,
        name=name,
        over="ssh",
        incomplete=incomplete,
    )


TEXTS = st.lists(
    st.builds(
        evidence, st.sampled_from("abc"), st.sampled_from(NAMES), st.sampled_from(["", "cut"])
    ),
    max_size=120,
)


@given(TEXTS)
def test_what_stays_and_what_is_asked_make_a_whole_and_do_not_overlap(before):
    made = plan({"a": HOST, "b": HOST}, ONCE, before)
    stays = {(one.host, one.name) for one in made.stays}
    asked = {(host, one.name) for host, many in made.hosts.items() for one in many}
    wanted = {(host, one.name) for host in "ab" for one in HOST}
    assert stays | asked >= wanted
    assert not stays & asked
    assert all(not one.incomplete for one in made.stays)
    assert set(made.had) == {"a", "b"} - set(made.hosts)


@given(TEXTS)
def test_what_belongs_together_is_asked_anew_as_a_whole(before):
    made = plan({"a": HOST}, ONCE, before)
    for of in OnceOf:
        together = {one.question.name for one in ONCE if one.of is of}
        asked = {one.question.name for one in made.once if one.of is of}
        assert asked in (set(), together)
        kept = {one.name for one in made.stays} & together
        assert not kept if asked else kept == together


def test_managers_found_by_an_earlier_run_go_when_the_fabric_is_asked_anew():
    before = [evidence("a", name) for name in (*NAMES, f"{AT_LID}72")]
    assert plan({"a": HOST}, ONCE, before).stays == tuple(before)
    left = [one for one in before if one.name != "sminfo.second"]
    assert not any(one.name.startswith(AT_LID) for one in plan({"a": HOST}, ONCE, left).stays)


def test_a_whole_collection_leaves_nothing_to_ask():
    before = [evidence("a", name) for name in NAMES]
    made = plan({"a": HOST}, ONCE, before)
    assert (made.hosts, made.once, made.had) == ({}, (), {"a": "ssh"})
    assert made.stays == tuple(before)
