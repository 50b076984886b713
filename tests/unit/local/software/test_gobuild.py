"""Go programs: which Go will do, what is built with which flags, when it is built again."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.errors import CommandError, EnvironmentFault
from sunk.local.software import gobuild
from sunk.local.software.gobuild import (
    COREDNS,
    HELM,
    KUBE,
    PAUSE,
    GoToolchain,
    build_argv,
    count_packages,
    find_go,
    parse_go_version,
    program_key,
)
from sunk.resources import data_folder

LOCAL = data_folder("deploy") / "local"


@given(st.integers(1, 9), st.integers(0, 99), st.none() | st.integers(0, 30))
def test_the_version_of_go_is_read(major, minor, patch):
    text = f"go version go{major}.{minor}" + ("" if patch is None else f".{patch}")
    assert parse_go_version(f"{text} linux/amd64\n") == (major, minor, patch or 0)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.27rc1 linux/amd64", (1, 27, 0)),
        ("go version devel go1.28-5c9b1e2 Tue linux/arm64", (1, 28, 0)),
        ("go version go1.26.8 X:boringcrypto linux/amd64", (1, 26, 8)),
    ],
)
def test_unusual_versions_of_go_are_read(text, version):
    assert parse_go_version(text) == version


def test_something_else_called_go_is_refused():
    with pytest.raises(EnvironmentFault, match=r"'go, the board game 3\.2' is not one"):
        parse_go_version("go, the board game 3.2")


def fake_go(folder: Path, version: str) -> str:
    program = folder / "go"
    program.write_text(f"#!/bin/sh\necho go version {version} linux/amd64\n")
    program.chmod(0o755)
    return str(folder)


def test_an_old_go_is_refused_with_what_was_found_and_what_is_needed(tmp_path):
    with pytest.raises(EnvironmentFault) as caught:
        find_go(fake_go(tmp_path, "go1.19.8"))
    assert caught.value.message == (
        f"use {tmp_path}/go to build Kubernetes: found Go 1.19.8, needs 1.26 or newer"
    )
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(
        "install Go 1.26 or newer and put its bin folder first on PATH"
    )


def test_a_new_go_is_taken(tmp_path):
    found = find_go(fake_go(tmp_path, "go1.26.0"))
    assert found == GoToolchain(program=tmp_path / "go", version="go version go1.26.0 linux/amd64")


def test_no_go_at_all_is_an_error_that_says_what_to_install(tmp_path):
    with pytest.raises(EnvironmentFault, match=r"find Go 1\.26 to build Kubernetes: no go on PATH"):
        find_go(str(tmp_path))


def test_programs_are_static_reproducible_and_know_their_version():
    assert build_argv(Path("/go"), HELM, Path("/out/helm")) == [
        *("/go", "build", "-v", "-trimpath", "-buildvcs=false", "-mod=readonly"),
        *("-ldflags", "-s -w -X helm.sh/helm/v4/internal/version.version=v4.3.1"),
        *("-o", "/out/helm", "helm.sh/helm/v4/cmd/helm"),
    ]
    assert gobuild._FIXED["CGO_ENABLED"] == "0"


@pytest.mark.parametrize(
    ("program", "module", "version"),
    [
        (KUBE, "k8s.io/kubernetes", gobuild.KUBE_VERSION),
        (HELM, "helm.sh/helm/v4", gobuild.HELM_VERSION),
        (COREDNS, "github.com/coredns/coredns", "v1.14.7"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_pins_in_go_mod_are_the_versions_that_programs_call_themselves(program, module, version):
    text = (LOCAL / program.folder / "go.mod").read_text()
    assert f"{module} {version}" in text
    assert f"{module} {version} h1:" in (LOCAL / program.folder / "go.sum").read_text()


@pytest.mark.parametrize("program", [KUBE, HELM, COREDNS, PAUSE], ids=lambda p: p.name)
def test_every_module_asks_for_the_go_that_is_checked_for(program):
    lines = (LOCAL / program.folder / "go.mod").read_text().splitlines()
    least = ".".join(str(number) for number in gobuild.LEAST_GO)
    assert f"go {least}.0" in lines


def test_a_key_changes_with_sources_pins_flags_and_go(tmp_path):
    (tmp_path / "go.mod").write_text("module x\n")
    (tmp_path / "main.go").write_text("package main\n")
    go = GoToolchain(program=Path("/go"), version="go version go1.26.0")
    keys = [program_key(go, PAUSE, tmp_path)]
    moved = GoToolchain(program=Path("/elsewhere/go"), version=go.version)
    assert program_key(moved, PAUSE, tmp_path) == keys[0]
    keys.append(program_key(GoToolchain(program=Path("/go"), version="other"), PAUSE, tmp_path))
    keys.append(program_key(go, HELM, tmp_path))
    (tmp_path / "main_test.go").write_text("package main // tests are not built\n")
    assert program_key(go, PAUSE, tmp_path) == keys[0]
    (tmp_path / "main.go").write_text("package main // changed\n")
    keys.append(program_key(go, PAUSE, tmp_path))
    (tmp_path / "go.sum").write_text("")
    keys.append(program_key(go, PAUSE, tmp_path))
    assert len(set(keys)) == 5


def test_only_package_lines_of_the_log_are_counted(tmp_path):
    log = tmp_path / "log"
    log.write_text("go: downloading example.org/m v1.0.0\nfmt\nk8s.io/api/core/v1\n# warning\n")
    assert count_packages(log) == 2


def test_a_module_that_cannot_be_had_is_named():
    output = (
        'main.go:4:2: github.com/spf13/cobra@v1.10.2: Get "https://proxy.example/x": '
        "dial tcp: lookup proxy.example: no such host"
    )
    error = gobuild._explained(KUBE, CommandError("run go", output=output))
    assert isinstance(error, EnvironmentFault)
    assert error.message == ("download Go module github.com/spf13/cobra@v1.10.2 for kube: dial tcp")


def test_a_module_named_on_the_line_before_is_named():
    output = "go: downloading helm.sh/helm/v4 v4.3.1\nmodule lookup disabled by GOPROXY=off"
    error = gobuild._explained(HELM, CommandError("run go", output=output))
    assert error.message == (
        "download Go module helm.sh/helm/v4@v4.3.1 for helm: disabled by GOPROXY=off"
    )


def test_a_compile_error_stays_what_it_is():
    error = CommandError("run go", output="./main.go:3:1: undefined: x")
    assert gobuild._explained(KUBE, error) is error
