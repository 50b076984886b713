from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from sunk.local.programs import keep_programs
from sunk.local.software.gather import KubePrograms


@pytest.fixture
def programs(tmp_path) -> KubePrograms:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "kube").write_text("one program")
    names = [f.name for f in dataclasses.fields(KubePrograms) if f.name != "version"]
    for name in names:
        (cache / f"kube-{name}").symlink_to("kube")
    return KubePrograms(version="v1", **{name: cache / f"kube-{name}" for name in names})


def test_kept_programs_outlive_the_cache_under_their_names(tmp_path, programs):
    kept = keep_programs(tmp_path / "bin", programs)
    for file in (tmp_path / "cache").iterdir():
        file.unlink()
    assert kept.kubelet == tmp_path / "bin" / "kube-kubelet"
    assert kept.kubelet.read_text() == "one program"
    assert kept.version == "v1"


def test_kept_twice_is_the_same_file(tmp_path, programs):
    first = keep_programs(tmp_path / "bin", programs).kubelet.stat().st_ino
    assert keep_programs(tmp_path / "bin", programs).kubelet.stat().st_ino == first


def test_newer_program_replaces_the_older_without_touching_it(tmp_path, programs):
    kept = keep_programs(tmp_path / "bin", programs)
    with kept.kubelet.open() as running:
        (tmp_path / "cache" / "new").write_text("two")
        Path(programs.kubelet).unlink()
        Path(programs.kubelet).symlink_to("new")
        assert keep_programs(tmp_path / "bin", programs).kubelet.read_text() == "two"
        assert running.read() == "one program"


def test_another_file_system_gets_copies(tmp_path, programs, monkeypatch):
    import errno

    def refuse(*_args):
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr("os.link", refuse)
    assert keep_programs(tmp_path / "bin", programs).proxy.read_text() == "one program"
