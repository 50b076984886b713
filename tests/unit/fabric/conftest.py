"""What tests of checks share."""

from __future__ import annotations

import pytest

from tests.support.fabric_checks import every


@pytest.fixture
def check(tmp_path):
    """Write files, judge them, return (verdict, subject, found) of one check."""

    def judged(name, files, expected=None, intended=None):
        findings = every(tmp_path, files, expected, intended, [name])
        return [(one.verdict, one.subject, one.found) for one in findings if one.check == name]

    return judged
