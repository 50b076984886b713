"""Prebuilt Kubernetes programs: only complete sets of the right version are taken."""

from pathlib import Path

import pytest

from sunk.errors import ConfigError
from sunk.local.software.gobuild import KUBE_PROGRAMS
from sunk.local.software.prebuilt import Prebuilt, find_prebuilt, read_answer


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def answering(folder: Path, version: str, names=KUBE_PROGRAMS) -> Path:
    for name in names:
        program(folder / name, f'echo "Kubernetes {version}"')
    return folder


def test_a_complete_set_on_path_is_taken(tmp_path):
    folder = answering(tmp_path / "bin", "v1.36.1")
    assert find_prebuilt(None, (folder,)) == Prebuilt(
        files=tuple((name, folder / name) for name in sorted(KUBE_PROGRAMS)), version="v1.36.1"
    )


def test_a_kubectl_of_another_version_on_path_is_never_taken(tmp_path):
    answering(tmp_path / "old", "v1.33.4", ["kubectl"])
    answering(tmp_path / "new", "v1.36.3")
    found = find_prebuilt(None, (tmp_path / "old", tmp_path / "new"))
    assert found == Prebuilt(
        reasons=(f"PATH: {tmp_path}/old/kubectl as kubectl answers v1.33.4, needs v1.36.x",)
    )


def test_a_kubectl_alone_is_no_reason_to_speak(tmp_path):
    answering(tmp_path, "v1.33.4", ["kubectl"])
    assert find_prebuilt(None, (tmp_path,)) == Prebuilt()


def test_an_incomplete_set_is_not_taken_and_says_what_lacks(tmp_path):
    answering(tmp_path, "v1.36.3", ["kubelet", "kube-proxy", "kubectl"])
    assert find_prebuilt(tmp_path, ()) == Prebuilt(
        reasons=("SUNK_KUBE_BIN has no kube-apiserver, kube-controller-manager, kube-scheduler",)
    )


def test_a_multi_call_file_is_asked_for_each_program(tmp_path):
    file = program(
        tmp_path / "kube", 'case "$1$2" in *--version|kubectlversion) echo v1.36.3;; esac'
    )
    found = find_prebuilt(file, ())
    assert found.multi_call
    assert found.version == "v1.36.3"
    assert found.files == tuple((name, file) for name in sorted(KUBE_PROGRAMS))


def test_a_multi_call_file_without_one_of_them_is_not_taken(tmp_path):
    file = program(tmp_path / "kube", '[ "$1" = kubelet ] && exit 2; echo v1.36.3')
    assert find_prebuilt(file, ()).reasons == (
        f"SUNK_KUBE_BIN: {file} as kubelet answers no version, needs v1.36.x",
    )


def test_the_next_minor_version_is_not_taken_for_a_patch_of_ours(tmp_path):
    assert find_prebuilt(answering(tmp_path, "v1.360.1"), ()).files == ()


def test_a_folder_that_is_not_there_is_a_wrong_setting(tmp_path):
    with pytest.raises(ConfigError, match=r"read SUNK_KUBE_BIN: .*/none does not exist"):
        find_prebuilt(tmp_path / "none", ())


def test_versions_are_found_in_both_forms_of_answer():
    assert read_answer("Kubernetes v1.36.3\n") == "v1.36.3"
    assert read_answer("Client Version: v1.36.3-rc.1\nKustomize Version: v5.8\n") == "v1.36.3-rc.1"
    assert read_answer("usage: kube\n") is None
