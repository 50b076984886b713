"""What is installed is what is in the repository: sdist, wheel from it, off the network."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import sunk
from sunk.toolkit.catalogue import TEMPLATES
from tests.support.pages import ROOT

SOURCES = {
    "sunk": ROOT / "sunk",
    "sunk_fabric": ROOT / "fabric" / "sunk_fabric",
    "sunk_jobs": ROOT / "jobs" / "sunk_jobs",
    "sunk_validation": ROOT / "validation" / "sunk_validation",
}
OFFLINE = {
    "PATH": os.environ["PATH"],
    "HOME": "/dev/null",
    "PIP_NO_INDEX": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


def run(*words: str | Path, cwd: Path, **more: str) -> str:
    done = subprocess.run(
        words, cwd=cwd, env=OFFLINE | more, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel, the way `python -m build` makes it: sdist first, then the wheel from that."""
    folder = tmp_path_factory.mktemp("dist")
    words = ("-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    run(sys.executable, *words, cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


def files_below(folder: Path) -> set[str]:
    return {
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


def test_wheel_holds_our_packages_and_data_whole_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    information = f"sunk-{sunk.__version__}.dist-info"
    assert {name.split("/", 1)[0] for name in names} == {*SOURCES, information}
    wanted = {f"{name}/{file}" for name, root in SOURCES.items() for file in files_below(root)}
    for data in ("templates", "deploy"):
        wanted |= {f"sunk/_data/{data}/{file}" for file in files_below(ROOT / data)}
    assert {name for name in names if not name.startswith(information)} == wanted
    assert f"{information}/licenses/LICENSE" in names
    assert "sunk/py.typed" in names


def test_installed_wheel_works_from_another_folder(wheel, tmp_path):
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    words = ("-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel)
    run(sys.executable, *words, cwd=elsewhere)

    def installed(*words: str) -> str:
        return run(*words, cwd=elsewhere, PYTHONPATH=str(site))

    program = str(site / "bin" / "sunk")
    where = "import sunk, sunk_jobs; print(sunk.__file__, sunk_jobs.__file__)"
    assert installed(sys.executable, "-P", "-c", where).split() == [
        str(site / "sunk" / "__init__.py"),
        str(site / "sunk_jobs" / "__init__.py"),
    ]
    assert installed(program, "version", "--short") == f"{sunk.__version__}\n"
    assert "python" in installed(program, "version")
    listed = installed(program, "job", "template", "list")
    assert [line.split()[0] for line in listed.splitlines()[1:]] == [one.name for one in TEMPLATES]
    assert installed(program, "job", "render", "mpi").startswith("#!/bin/bash\n")
