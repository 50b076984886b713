"""Recipes of the images, and Containerfiles that say the same."""

import json
import re
from pathlib import Path

import pytest

from sunk.local.software.cache import Entry
from sunk.local.software.gobuild import COREDNS, PAUSE, build_argv
from sunk.local.software.images import CONFIGS, ROOTFS_IMAGES
from sunk.local.software.rootfs import mmdebstrap_argv, read_recipe, rootfs_key
from sunk.local.software.wheels import PYTHON
from sunk.resources import data_folder
from sunk.wellknown import SLURM_UID

IMAGES = data_folder("deploy") / "images"


def instructions(name):
    """A Containerfile as (instruction, words) with continued lines joined."""
    text = (IMAGES / name / "Containerfile").read_text().replace("\\\n", "")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(" ".join(line.split()).split(" ", 1)) for line in lines]


def values(name, instruction):
    return [rest for word, rest in instructions(name) if word == instruction]


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_a_containerfile_ends_with_the_configuration_of_the_build(name):
    config = CONFIGS[name]
    assert values(name, "ENV") == list(config.env)
    assert values(name, "USER") == ([config.user] if config.user else [])
    entrypoints = [tuple(json.loads(text)) for text in values(name, "ENTRYPOINT")]
    assert entrypoints == ([config.entrypoint] if config.entrypoint else [])
    assert values(name, "LABEL") == [f'org.opencontainers.image.title="{config.title}"']


@pytest.mark.parametrize("name", ROOTFS_IMAGES)
def test_a_containerfile_uses_the_recipes_files_in_the_builds_order(name):
    recipe = read_recipe(IMAGES, name)
    copied = re.findall(r"deploy/images/(\S+)", " ".join(values(name, "COPY")))
    used = [recipe.users, recipe.finish, *recipe.excludes, IMAGES / name / "packages.txt"]
    wanted = {str(path.relative_to(IMAGES)) for path in used}
    assert set(copied) - {"login/sunk.bash-completion"} == wanted
    steps = [step.strip() for step in values(name, "RUN")[0].split("&&")]
    assert steps == [
        "sh /build/users.sh",
        "apt-get update",
        "sed 's/#.*//' /build/packages.txt | DEBIAN_FRONTEND=noninteractive xargs apt-get "
        "install -y --no-install-recommends",
        "sh /build/finish.sh",
        "rm -r /build",
    ]
    excludes = [rest for rest in values(name, "COPY") if "excludes.cfg" in rest]
    assert len(excludes) == len(recipe.excludes)
    assert all(rest.split()[1].startswith("/etc/dpkg/dpkg.cfg.d/sunk-") for rest in excludes)


@pytest.mark.parametrize("program", [PAUSE, COREDNS], ids=lambda program: program.name)
def test_a_containerfile_builds_go_programs_with_the_builds_flags(program):
    argv = build_argv(Path("go"), program, Path(f"/{program.name}"))
    flags = " ".join(word if " " not in word else f'"{word}"' for word in argv if word != "-v")
    (run,) = values(program.name, "RUN")
    assert run == f"cd /source && CGO_ENABLED=0 {flags}"


@pytest.mark.parametrize(("name", "extra"), [("login", ""), ("bridge", "[bridge]")])
def test_a_containerfile_installs_this_project_as_the_build_does(name, extra):
    run = next(text for text in values(name, "RUN") if "/opt/sunk/bin/pip install" in text)
    assert f"-c /source/constraints.txt '/source{extra}'" in run
    assert "--no-compile" in run
    assert any(text.startswith(f"python:{PYTHON}-slim-trixie") for text in values(name, "FROM"))


@pytest.mark.parametrize("name", ROOTFS_IMAGES)
def test_package_lists_have_no_package_twice(name):
    packages = read_recipe(IMAGES, name).packages
    assert len(packages) == len(set(packages))


def test_fixed_ids_are_all_different_and_not_slurms():
    text = (IMAGES / "common/users.sh").read_text()
    ids = [int(number) for number in re.findall(r"^add \S+ (\d+)", text, re.MULTILINE)]
    assert len(ids) == len(set(ids)) == 3
    assert SLURM_UID not in ids


def test_the_build_installs_the_list_from_the_cached_archive_only():
    recipe = read_recipe(IMAGES, "bridge")
    argv = mmdebstrap_argv(recipe, Path("/a b"), Path("/users.sh"), Path("/root"))
    assert argv[-3:] == ["trixie", "/root", "deb [trusted=yes] copy:/a%20b ./"]
    assert "--include=ca-certificates,passwd,python3,tini" in argv
    assert "--essential-hook=/users.sh" in argv
    assert "--dpkgopt=path-exclude=/usr/share/man/*" in argv
    assert not any("#" in word for word in argv)


def test_a_root_file_systems_key_changes_with_its_packages_lists_and_scripts(tmp_path):
    (tmp_path / "archive").mkdir()
    index = tmp_path / "archive/Packages"
    index.write_text("Package: a\nVersion: 1\n")
    archive = Entry(kind="debian-archive", key="k", content=tmp_path / "archive")
    keys = []
    for name in ("bridge", "slurm"):
        keys.append(rootfs_key(read_recipe(IMAGES, name), archive))
    index.write_text("Package: a\nVersion: 2\n")
    keys.append(rootfs_key(read_recipe(IMAGES, "bridge"), archive))
    shutil_copy = tmp_path / "images"
    for source in IMAGES.rglob("*"):
        if source.is_file():
            target = shutil_copy / source.relative_to(IMAGES)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    for file in ("common/finish.sh", "common/users.sh", "common/excludes.cfg"):
        with (shutil_copy / file).open("a") as sink:
            sink.write("path-exclude=/x\n")
        keys.append(rootfs_key(read_recipe(shutil_copy, "bridge"), archive))
    assert len(set(keys)) == len(keys) == 6
