from __future__ import annotations

from tests.support.golden import check_generated
from tests.support.lint_rules import page
from tests.support.pages import DOCS


def test_page_of_lint_rules_is_what_the_rules_and_their_examples_say():
    check_generated(DOCS / "reference" / "lint-rules.md", page())
