"""Python environments of applications: pins, keys, and what stops one before it begins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sunk.errors import EnvironmentFault, InputError
from sunk.local.software import python_environment
from sunk.local.software.cache import Cache
from sunk.local.software.python_environment import (
    RAY,
    TORCH,
    PythonEnvironment,
    obtain_environment,
    read_pins,
)
from sunk.resources import data_folder
from sunk.settings import LocalSettings
from sunk.wiring import local as wiring

REQUIREMENTS = data_folder("deploy") / "local" / "torch" / "requirements.txt"
RAYS = data_folder("deploy") / "local" / "ray" / "requirements.txt"


def test_shipped_pins_hold_torch_numpy_and_pip_and_what_talks_to_gpus():
    pins = read_pins(REQUIREMENTS.read_text())
    assert {"torch", "numpy", "pip", "nvidia-nccl-cu13"} <= set(pins)
    assert len(pins) == len([line for line in REQUIREMENTS.read_text().split() if "==" in line])


def test_shipped_pins_of_ray_leave_torch_out():
    pins = read_pins(RAYS.read_text())
    assert {"ray", "pip"} <= set(pins)
    assert not {"torch", "numpy"} & set(pins)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("torch>=2", "line 1: 'torch>=2' is not one name==version"),
        ("# x\ntorch==2\ntorch==3\n", "line 3: 'torch==3' is not one name==version"),
        ("--index-url x", "line 1: '--index-url x' is not"),
    ],
)
def test_a_line_that_pins_nothing_is_named(text, said):
    with pytest.raises(InputError, match=r"read the pins of a Python environment: ") as caught:
        read_pins(text)
    assert said in caught.value.message


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    python = tmp_path / "root" / "usr" / "bin" / "python3"
    python.parent.mkdir(parents=True)
    python.write_text("a Python")
    return tmp_path / "root"


def made(
    tmp_path: Path,
    rootfs: Path,
    monkeypatch: pytest.MonkeyPatch,
    pins: str,
    environment: PythonEnvironment = TORCH,
) -> str:
    """Return the key of an environment whose build does nothing."""
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(pins)
    monkeypatch.setattr(python_environment, "require_space", lambda *_words: None)
    monkeypatch.setattr(python_environment, "_download", lambda *words: words[2].mkdir())
    monkeypatch.setattr(python_environment, "_install", lambda words, *_rest: words[5].mkdir())
    cache = Cache(tmp_path / "cache")
    return obtain_environment(cache, environment, requirements, "amd64", rootfs).key


def test_key_follows_pins_and_the_images_python_and_nothing_else(tmp_path, rootfs, monkeypatch):
    first = made(tmp_path, rootfs, monkeypatch, "torch==2\nnumpy==1\n")
    assert made(tmp_path, rootfs, monkeypatch, "numpy==1  # why\n\ntorch==2\n") == first
    assert made(tmp_path, rootfs, monkeypatch, "torch==3\nnumpy==1\n") != first
    (rootfs / "usr/bin/python3").write_text("another Python")
    assert made(tmp_path, rootfs, monkeypatch, "torch==2\nnumpy==1\n") != first


def test_another_environment_of_the_same_pins_is_another_entry(tmp_path, rootfs, monkeypatch):
    first = made(tmp_path, rootfs, monkeypatch, "pip==2\n")
    assert made(tmp_path, rootfs, monkeypatch, "pip==2\n", RAY) != first


def test_a_disk_without_room_is_named_before_anything_is_downloaded(tmp_path, rootfs):
    cache = Cache(tmp_path / "cache")
    cache.folder.mkdir()
    huge = replace(TORCH, needed_gib=1 << 30)
    with pytest.raises(EnvironmentFault, match=r"make the torch environment in .*GiB free, needs"):
        obtain_environment(cache, huge, REQUIREMENTS, "amd64", rootfs)
    assert not list(cache.folder.rglob("*.whl"))


@pytest.mark.parametrize(
    ("environment", "place"), [(TORCH, "/opt/sunk-torch"), (RAY, "/opt/sunk-ray")]
)
def test_pods_are_shown_the_newest_one_and_none_before_it_is_made(
    tmp_path, rootfs, monkeypatch, environment, place
):
    settings = LocalSettings(cache_folder=tmp_path / "cache")
    assert wiring.shared_software(settings) == ()
    key = made(tmp_path, rootfs, monkeypatch, "ray==2\n", environment)
    content = tmp_path / "cache" / "entries" / environment.name / key / "content"
    (shared,) = wiring.shared_software(settings)
    assert (shared.folder, shared.mount_path) == (content, place)
