"""Layers: the same folder gives the same bytes, and they unpack to the same folder."""

import hashlib
import os
import stat
import tarfile

from hypothesis import given, settings
from hypothesis import strategies as st

from sunk.local.software.layer import read_layer, write_layer
from tests.support.examples import examples

EPOCH = 1_700_000_000
NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=4
).filter(lambda name: name not in {".", ".."} and len(name.encode()) < 200)
TREES = st.recursive(
    st.binary(max_size=20) | st.tuples(st.just("link"), NAMES),
    lambda children: st.dictionaries(NAMES, children, max_size=3),
    max_leaves=8,
).filter(lambda tree: isinstance(tree, dict))


def lay_out(folder, tree, *, backwards=False):
    folder.mkdir()
    items = list(tree.items())
    for name, node in reversed(items) if backwards else items:
        path = folder / name
        if isinstance(node, dict):
            lay_out(path, node, backwards=backwards)
        elif isinstance(node, bytes):
            path.write_bytes(node)
        else:
            path.symlink_to(node[1])


def read_back(folder):
    result = {}
    for path in folder.iterdir():
        if path.is_symlink():
            result[path.name] = ("link", str(path.readlink()))
        elif path.is_dir():
            result[path.name] = read_back(path)
        else:
            result[path.name] = path.read_bytes()
    return result


@given(tree=TREES)
@settings(max_examples=examples(60))
def test_any_tree_gives_one_digest_however_it_was_made_and_unpacks_to_itself(
    tree, tmp_path_factory
):
    base = tmp_path_factory.mktemp("layer")
    digests = []
    for name in ("one", "other"):
        lay_out(base / name, tree, backwards=name == "other")
        (base / f"{name}-layer").mkdir()
        layer = write_layer(base / name, base / f"{name}-layer", epoch_seconds=EPOCH)
        data = layer.blob.read_bytes()
        assert layer.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
        assert layer.size == len(data)
        assert read_layer(base / f"{name}-layer") == layer
        digests.append(layer.digest)
    assert digests[0] == digests[1]
    with tarfile.open(layer.blob) as archive:
        archive.extractall(base / "out", filter="fully_trusted")
    (base / "out").mkdir(exist_ok=True)
    assert read_back(base / "out") == tree


def members(tmp_path):
    (tmp_path / "out").mkdir()
    layer = write_layer(tmp_path / "root", tmp_path / "out", epoch_seconds=EPOCH)
    with tarfile.open(layer.blob) as archive:
        return {member.name: member for member in archive.getmembers()}


def test_times_are_clamped_and_owners_are_numbers_only(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    for name, seconds in (("new", EPOCH + 5), ("old", EPOCH - 5)):
        (root / name).write_text("")
        os.utime(root / name, (seconds, seconds + 0.5))
    found = members(tmp_path)
    assert (found["new"].mtime, found["old"].mtime) == (EPOCH, EPOCH - 5)
    assert {(member.uname, member.gname) for member in found.values()} == {("", "")}


def test_set_id_bits_links_and_hard_links_are_kept(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "a").write_text("x")
    (root / "a").chmod(0o4755)
    (root / "b").hardlink_to(root / "a")
    (root / "c").symlink_to("/abs/olute")
    os.mkfifo(root / "d")
    found = members(tmp_path)
    assert found["a"].mode == 0o4755
    assert (found["b"].type, found["b"].linkname, found["b"].size) == (tarfile.LNKTYPE, "a", 0)
    assert found["c"].linkname == "/abs/olute"
    assert found["d"].isfifo()


def test_attributes_of_a_program_are_kept_and_labels_of_the_machine_are_not(tmp_path, monkeypatch):
    # A stand-in for the kernel's answers: setting file capabilities needs root.
    capability = bytes.fromhex("0000000200200000000000000000000000000000")
    attributes = {"security.capability": capability, "security.selinux": b"label\0"}
    monkeypatch.setattr(os, "listxattr", lambda _path, **_: list(attributes))
    monkeypatch.setattr(os, "getxattr", lambda _path, name, **_: attributes[name])
    (tmp_path / "root").mkdir()
    (tmp_path / "root/ping").write_text("")
    headers = members(tmp_path)["ping"].pax_headers
    kept = {name: value for name, value in headers.items() if name.startswith("SCHILY")}
    assert {name: value.encode("utf-8", "surrogateescape") for name, value in kept.items()} == {
        "SCHILY.xattr.security.capability": capability
    }


def test_sockets_are_left_out(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    os.mknod(root / "socket", stat.S_IFSOCK | 0o600)
    assert members(tmp_path) == {}
