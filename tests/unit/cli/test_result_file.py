"""Results in files: whole, or not at all."""

import pytest

from sunk.cli.result_file import write
from sunk.errors import EnvironmentFault


def test_file_is_replaced_and_nothing_else_is_left(tmp_path):
    file = tmp_path / "a.svg"
    file.write_text("old")
    write(file, "new")
    write(tmp_path / "b.png", b"\x89")
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {
        "a.svg": b"new",
        "b.png": b"\x89",
    }


def test_link_stays_a_link(tmp_path):
    (tmp_path / "real.svg").write_text("old")
    (tmp_path / "link.svg").symlink_to(tmp_path / "real.svg")
    write(tmp_path / "link.svg", "new")
    assert (tmp_path / "link.svg").is_symlink()
    assert (tmp_path / "real.svg").read_text() == "new"


def test_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(EnvironmentFault, match=r"write .*/none/a\.svg: No such file or directory"):
        write(tmp_path / "none" / "a.svg", "new")


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path):
    write(type(tmp_path)("/dev/null"), "new")
    with pytest.raises(EnvironmentFault, match="Is a directory"):
        write(tmp_path, "new")
