from __future__ import annotations

import pytest

from sunk.clients import evidence_files
from sunk.errors import InputError

FILES = {"manifest.json": b"{}\n", "raw/a.out": b"\x00\xff"}


def test_what_is_written_is_read_back(tmp_path):
    evidence_files.write(tmp_path / "bundle", FILES)
    assert evidence_files.read(tmp_path / "bundle") == FILES
    assert [one.name for one in tmp_path.iterdir()] == ["bundle"]


def test_folder_that_exists_is_left_alone(tmp_path):
    with pytest.raises(InputError, match="it exists"):
        evidence_files.write(tmp_path, FILES)
    assert list(tmp_path.iterdir()) == []


def test_hidden_files_and_links_are_no_part_of_a_collection(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("x")
    (tmp_path / "ibstat.txt").write_text("x")
    (tmp_path / "link.txt").symlink_to("/etc/passwd")
    assert evidence_files.read(tmp_path) == {"ibstat.txt": b"x"}


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no such folder"):
        evidence_files.read(tmp_path / "none")
