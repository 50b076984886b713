"""What the program calls itself when it says what to type next."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sunk.cli.output import program


@pytest.fixture
def installed(tmp_path: Path, monkeypatch) -> Path:
    """A program in ``.venv/bin`` of the working folder, and an empty PATH."""
    file = tmp_path / ".venv/bin/sunk"
    file.parent.mkdir(parents=True)
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "argv", [str(file)])
    return file


def test_program_that_is_not_on_the_path_is_called_by_its_place(installed):
    assert program() == ".venv/bin/sunk"


def test_program_on_the_path_is_called_by_its_name(installed, monkeypatch):
    monkeypatch.setenv("PATH", str(installed.parent))
    assert program() == "sunk"


def test_another_program_of_the_name_on_the_path_is_not_meant(installed, tmp_path, monkeypatch):
    other = tmp_path / "other/sunk"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(other.parent))
    assert program() == ".venv/bin/sunk"


def test_program_far_away_is_called_by_its_whole_path(installed, tmp_path, monkeypatch):
    (tmp_path / "deep/er").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep/er")
    assert program() == str(installed)
