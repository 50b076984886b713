"""Texts that somebody else took."""

from __future__ import annotations

import os

import pytest

from sunk.errors import InputError
from sunk_fabric.collect.brought import Brought, brought


def test_a_file_is_kept_as_of_its_last_change(tmp_path):
    file = tmp_path / "my job.log"
    file.write_bytes(b"NCCL INFO\n")
    os.utime(file, (1_700_000_000, 1_700_000_000))
    found = brought(f"nccl_log@w-0={file}")
    assert found == Brought(format="nccl_log", host="w-0", path=file)
    taken = found.taken()
    assert (taken.question.name, taken.question.command) == ("nccl_log.my-job", ("cat", str(file)))
    assert (taken.began, taken.ended) == ("2023-11-14T22:13:20Z",) * 2
    assert (taken.output, taken.exit_code) == (b"NCCL INFO\n", None)
    assert brought(f"nccl_log={file}").host == ""


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("nccl_log", "not FORMAT"),
        ("=x", "not FORMAT"),
        ("nccl_log@a b=x", "not FORMAT"),
        ("nosuch=x", "nosuch is not a format"),
        ("nccl_log=/nosuch", "there is no file /nosuch"),
        ("nccl_log=/", "there is no file /"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_anybody_is_asked(word, words):
    with pytest.raises(InputError, match=words):
        brought(word)


def test_a_file_that_went_away_meanwhile_is_said(tmp_path):
    gone = Brought(format="nccl_log", host="", path=tmp_path / "gone")
    with pytest.raises(InputError, match="No such file"):
        gone.taken()
