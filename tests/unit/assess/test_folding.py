"""Rows for people: what is the same of many hosts is one."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sunk.assess.folding import by_hosts
from sunk.assess.verdict import Finding, Verdict
from sunk.model.hostlist import expand


def unknown(subject: str, found: str, remedy: str = "") -> Finding:
    return Finding(
        check="a.b", verdict=Verdict.UNKNOWN, subject=subject, found=found, remedy=remedy
    )


def test_what_differs_in_nothing_but_the_host_is_one_row_with_a_hostlist():
    rows = by_hosts(
        [
            unknown(f"node/gpu-{n}/mlx5_0", f"gpu-{n}/ethtool: gone", f"ssh gpu-{n}")
            for n in (1, 2, 3)
        ]
    )
    assert [(one.subject, one.found, one.remedy) for one in rows] == [
        ("node/gpu-[1-3]/mlx5_0", "gpu-[1-3]/ethtool: gone", "ssh gpu-[1-3]")
    ]


def test_pods_of_one_namespace_are_one_row():
    pods = [("a", "w-0"), ("a", "w-1"), ("b", "w-2")]
    rows = by_hosts([unknown(f"pod/{space}/{name}", "MTU 1500") for space, name in pods])
    assert [one.subject for one in rows] == ["pod/a/w-[0-1]", "pod/b/w-2"]


def test_other_words_devices_verdicts_and_subjects_without_a_host_stay_apart():
    findings = [
        unknown("node/a/mlx5_0", "x"),
        unknown("node/b/mlx5_1", "x"),
        unknown("node/c/mlx5_0", "y"),
        Finding(check="a.b", verdict=Verdict.FAIL, subject="node/d/mlx5_0", found="x"),
        Finding(check="a.c", verdict=Verdict.UNKNOWN, subject="node/e/mlx5_0", found="x"),
        unknown("limits/memlock", "x"),
        unknown("", "x"),
        unknown("", "x"),
    ]
    assert by_hosts(findings) == tuple(findings)


def test_name_within_a_longer_name_is_not_the_host():
    rows = by_hosts([unknown("node/w-1", "w-1 w-11 w-1.x my-w-1 w-1."), unknown("node/w-2", "x")])
    assert rows[0].found == "w-1 w-11 w-1.x my-w-1 w-1."
    both = by_hosts([unknown(f"node/{one}", f"{one}: w-11 w-1.x") for one in ("w-1", "w-2")])
    assert [one.found for one in both] == ["w-[1-2]: w-11 w-1.x"]


HOSTS = st.sampled_from([f"n{number}" for number in range(12)])


@given(st.lists(st.tuples(HOSTS, st.sampled_from(["gone", "late"])), max_size=30))
def test_every_host_of_every_finding_stands_in_a_row(pairs):
    findings = [unknown(f"node/{host}", f"{host}: {why}") for host, why in pairs]
    told = Counter(
        (host, row.found.rpartition(": ")[2])
        for row in by_hosts(findings)
        for host in expand(row.subject.removeprefix("node/"))
    )
    assert set(told) == set(pairs)
    assert max(told.values(), default=1) == 1
