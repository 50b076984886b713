"""The images of the local cluster, each from its recipe to an OCI image layout in the cache."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sunk.local.software.cache import Cache, Entry, Hook, Say, content_key
from sunk.local.software.debian import Mirrors
from sunk.local.software.debrepo import machine_architecture, obtain_archive
from sunk.local.software.image_store import StoreTemplate, obtain_store
from sunk.local.software.layer import Layer, read_layer, write_layer
from sunk.local.software.oci import Image, ImageConfig, write_archive, write_layout
from sunk.local.software.rootfs import EPOCH_SECONDS, obtain_rootfs, read_recipe
from sunk.local.software.wheels import obtain_dependencies, obtain_toolkit

ROOTFS_IMAGES = ("bridge", "slurm")
"""Images that begin with Debian packages; their lists are downloaded together."""
EXTRAS: dict[str, tuple[str, ...]] = {"bridge": ("bridge",), "login": ()}
"""Images with our code, which change with every edit of this project, and its extras there."""
BASE_SUFFIX = "-base"
"""Images in the store that are those without our code; nobody runs them."""
LAYER_FORMAT = "1"
"""Part of the keys; to be changed with what `write_layer` writes."""
_REPOSITORY = "sunk.dev"
CONFIGS: dict[str, ImageConfig] = {
    "bridge": ImageConfig(
        title="sunk bridge between Slurm and Kubernetes",
        entrypoint=("/usr/bin/tini", "--", "/usr/local/bin/sunk"),
        user="64033:64033",
    ),
    "coredns": ImageConfig(title="CoreDNS", entrypoint=("/coredns",)),
    "login": ImageConfig(title="Slurm with the sunk job toolkit"),
    "pause": ImageConfig(
        title="first process of a Pod", entrypoint=("/pause",), user="65535:65535"
    ),
    "slurm": ImageConfig(title="Slurm daemons and clients, MariaDB, Open MPI"),
}
"""By name; the Containerfiles say the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What every step of the image builds needs.

    Attributes:
        cache: where results are kept.
        deploy: the folder deploy of this installation.
        project: checkout of this project.
        say: told what is done.
        hook: called meanwhile; raises to stop.
    """

    cache: Cache
    deploy: Path
    project: Path
    say: Say
    hook: Hook


def debian_archive(shop: Workshop, find: Callable[[], Mirrors]) -> Entry:
    """Return the archive with the packages of all images."""
    names: set[str] = set()
    for image in ROOTFS_IMAGES:
        names.update(read_recipe(shop.deploy / "images", image).packages)
    return obtain_archive(shop.cache, tuple(sorted(names)), find, say=shop.say, hook=shop.hook)


def base_layer(shop: Workshop, name: str, archive: Entry) -> tuple[Layer, Entry]:
    """Return layer and root file system (``root/``) of an image of Debian packages."""
    recipe = read_recipe(shop.deploy / "images", name)
    rootfs = obtain_rootfs(shop.cache, recipe, archive, say=shop.say, hook=shop.hook)

    def build(content: Path) -> None:
        shop.say("packing the layer")
        write_layer(rootfs.content / "root", content, epoch_seconds=EPOCH_SECONDS)

    entry = shop.cache.obtain(
        f"layer-{name}", content_key(rootfs.key, LAYER_FORMAT), build, say=shop.say, hook=shop.hook
    )
    return read_layer(entry.content), rootfs


def dependencies_layer(shop: Workshop, name: str, rootfs: Path) -> tuple[Layer, Entry]:
    """Return layer and tree of what our code needs in the image `name`: login or bridge.

    Args:
        shop: where it is built.
        name: of the image.
        rootfs: root file system with the images' Python.
    """
    venv = obtain_dependencies(
        shop.cache,
        shop.project,
        EXTRAS[name],
        machine_architecture(),
        rootfs,
        say=shop.say,
        hook=shop.hook,
    )

    def build(content: Path) -> None:
        shop.say("packing the layer")
        write_layer(venv.content / "tree", content, epoch_seconds=EPOCH_SECONDS)

    key = content_key(venv.kind, venv.key, LAYER_FORMAT)
    entry = shop.cache.obtain(f"layer-{venv.kind}", key, build, say=shop.say, hook=shop.hook)
    return read_layer(entry.content), venv


def toolkit_layer(shop: Workshop, rootfs: Path) -> tuple[Layer, Entry]:
    """Return the layer with our own code and the shell's completion, and the code's tree.

    Args:
        shop: where it is built.
        rootfs: root file system with the images' Python.
    """
    toolkit = obtain_toolkit(
        shop.cache, shop.project, machine_architecture(), rootfs, say=shop.say, hook=shop.hook
    )
    completion = shop.deploy / "images/login/sunk.bash-completion"
    key = content_key(toolkit.key, completion, LAYER_FORMAT)

    def build(content: Path) -> None:
        shop.say("packing our layer")
        tree = content / "tree"
        shutil.copytree(toolkit.content / "tree", tree, symlinks=True)
        target = tree / "usr/share/bash-completion/completions/sunk"
        target.parent.mkdir(parents=True)
        shutil.copyfile(completion, target)
        write_layer(tree, content, epoch_seconds=EPOCH_SECONDS)
        shutil.rmtree(tree)

    entry = shop.cache.obtain("layer-toolkit", key, build, say=shop.say, hook=shop.hook)
    return read_layer(entry.content), toolkit


def program_layer(shop: Workshop, program: Path, key: str) -> tuple[Layer, Entry]:
    """Return a layer with one static program in its root folder."""
    name = program.name

    def build(content: Path) -> None:
        tree = content / "tree"
        tree.mkdir()
        (tree / name).hardlink_to(program)
        write_layer(tree, content, epoch_seconds=EPOCH_SECONDS)
        shutil.rmtree(tree)

    entry = shop.cache.obtain(
        f"layer-{name}", content_key(key, LAYER_FORMAT), build, say=shop.say, hook=shop.hook
    )
    return read_layer(entry.content), entry


def make_image(shop: Workshop, name: str, layers: Sequence[Layer]) -> tuple[Image, Entry]:
    """Return the image of these layers."""
    config = CONFIGS.get(name, ImageConfig(title=name))
    architecture = machine_architecture()
    key = content_key(repr(config), architecture, *(layer.digest for layer in layers))

    def build(content: Path) -> None:
        layout = content / "layout"
        layout.mkdir()
        digest = write_layout(
            layout, layers, config, architecture=architecture, epoch_seconds=EPOCH_SECONDS
        )
        (content / "digest").write_text(f"{digest}\n")

    entry = shop.cache.obtain(f"image-{name}", key, build, say=shop.say, hook=shop.hook)
    image = Image(
        name=f"{_REPOSITORY}/{name}:local",
        layout=entry.content / "layout",
        digest=(entry.content / "digest").read_text().strip(),
    )
    return image, entry


def make_images(shop: Workshop, layers: Mapping[str, Sequence[Layer]]) -> list[Image]:
    """Return the images of these layers (lowest first), sorted by name."""
    return [make_image(shop, name, layers[name])[0] for name in sorted(layers)]


def layered_store(
    shop: Workshop, layers: Mapping[str, Sequence[Layer]]
) -> tuple[list[Image], StoreTemplate, Entry]:
    """Return all images and the containerd store that holds them.

    In two steps, so that an edit of our sources imports our own small layer only: first the
    images without our code, among them those with it less their last layer.

    Args:
        shop: where and how.
        layers: of each image, lowest first.
    """
    first = {name: stack for name, stack in layers.items() if name not in EXTRAS}
    first |= {f"{name}{BASE_SUFFIX}": layers[name][:-1] for name in EXTRAS}
    second = {name: layers[name] for name in EXTRAS}
    bases, ours = make_images(shop, first), make_images(shop, second)
    base, _ = obtain_store(shop.cache, bases, shop.deploy, say=shop.say, hook=shop.hook)
    template, entry = obtain_store(
        shop.cache, ours, shop.deploy, base=(base, bases), say=shop.say, hook=shop.hook
    )
    kept = [image for image in (*bases, *ours) if short_name(image) in layers]
    return sorted(kept, key=lambda image: image.name), template, entry


def short_name(image: Image) -> str:
    """Return ``slurm`` for ``sunk.dev/slurm:local``."""
    return image.name.rpartition("/")[2].partition(":")[0]


def export_images(images: Sequence[Image], folder: Path) -> tuple[Path, ...]:
    """Write each image as one OCI archive ``<name>.oci.tar`` into `folder`, sorted by name.

    For clusters that already exist: load them there, or push them with any OCI tool.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for image in sorted(images, key=lambda image: image.name):
        target = folder / f"{short_name(image)}.oci.tar"
        write_archive([image], target)
        written.append(target)
    return tuple(written)
