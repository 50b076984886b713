"""Clones of the image store: links for what never changes, copies for databases."""

import pytest

from sunk.errors import EnvironmentFault
from sunk.local.software.image_store import StoreTemplate, clone_store, containerd_config, databases

BLOB = "io.containerd.content.v1.content/blobs/sha256/aa"
FILE = "io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs/etc/passwd"
DECOY = "io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs/var/lib/some.db"
SNAPSHOTS = "io.containerd.snapshotter.v1.overlayfs/metadata.db"
METADATA = "io.containerd.metadata.v1.bolt/meta.db"


@pytest.fixture
def template(tmp_path):
    root = tmp_path / "template"
    for name in (BLOB, FILE, DECOY, SNAPSHOTS, METADATA):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / FILE).chmod(0o4755)
    (root / "io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs/link").symlink_to("/etc")
    return StoreTemplate(root=root, key="k")


def inode(path):
    return path.stat().st_ino


def test_a_clone_shares_blobs_and_snapshots_and_owns_its_databases(template, tmp_path):
    target = tmp_path / "node/containerd"
    clone_store(template, target)
    for name in (BLOB, FILE, DECOY):
        assert inode(target / name) == inode(template.root / name)
    for name in (SNAPSHOTS, METADATA):
        assert inode(target / name) != inode(template.root / name)
        assert (target / name).read_text() == name
    assert (target / FILE).stat().st_mode & 0o7777 == 0o4755
    assert (target / "io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs/link").is_symlink()


def test_writing_to_a_clones_database_leaves_the_template_alone(template, tmp_path):
    clone_store(template, tmp_path / "clone")
    with (tmp_path / "clone" / METADATA).open("r+") as database:
        database.write("changed in place")
    assert (template.root / METADATA).read_text() == METADATA


def test_only_the_plugins_own_databases_are_databases(template):
    assert databases(template.root) == [template.root / METADATA, template.root / SNAPSHOTS]


def test_a_clone_never_overwrites(template, tmp_path):
    (tmp_path / "clone").mkdir()
    with pytest.raises(EnvironmentFault, match="clone: it exists"):
        clone_store(template, tmp_path / "clone")


def test_what_an_interrupted_clone_left_is_replaced(template, tmp_path):
    (tmp_path / ".clone.partial/half").mkdir(parents=True)
    clone_store(template, tmp_path / "clone")
    assert not (tmp_path / "clone/half").exists()
    assert not (tmp_path / ".clone.partial").exists()


def test_the_importing_containerd_opens_nothing_outside_its_own_run_folder(tmp_path):
    text = containerd_config(tmp_path / 'with "quotes"')
    assert text.splitlines()[1] == f'root = "{tmp_path}/with \\"quotes\\""'
    assert 'address = "/run/sunk-import/containerd.sock"' in text
    assert '"io.containerd.grpc.v1.cri"' in text
    assert '"io.containerd.internal.v1.opt"' in text
