"""An install from the bundle, in a network namespace that leads nowhere."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile

import pytest

from sunk import __version__, settings
from sunk.clients import process
from sunk.local.software.cache import Cache
from sunk.progress import Silent
from sunk.wiring import bundle

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    made = bundle.write(folder / "b.tar", settings.read_local(os.environ), Silent())
    with tarfile.open(made.file) as archive:
        archive.extractall(folder / "site", filter="data")
    (folder / "b.tar").unlink()
    yield folder / "site"
    shutil.rmtree(folder)  # a gibibyte that pytest would keep


def alone(*argv: object, cwd: object) -> process.Completed:
    """Run a program where no network is."""
    return process.run(["unshare", "--net", *argv], cwd=cwd, timeout_seconds=300)


def test_command_is_installed_with_the_bridge_and_runs(place, tmp_path):
    alone(sys.executable, "-m", "venv", tmp_path / "venv", cwd=place)
    pip = (tmp_path / "venv/bin/pip", "install", "--quiet", "--no-index", "--find-links", "wheels")
    alone(*pip, "sunk[bridge]", cwd=place)
    shown = alone(tmp_path / "venv/bin/sunk", "version", "--output", "json", cwd=place)
    assert json.loads(shown.stdout)["sunk"] == __version__
    alone(tmp_path / "venv/bin/sunk", "bridge", "run", "--help", cwd=place)


def test_chart_is_rendered_with_the_site_s_registry(place):
    helm = Cache(settings.read_local(os.environ).cache_folder).newest("go-helm").content / "helm"
    registry = "global.imageRegistry=registry.example.org/hpc"
    done = alone(helm, "template", "sunk", "chart/sunk", "--set", registry, cwd=place)
    assert "image: registry.example.org/hpc/bridge:" in done.stdout


@pytest.mark.parametrize("name", ["bridge", "login", "slurm"])
def test_image_is_one_whole_oci_archive_of_the_digest_that_is_named(place, name):
    digests = dict(line.split() for line in (place / "images/DIGESTS").read_text().splitlines())
    with tarfile.open(place / f"images/{name}.oci.tar") as archive:
        index = json.load(archive.extractfile("index.json"))
        blobs = {one.removeprefix("blobs/sha256/") for one in archive.getnames()}
    assert {one["digest"] for one in index["manifests"]} == {digests[name]}
    assert digests[name].removeprefix("sha256:") in blobs
