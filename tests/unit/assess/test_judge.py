from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.assess.check import Check, Criterion
from sunk.assess.coverage import coverage
from sunk.assess.graph import ordered, with_dependencies
from sunk.assess.judge import Answer, Catalogue, is_unjudged, judge
from sunk.assess.verdict import Domain, Finding, Verdict, exit_code
from sunk.errors import ConfigError

E = "e1"


def check(name: str, *depends_on: str) -> Check:
    return Check(
        id=name,
        domain=Domain.HOST,
        title="t",
        proves="p",
        reads="f",
        criterion=Criterion(rule="r", source="s"),
        remedy="mend it",
        depends_on=depends_on,
    )


def answer(verdict: Verdict, subject: str = "", *touches: str) -> Answer:
    return Answer(verdict=verdict, found="seen", subject=subject, evidence=(E,), touches=touches)


def verdicts(findings: tuple[Finding, ...]) -> dict[str, Verdict]:
    return {one.check: one.verdict for one in findings}


def says(*answers: Answer):
    return lambda _facts: answers


def test_pass_with_evidence_that_exists_is_pass():
    (found,) = judge(Catalogue((check("a"),), {"a": says(answer(Verdict.PASS, "n"))}), None, {E})
    assert found == Finding(
        check="a",
        verdict=Verdict.PASS,
        found="seen",
        subject="n",
        domain=Domain.HOST,
        evidence=(E,),
    )


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.WARN])
def test_good_answer_about_evidence_that_is_not_there_is_unknown(verdict):
    (found,) = judge(Catalogue((check("a"),), {"a": says(answer(verdict))}), None, set())
    assert (found.verdict, found.found) == (
        Verdict.UNKNOWN,
        "evidence e1 is not there, for: seen",
    )


def test_fail_names_the_step_that_mends_it():
    (found,) = judge(Catalogue((check("a"),), {"a": says(answer(Verdict.FAIL))}), None, {E})
    assert (found.verdict, found.remedy) == (Verdict.FAIL, "mend it")


def test_crash_is_unknown_with_its_cause():
    def crash(_facts):
        raise ValueError("boom")

    (found,) = judge(Catalogue((check("a"),), {"a": crash}), None, {E})
    assert (found.verdict, found.found) == (Verdict.UNKNOWN, "a crashed: ValueError: boom")


def test_crash_after_a_good_answer_hides_the_good_answer():
    def crash(_facts):
        yield answer(Verdict.PASS)
        raise ValueError("boom")

    found = judge(Catalogue((check("a"),), {"a": crash}), None, {E})
    assert [one.verdict for one in found] == [Verdict.UNKNOWN]


def test_check_without_a_judge_is_unknown_as_not_implemented():
    (found,) = judge(Catalogue((check("a"),), {}), None, {E})
    words = "not implemented: this version has no judge for it"
    assert (found.verdict, found.found) == (Verdict.UNKNOWN, words)
    assert is_unjudged(found)


def test_reason_why_a_check_has_no_judge_is_told():
    (found,) = judge(Catalogue((check("a"),), {}, {"a": "people sign it"}), None, {E})
    assert found.found == "not implemented: people sign it"


def test_check_without_a_judge_is_not_blocked_and_blocks_what_depends_on_it():
    catalogue = Catalogue(
        (check("root"), check("a", "root"), check("b", "a")),
        {"root": says(answer(Verdict.FAIL)), "b": says(answer(Verdict.PASS))},
    )
    found = {one.check: one for one in judge(catalogue, None, {E})}
    assert (found["a"].verdict, is_unjudged(found["a"])) == (Verdict.UNKNOWN, True)
    assert (found["b"].verdict, found["b"].blocked_by) == (Verdict.BLOCKED, ("a",))


def test_judge_that_says_nothing_is_unknown():
    (found,) = judge(Catalogue((check("a"),), {"a": says()}), None, {E})
    assert (found.verdict, found.found) == (Verdict.UNKNOWN, "found nothing to judge")


def test_judge_function_may_not_say_blocked():
    (found,) = judge(Catalogue((check("a"),), {"a": says(answer(Verdict.BLOCKED))}), None, {E})
    assert found.verdict is Verdict.UNKNOWN


def test_dead_switch_is_one_red_line_among_what_it_blocks():
    nodes = [answer(Verdict.FAIL, f"node/{number}") for number in range(500)]
    catalogue = Catalogue(
        (check("rate", "switch"), check("bandwidth", "rate"), check("switch")),
        {
            "switch": says(answer(Verdict.FAIL, "switch/leaf1", "node")),
            "rate": says(*nodes),
            "bandwidth": says(*nodes),
        },
    )
    findings = judge(catalogue, None, {E})
    assert [one.check for one in findings if one.verdict is Verdict.FAIL] == ["switch"]
    blocked = [one for one in findings if one.verdict is Verdict.BLOCKED]
    assert len(blocked) == 1000
    assert {one.blocked_by for one in blocked} == {("switch",)}


def test_cause_on_one_node_blocks_nothing_on_another():
    catalogue = Catalogue(
        (check("port"), check("rate", "port")),
        {
            "port": says(answer(Verdict.FAIL, "node/a"), answer(Verdict.PASS, "node/b")),
            "rate": says(answer(Verdict.PASS, "node/a/mlx5_0"), answer(Verdict.PASS, "node/b")),
        },
    )
    found = [
        (one.subject, one.verdict) for one in judge(catalogue, None, {E}) if one.check == "rate"
    ]
    assert found == [("node/a/mlx5_0", Verdict.BLOCKED), ("node/b", Verdict.PASS)]


def test_cause_on_a_part_blocks_the_whole_and_not_a_namesake():
    catalogue = Catalogue(
        (check("port"), check("node", "port")),
        {
            "port": says(answer(Verdict.FAIL, "node/a/mlx5_0"), answer(Verdict.PASS, "node/ab")),
            "node": says(answer(Verdict.PASS, "node/a"), answer(Verdict.PASS, "node/ab")),
        },
    )
    found = [
        (one.subject, one.verdict) for one in judge(catalogue, None, {E}) if one.check == "node"
    ]
    assert found == [("node/a", Verdict.BLOCKED), ("node/ab", Verdict.PASS)]


def test_cause_on_a_part_blocks_the_whole_though_the_whole_itself_is_fine():
    catalogue = Catalogue(
        (check("port"), check("node", "port")),
        {
            "port": says(answer(Verdict.PASS, "node/a"), answer(Verdict.FAIL, "node/a/p/1")),
            "node": says(answer(Verdict.PASS, "node/a")),
        },
    )
    assert verdicts(judge(catalogue, None, {E}))["node"] is Verdict.BLOCKED


def test_dependency_that_says_nothing_about_the_subject_blocks():
    catalogue = Catalogue(
        (check("port"), check("rate", "port")),
        {
            "port": says(answer(Verdict.PASS, "node/a")),
            "rate": says(answer(Verdict.PASS, "node/b")),
        },
    )
    assert verdicts(judge(catalogue, None, {E})) == {
        "port": Verdict.PASS,
        "rate": Verdict.BLOCKED,
    }


def test_what_does_not_apply_skips_what_depends_on_it():
    catalogue = Catalogue(
        (check("sharp"), check("trees", "sharp")),
        {"sharp": says(answer(Verdict.SKIP)), "trees": says(answer(Verdict.FAIL))},
    )
    found = judge(catalogue, None, {E})
    assert verdicts(found) == {"sharp": Verdict.SKIP, "trees": Verdict.SKIP}
    assert coverage(found).ratio is None


@pytest.mark.parametrize(
    ("cause", "verdict", "expected"),
    [
        (Verdict.FAIL, Verdict.FAIL, Verdict.BLOCKED),
        (Verdict.FAIL, Verdict.WARN, Verdict.BLOCKED),
        (Verdict.FAIL, Verdict.PASS, Verdict.PASS),
        (Verdict.UNKNOWN, Verdict.FAIL, Verdict.FAIL),
        (Verdict.PASS, Verdict.FAIL, Verdict.FAIL),
    ],
)
def test_only_a_fail_explains_another(cause, verdict, expected):
    rate = replace(check("rate"), explained_by=("link",))
    catalogue = Catalogue(
        (rate, check("link")),
        {
            "link": says(answer(cause, "switch/leaf", "node/a")),
            "rate": says(answer(verdict, "node/a/p")),
        },
    )
    assert verdicts(judge(catalogue, None, {E}))["rate"] is expected


def test_what_does_not_apply_is_not_blocked():
    catalogue = Catalogue(
        (check("root"), check("a", "root")),
        {"root": says(answer(Verdict.FAIL)), "a": says(answer(Verdict.SKIP))},
    )
    assert verdicts(judge(catalogue, None, {E}))["a"] is Verdict.SKIP


def test_coverage_counts_what_is_not_known_against_it():
    catalogue = Catalogue(
        tuple(check(one) for one in "abcd"),
        {
            "a": says(answer(Verdict.PASS)),
            "b": says(answer(Verdict.FAIL)),
            "c": says(answer(Verdict.SKIP)),
        },
    )
    assert str(coverage(judge(catalogue, None, {E}))) == "2 of 3 (66.7 %)"


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        ((check("a", "b"), check("b", "a")), "order the checks: (a waits for b|b waits for a)"),
        ((check("a", "a"),), "order the checks: a waits for a"),
        ((check("a", "b"),), "order the checks: a depends on b, which is none"),
        ((check("a"), check("a")), "order the checks: two are called a"),
    ],
)
def test_circles_doubles_and_loose_ends_are_refused(checks, message):
    with pytest.raises(ConfigError, match=message):
        Catalogue(checks, {})


def test_judge_of_no_check_is_refused():
    with pytest.raises(ConfigError, match="order the checks: b has a judge and is no check"):
        Catalogue((check("a"),), {"b": says()})


def test_wanted_checks_bring_what_they_depend_on():
    checks = (check("a"), check("b", "a"), check("c", "b"), check("d"))
    assert [one.id for one in with_dependencies(checks, ["c"])] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("given_verdicts", "code"),
    [
        ((), 0),
        ((Verdict.PASS, Verdict.WARN, Verdict.SKIP), 0),
        ((Verdict.PASS, Verdict.UNKNOWN), 5),
        ((Verdict.BLOCKED,), 5),
        ((Verdict.UNKNOWN, Verdict.FAIL, Verdict.BLOCKED), 1),
    ],
)
def test_exit_code_follows_the_worst_answer(given_verdicts, code):
    assert exit_code(given_verdicts) == code


SUBJECTS = st.sampled_from(["", "node", "node/a", "node/a/p", "node/b", "link/x"])
VERDICTS = st.sampled_from([one for one in Verdict if one is not Verdict.BLOCKED])
ANSWERS = st.builds(
    Answer,
    verdict=VERDICTS,
    found=st.sampled_from(["x", "y"]),
    subject=SUBJECTS,
    evidence=st.lists(st.sampled_from(["e1", "e2"]), max_size=2).map(tuple),
    touches=st.lists(SUBJECTS, max_size=1).map(tuple),
)


@st.composite
def worlds(draw):
    """Checks whose dependencies go to earlier names, with what each would say."""
    names = [f"c{number}" for number in range(draw(st.integers(1, 6)))]
    checks, said = [], {}
    for number, name in enumerate(names):
        before = draw(st.lists(st.sampled_from(names[:number]), unique=True)) if number else []
        checks.append(check(name, *before))
        if draw(st.booleans()):
            said[name] = tuple(draw(st.lists(ANSWERS, max_size=4)))
    return checks, said


def judged(checks, said, evidence):
    functions = {name: says(*answers) for name, answers in said.items()}
    return judge(Catalogue(tuple(checks), functions), None, evidence)


@given(world=worlds(), evidence=st.sets(st.sampled_from(["e1", "e2"])))
def test_nothing_is_pass_without_evidence_and_passed_dependencies(world, evidence):
    checks, said = world
    found = judged(checks, said, evidence)
    passed = [one for one in found if one.verdict in {Verdict.PASS, Verdict.WARN}]
    assert all(one.evidence and set(one.evidence) <= evidence for one in passed)
    by_check = {one.id: [each for each in found if each.check == one.id] for one in checks}
    for one in checks:
        assert by_check[one.id]
        if any(each.verdict is Verdict.PASS for each in by_check[one.id]):
            for name in one.depends_on:
                assert any(each.verdict is Verdict.PASS for each in by_check[name])


@given(world=worlds())
def test_without_evidence_nothing_is_good(world):
    checks, said = world
    assert {one.verdict for one in judged(checks, said, set())}.isdisjoint(
        {Verdict.PASS, Verdict.WARN}
    )


@given(world=worlds(), seed=st.integers(0, 1000))
def test_order_of_checks_and_answers_does_not_matter(world, seed):
    checks, said = world
    mixed = list(checks)
    random.Random(seed).shuffle(mixed)
    turned = {name: tuple(reversed(answers)) for name, answers in reversed(said.items())}
    assert judged(mixed, turned, {"e1", "e2"}) == judged(checks, said, {"e1", "e2"})


@given(world=worlds())
def test_every_blocked_answer_names_roots_that_are_not_blocked_themselves(world):
    checks, said = world
    found = judged(checks, said, {"e1", "e2"})
    for one in found:
        assert bool(one.blocked_by) == (one.verdict is Verdict.BLOCKED)
        for root in one.blocked_by:
            assert root in {each.id for each in checks}


@given(world=worlds())
def test_one_root_cause_is_one_fail(world):
    """All else fails with it, and everything waits for it: one red line."""
    checks, _ = world
    names = [one.id for one in checks]
    root = "root"
    linked = [check("root"), *(check(one.id, *one.depends_on, root) for one in checks)]
    said = {name: (answer(Verdict.FAIL, "node/a"),) for name in [*names, root]}
    found = judged(linked, said, {E})
    assert [one.check for one in found if one.verdict is Verdict.FAIL] == [root]
    assert all(one.blocked_by == (root,) for one in found if one.check != root)
    assert len(found) == len(linked)


@given(world=worlds())
def test_order_puts_every_check_after_what_it_depends_on(world):
    checks, _ = world
    done: set[str] = set()
    for one in ordered(reversed(checks)):
        assert set(one.depends_on) <= done
        done.add(one.id)
