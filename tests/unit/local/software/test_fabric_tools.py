"""The fabric tools: their recipe, and a simulator that is too old."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sunk.errors import EnvironmentFault
from sunk.local.software.fabric_tools import (
    SIMULATOR,
    obtain_fabric_tools,
    read_tools_recipe,
    simulator_version,
)
from sunk.local.software.gather import SoftwareOptions
from sunk.resources import data_folder


def rootfs(folder: Path, listed: str) -> Path:
    """Return a root file system with a list of its packages."""
    file = folder / "usr/share/sunk/packages.txt"
    file.parent.mkdir(parents=True)
    file.write_text(listed)
    return folder


def test_shipped_recipe_holds_simulator_manager_and_tools():
    recipe = read_tools_recipe(data_folder("deploy"))
    assert {SIMULATOR, "libumad2sim0", "opensm", "infiniband-diags", "ibutils"} <= set(
        recipe.packages
    )
    assert all(file.exists() for file in (*recipe.excludes, recipe.users, recipe.finish))


@pytest.mark.parametrize("version", ["0.12-1", "0.12.1-2", "1.0-1"])
def test_version_of_the_simulator_is_read(tmp_path, version):
    listed = f"ibutils 1.5.7\n{SIMULATOR} {version}\nopensm 3.3\n"
    assert simulator_version(rootfs(tmp_path, listed)) == version


def test_simulator_that_runs_ndr_as_sdr_is_refused(tmp_path):
    with pytest.raises(EnvironmentFault, match=r"ibsim-utils 0\.10-2 runs NDR links as SDR"):
        simulator_version(rootfs(tmp_path, f"{SIMULATOR} 0.10-2\n"))


def test_root_file_system_without_a_simulator_is_refused(tmp_path):
    with pytest.raises(EnvironmentFault, match="there is no ibsim-utils"):
        simulator_version(rootfs(tmp_path, "opensm 3.3\n"))


def test_without_root_nothing_is_made(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    cache = tmp_path / "cache"
    with pytest.raises(EnvironmentFault, match="make the fabric tools: needs root"):
        obtain_fabric_tools(cache, data_folder("deploy"), SoftwareOptions())
    assert not cache.exists()
