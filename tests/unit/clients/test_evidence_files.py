from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_an_archive_is_read_as_the_folder_is(tmp_path):
    evidence_files.write_archive(tmp_path / "a.tar.gz", "site", FILES)
    assert evidence_files.read(tmp_path / "a.tar.gz") == FILES
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        assert tar.getnames() == ["site/manifest.json", "site/raw/a.out"]
    assert [one.name for one in tmp_path.iterdir()] == ["a.tar.gz"]


def test_an_archive_that_is_there_stays(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(b"mine")
    with pytest.raises(InputError, match="it exists"):
        evidence_files.write_archive(tmp_path / "a.tar.gz", "site", FILES)
    assert (tmp_path / "a.tar.gz").read_bytes() == b"mine"


def test_links_and_devices_in_an_archive_lead_nowhere(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, kind in (
            ("link", tarfile.SYMTYPE),
            ("hard", tarfile.LNKTYPE),
            ("dir", tarfile.DIRTYPE),
        ):
            entry = tarfile.TarInfo(f"site/{name}")
            entry.type, entry.linkname = kind, "/etc/passwd"
            tar.addfile(entry)
        entry = tarfile.TarInfo("site/../../etc/evil")
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"x"))
    assert evidence_files.read(tmp_path / "a.tar") == {"../../etc/evil": b"x"}
    assert [one.name for one in tmp_path.iterdir()] == ["a.tar"]


def test_an_archive_with_more_than_a_machine_holds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence_files, "ARCHIVE_LIMIT_BYTES", 3)
    evidence_files.write_archive(tmp_path / "a.tar.gz", "site", FILES)
    with pytest.raises(InputError, match="far too much"):
        evidence_files.read(tmp_path / "a.tar.gz")


@given(st.data())
def test_a_damaged_archive_is_refused_or_says_what_it_said(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("archive")
    evidence_files.write_archive(folder / "a.tar.gz", "site", {"a": b"x" * 300})
    content = bytearray((folder / "a.tar.gz").read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    (folder / "a.tar.gz").write_bytes(content)
    try:
        found = evidence_files.read(folder / "a.tar.gz")
    except InputError:
        return
    assert found in ({"a": b"x" * 300}, {})
