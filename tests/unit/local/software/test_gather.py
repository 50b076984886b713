"""What is checked before any work, and finding an image."""

import os
from pathlib import Path

import pytest

from sunk.errors import ConfigError, EnvironmentFault, InputError
from sunk.local.software import requirements
from sunk.local.software.gather import (
    KubePrograms,
    Software,
    SoftwareOptions,
    ensure_software,
)
from sunk.local.software.image_store import StoreTemplate
from sunk.local.software.oci import Image
from sunk.local.software.requirements import check_space, make_folder
from sunk.progress import Silent


class Disk:
    free = 1.5 * 2**30


@pytest.mark.parametrize(("empty", "needed"), [(True, 12), (False, 2)])
def test_too_little_space_names_folder_free_and_needed(monkeypatch, tmp_path, empty, needed):
    monkeypatch.setattr(requirements.shutil, "disk_usage", lambda _folder: Disk)
    with pytest.raises(EnvironmentFault) as caught:
        check_space(tmp_path, empty=empty)
    assert caught.value.message == (
        f"build the local cluster's software in {tmp_path}: 1.5 GiB free, needs {needed} GiB"
    )


def test_without_root_nothing_is_made(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(EnvironmentFault, match=r"needs root .* and this is user id 1000"):
        ensure_software(tmp_path / "cache", SoftwareOptions(), Silent())
    assert not (tmp_path / "cache").exists()


def test_without_go_nothing_is_made(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFault, match="no go on PATH"):
        ensure_software(tmp_path / "cache", SoftwareOptions(), Silent())
    assert not (tmp_path / "cache").exists()


def test_wrong_kube_bin_is_said_before_anything_is_made(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho go version go1.26.8 linux/amd64\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    options = SoftwareOptions(kube_bin=tmp_path / "none")
    with pytest.raises(ConfigError, match=r"read SUNK_KUBE_BIN: .*/none does not exist"):
        ensure_software(tmp_path / "cache", options, Silent())
    assert not (tmp_path / "cache").exists()


def test_folder_below_a_file_is_a_wrong_setting_that_names_the_option(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError) as caught:
        make_folder(tmp_path / "file" / "cache", "--cache-dir")
    assert caught.value.message == f"make folder {tmp_path}/file/cache: Not a directory"
    assert caught.value.hint == "choose another one with --cache-dir"


def test_an_image_is_found_by_its_short_name_and_an_unknown_one_lists_the_names():
    nowhere = Path("/nowhere")
    paths = dict.fromkeys(KubePrograms.__dataclass_fields__, nowhere)
    image = Image(name="sunk.dev/slurm:local", layout=nowhere, digest="sha256:aa")
    all_of_it = Software(
        kube=KubePrograms(**{**paths, "version": "v1.36.3"}),
        coredns=nowhere,
        helm=nowhere,
        images=(image,),
        slurm_rootfs=nowhere,
        store=StoreTemplate(root=nowhere, key="k"),
    )
    assert all_of_it.image("slurm") is image
    with pytest.raises(InputError) as caught:
        all_of_it.image("slrm")
    assert caught.value.hint == "choose one of sunk.dev/slurm:local"
