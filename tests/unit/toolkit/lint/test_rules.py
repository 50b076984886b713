"""Each rule finds its bad example and its hidden form, and leaves alone what looks like it."""

from __future__ import annotations

import re

import pytest

from sunk.toolkit.lint.model import Severity
from sunk.toolkit.lint.rules import RULES
from tests.support.lint_rules import DATA, KINDS, examples_of

IDS = tuple(RULES)
WORD_OF_SHELL = re.compile(
    r"\\\n|<<|\(\) \{|[\"'][^\"']*[\"']| -\w|--\w[\w-]* |#+ ?sbatch", re.IGNORECASE
)


def test_rules_are_the_64_of_the_catalogue_and_3_about_reading():
    catalogue = [f"S{number:03d}" for number in range(1, 65)]
    assert list(IDS) == ["P001", "P002", "P003", *catalogue]


def test_every_rule_has_examples_and_every_example_a_rule():
    assert {file.stem for file in (DATA / "rules").iterdir()} == set(IDS)


@pytest.mark.parametrize("rule", IDS)
def test_examples_are_complete(rule):
    document = examples_of(rule).document
    wanted = {"good", "bad", "bad_lines", "lookalike"}
    wanted |= {"no_evasion"} if "no_evasion" in document else {"evasion", "evasion_lines"}
    notes = {"facts", *(f"{kind}_facts" for kind in KINDS), "claims", "untried"}
    assert wanted <= set(document) <= wanted | notes


@pytest.mark.parametrize("rule", IDS)
def test_bad_example_is_found_where_it_is_and_as_bad_as_it_is(rule):
    examples = examples_of(rule)
    assert examples.lines("bad") == examples.document["bad_lines"]
    severities = {one.severity for one in examples.findings("bad") if one.rule == rule}
    assert severities == {RULES[rule].severity}


@pytest.mark.parametrize("rule", [one for one in IDS if "evasion" in examples_of(one).document])
def test_hidden_form_is_found_where_it_is(rule):
    examples = examples_of(rule)
    assert examples.lines("evasion") == examples.document["evasion_lines"]


@pytest.mark.parametrize("rule", [one for one in IDS if "evasion" in examples_of(one).document])
def test_hidden_form_hides_by_continuation_here_document_function_quoting_or_spelling(rule):
    assert WORD_OF_SHELL.search(examples_of(rule).document["evasion"])


@pytest.mark.parametrize("rule", IDS)
def test_lookalike_is_left_alone(rule):
    assert examples_of(rule).lines("lookalike") == []


@pytest.mark.parametrize("rule", IDS)
def test_good_example_is_free_of_the_fault_and_of_errors(rule):
    examples = examples_of(rule)
    assert examples.lines("good") == []
    assert [one for one in examples.findings("good") if one.severity is Severity.ERROR] == []


@pytest.mark.parametrize("rule", [one.id for one in RULES.values() if one.live])
def test_rule_that_needs_facts_is_silent_without_them(rule):
    examples = examples_of(rule)
    without = type(examples)(rule=examples.rule, document={**examples.document, "facts": {}})
    assert without.lines("bad") == []


@pytest.mark.parametrize("rule", IDS)
def test_texts_of_a_rule_are_sentences_and_its_messages_one_without_a_full_stop(rule):
    one = RULES[rule]
    assert not one.title.endswith(".")
    assert one.why.endswith(".")
    assert not one.source.endswith(".")
    messages = [found.message for found in examples_of(rule).findings("bad") if found.rule == rule]
    assert messages
    assert not any(message.endswith(".") or "\n" in message for message in messages)
