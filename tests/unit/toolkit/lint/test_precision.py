"""What is written well has no error, and what we render nothing at all."""

from __future__ import annotations

import subprocess

import pytest

from sunk.toolkit.catalogue import TEMPLATES
from sunk.toolkit.job_file import read_job
from sunk.toolkit.lint.engine import lint_bytes
from sunk.toolkit.lint.model import Severity
from sunk.toolkit.script import render_job
from tests.support.lint_rules import SCRIPTS

BIGGER = ["nodes=2", "tasksPerNode=4", "cpusPerTask=2", "gpusPerNode=4", "memoryPerNode=16G"]


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


@pytest.mark.parametrize("assignments", [[], BIGGER], ids=["defaults", "bigger"])
@pytest.mark.parametrize("template", [one.name for one in TEMPLATES])
def test_rendered_template_has_no_finding(template, assignments):
    script = render_job(*read_job(template, assignments)).script
    assert lint_bytes("job.sbatch", script.encode()) == ()
