"""The archive for sites without a way out: whole, checkable with sha256sum, the same every time."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from sunk.clients import process
from sunk.local.software.bundle import write_bundle
from sunk.local.software.images import short_name
from sunk.local.software.layer import write_layer
from sunk.local.software.oci import Image, ImageConfig, write_layout
from sunk.local.software.rootfs import EPOCH_SECONDS
from sunk.resources import data_folder


@pytest.fixture
def images(tmp_path):
    def make(name: str) -> Image:
        root = tmp_path / name / "root"
        root.mkdir(parents=True)
        (root / "name").write_text(name)
        (tmp_path / name / "layer").mkdir()
        layer = write_layer(root, tmp_path / name / "layer", epoch_seconds=EPOCH_SECONDS)
        layout = tmp_path / name / "layout"
        digest = write_layout(
            layout,
            [layer],
            ImageConfig(title=name),
            architecture="amd64",
            epoch_seconds=EPOCH_SECONDS,
        )
        return Image(name=f"sunk.dev/{name}:local", layout=layout, digest=digest)

    return [make(name) for name in ("bridge", "coredns", "login", "slurm")]


@pytest.fixture
def wheels(tmp_path):
    file = tmp_path / "sunk-1-py3-none-any.whl"
    file.write_bytes(b"wheel")
    return {file.name: file}


def write(target: Path, images: list[Image], wheels: dict[str, Path]) -> int:
    return write_bundle(target, images, wheels, data_folder("deploy"), data_folder("templates"))


def test_everything_is_in_it_and_sha256sum_finds_it_whole(tmp_path, images, wheels):
    files = write(tmp_path / "b.tar", images, wheels)
    place = tmp_path / "place"
    with tarfile.open(tmp_path / "b.tar") as archive:
        archive.extractall(place, filter="data")
        assert len(archive.getnames()) == files
    done = process.run(
        ["sha256sum", "--strict", "--check", "SHA256SUMS"], cwd=place, timeout_seconds=10
    )
    assert done.stdout.count(": OK\n") == files - 1
    assert sorted(one.name for one in (place / "images").iterdir()) == [
        "DIGESTS",
        "bridge.oci.tar",
        "login.oci.tar",
        "slurm.oci.tar",
    ]
    digests = "".join(
        f"{short_name(one)} {one.digest}\n" for one in images if "core" not in one.name
    )
    assert (place / "images/DIGESTS").read_text() == digests
    chart, templates = data_folder("deploy") / "chart/sunk", data_folder("templates")
    for folder, source in (("chart/sunk", chart), ("templates", templates)):
        for file in (one for one in source.rglob("*") if one.is_file()):
            assert (place / folder / file.relative_to(source)).read_bytes() == file.read_bytes()


def test_file_that_was_changed_on_the_way_is_found(tmp_path, images, wheels):
    write(tmp_path / "b.tar", images, wheels)
    place = tmp_path / "place"
    with tarfile.open(tmp_path / "b.tar") as archive:
        archive.extractall(place, filter="data")
    with (place / "images/slurm.oci.tar").open("ab") as file:
        file.write(b"x")
    done = process.run(
        ["sha256sum", "--quiet", "--check", "SHA256SUMS"],
        cwd=place,
        timeout_seconds=10,
        check=False,
    )
    assert (done.status, done.stdout) == (1, "images/slurm.oci.tar: FAILED\n")


def test_same_content_gives_the_same_bytes(tmp_path, images, wheels):
    for name in ("b.tar", "c.tar"):
        write(tmp_path / name, images, wheels)
    assert (tmp_path / "b.tar").read_bytes() == (tmp_path / "c.tar").read_bytes()


def test_nothing_is_left_of_one_that_could_not_be_written(tmp_path, images, wheels):
    target = tmp_path / "there/b.tar"
    target.parent.mkdir()
    wheels = {**wheels, "gone-1.whl": tmp_path / "gone-1.whl"}
    with pytest.raises(FileNotFoundError):
        write(target, images, wheels)
    assert list(target.parent.iterdir()) == []
