"""Our own wheel and its dependencies: keys, and which foreign wheels fit the images."""

import shutil
from pathlib import Path

import pytest

from sunk.errors import EnvironmentFault
from sunk.local.software.wheels import read_project, target_arguments, wheel_key
from sunk.resources import data_folder

ROOT = data_folder("deploy").parent


def test_the_login_node_does_not_get_what_talks_to_kubernetes():
    login = read_project(ROOT, ())
    bridge = read_project(ROOT, ("bridge",))
    only_bridge = set(bridge.requirements) - set(login.requirements)
    assert {line.split(">")[0] for line in only_bridge} >= {"kubernetes"}
    assert not any(line.startswith("kubernetes") for line in login.requirements)


def test_the_sources_are_what_the_wheel_is_made_of():
    names = {str(path.relative_to(ROOT)) for path in read_project(ROOT, ()).sources}
    assert {"sunk", "fabric/sunk_fabric", "jobs/sunk_jobs", "validation/sunk_validation"} <= names
    assert {"templates", "deploy", "README.md", "LICENSE"} <= names


def small_project(folder: Path) -> Path:
    for name in ("sunk", "fabric/sunk_fabric", "jobs/sunk_jobs", "validation/sunk_validation"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("")
    for name in ("templates", "deploy"):
        (folder / name).mkdir()
    for name in ("README.md", "LICENSE", "pyproject.toml"):
        shutil.copyfile(ROOT / name, folder / name)
    return folder


@pytest.mark.parametrize("edited", ["sunk/__init__.py", "templates/new.j2", "pyproject.toml"])
def test_an_edit_of_what_is_packaged_changes_the_wheels_key(tmp_path, edited):
    root = small_project(tmp_path)
    before = wheel_key(read_project(root, ()))
    with (root / edited).open("a") as file:
        file.write("\n# edited\n")
    assert wheel_key(read_project(root, ())) != before


@pytest.mark.parametrize("edited", ["tests/test_x.py", "notes.txt", "sunk/__pycache__/a.pyc"])
def test_an_edit_of_anything_else_does_not(tmp_path, edited):
    root = small_project(tmp_path)
    before = wheel_key(read_project(root, ()))
    (root / edited).parent.mkdir(exist_ok=True)
    (root / edited).write_text("x")
    assert wheel_key(read_project(root, ())) == before


def test_wheels_are_chosen_for_the_images_python_and_c_library():
    words = target_arguments("arm64")
    assert "--platform=manylinux_2_41_aarch64" in words
    assert "--platform=manylinux2014_aarch64" in words
    assert {"--python-version=3.13", "--abi=cp313", "--abi=abi3", "--abi=none"} <= set(words)
    assert words[-1] == "--only-binary=:all:"


def test_an_unknown_architecture_is_refused_with_the_known_ones():
    with pytest.raises(EnvironmentFault, match="no images for riscv64") as caught:
        target_arguments("riscv64")
    assert caught.value.hint == "use a machine of amd64 or arm64"


def test_an_installation_without_sources_is_told_where_to_run(tmp_path):
    with pytest.raises(EnvironmentFault, match=r"has no pyproject\.toml"):
        read_project(tmp_path, ())
