"""Image layouts and archives, read back by a checker that follows the specification."""

import hashlib
import json
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sunk.errors import InputError
from sunk.local.software.images import export_images
from sunk.local.software.layer import write_layer
from sunk.local.software.oci import Image, ImageConfig, write_archive, write_layout
from tests.support.examples import examples

EPOCH = 1_700_000_000
CONFIG = ImageConfig(title="a test", entrypoint=("/program",), user="1:2")


def make_image(base, name, contents):
    """An image with one layer per content."""
    layers = []
    for number, data in enumerate(contents):
        tree, out = base / f"{name}-tree{number}", base / f"{name}-layer{number}"
        tree.mkdir()
        out.mkdir()
        (tree / "file").write_bytes(data)
        layers.append(write_layer(tree, out, epoch_seconds=EPOCH))
    layout = base / f"{name}-layout"
    layout.mkdir()
    digest = write_layout(layout, layers, CONFIG, architecture="amd64", epoch_seconds=EPOCH)
    return Image(name=f"sunk.dev/{name}:local", layout=layout, digest=digest)


def read_archive(path):
    with tarfile.open(path) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


def check_archive(files):
    """Follow every reference of an archive; return manifest digests by name."""
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    reached = {"oci-layout", "index.json"}

    def blob(reference):
        path = "blobs/" + reference["digest"].replace(":", "/")
        data = files[path]
        assert reference["digest"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
        assert reference["size"] == len(data)
        reached.add(path)
        return data

    names = {}
    for entry in json.loads(files["index.json"])["manifests"]:
        manifest = json.loads(blob(entry))
        config = json.loads(blob(manifest["config"]))
        layers = manifest["layers"]
        for layer in layers:
            blob(layer)
        assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in layers]
        names[entry["annotations"]["io.containerd.image.name"]] = entry["digest"]
    assert reached == set(files)
    return names


@given(
    images=st.lists(st.lists(st.binary(max_size=9), min_size=1, max_size=3), min_size=1, max_size=3)
)
@settings(max_examples=examples(30))
def test_any_archive_follows_the_specification_and_holds_shared_layers_once(
    images, tmp_path_factory
):
    base = tmp_path_factory.mktemp("oci")
    made = [make_image(base, f"i{number}", data) for number, data in enumerate(images)]
    target = base / "archive.tar"
    write_archive(made, target)
    names = check_archive(read_archive(target))
    expected = {image.name: image.digest for image in made}
    expected |= {image.content_name: image.digest for image in made}
    assert names == expected


def test_the_same_content_gives_the_same_bytes(tmp_path):
    archives = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        image = make_image(tmp_path / name, "x", [b"a", b"b"])
        write_archive([image], tmp_path / f"{name}.tar")
        archives.append((tmp_path / f"{name}.tar").read_bytes())
    assert archives[0] == archives[1]


def test_another_content_gives_another_digest(tmp_path):
    one, other = make_image(tmp_path, "one", [b"a"]), make_image(tmp_path, "other", [b"b"])
    assert one.digest != other.digest


def test_the_configuration_says_what_runs(tmp_path):
    image = make_image(tmp_path, "x", [b"a"])
    write_archive([image], tmp_path / "a.tar")
    files = read_archive(tmp_path / "a.tar")
    manifest = json.loads(files["blobs/" + image.digest.replace(":", "/")])
    config = json.loads(files["blobs/" + manifest["config"]["digest"].replace(":", "/")])
    assert config["config"] == {
        "Entrypoint": ["/program"],
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "Labels": {"org.opencontainers.image.title": "a test"},
        "User": "1:2",
    }
    assert (config["architecture"], config["os"], config["created"]) == (
        "amd64",
        "linux",
        "2023-11-14T22:13:20Z",
    )


def test_layers_take_no_space_in_a_layout(tmp_path):
    make_image(tmp_path, "x", [b"a"])
    blob = tmp_path / "x-layer0/layer.tar"
    assert blob.stat().st_nlink == 2


def test_blobs_that_the_reader_has_are_left_out(tmp_path):
    base, image = make_image(tmp_path, "b", [b"a"]), make_image(tmp_path, "x", [b"a", b"b"])
    write_archive([image], tmp_path / "a.tar", without=[base])
    blobs = {name for name in read_archive(tmp_path / "a.tar") if name.startswith("blobs/")}
    shared = {f"blobs/sha256/{file.name}" for file in (base.layout / "blobs/sha256").iterdir()}
    own = {f"blobs/sha256/{file.name}" for file in (image.layout / "blobs/sha256").iterdir()}
    assert blobs == own - shared
    assert len(own & shared) == 1


def test_a_failed_archive_leaves_no_file(tmp_path):
    broken = Image(name="sunk.dev/x:local", layout=tmp_path / "none", digest="sha256:0")
    with pytest.raises(InputError, match=r"read image layout .*none"):
        write_archive([broken], tmp_path / "a.tar")
    assert list(tmp_path.iterdir()) == []


def test_images_are_exported_one_archive_each(tmp_path):
    images = [make_image(tmp_path, name, [b"a"]) for name in ("slurm", "login")]
    written = export_images(images, tmp_path / "out/put")
    assert written == (
        tmp_path / "out/put/login.oci.tar",
        tmp_path / "out/put/slurm.oci.tar",
    )
    assert check_archive(read_archive(written[1])) == {
        "sunk.dev/slurm:local": images[0].digest,
        images[0].content_name: images[0].digest,
    }
