"""What is written well has no error; what we render has no finding, see `test_scripts`."""

from __future__ import annotations

import subprocess

import pytest

from sunk.toolkit.lint.engine import lint_bytes
from sunk.toolkit.lint.model import Severity
from tests.support.lint_rules import SCRIPTS


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda one: one.stem)
def test_well_written_script_has_no_error(file):
    found = lint_bytes(file.name, file.read_bytes())
    assert [one for one in found if one.severity is Severity.ERROR] == []


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda one: one.stem)
def test_well_written_script_is_understood_as_a_whole(file):
    assert "P001" not in {one.rule for one in lint_bytes(file.name, file.read_bytes())}


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda one: one.stem)
def test_well_written_script_is_one_to_bash(file):
    subprocess.run(["bash", "-n", file], check=True)


def test_there_are_a_dozen_of_them():
    assert len(SCRIPTS) >= 12
