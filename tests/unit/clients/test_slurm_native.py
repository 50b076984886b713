"""Which pyslurm is used, and what its own words mean; the verbs are in tests/contract."""

from __future__ import annotations

import importlib
import importlib.metadata
from types import SimpleNamespace

import pytest

from sunk.clients.slurm.native import NativeSlurm, load
from sunk.errors import ConfigError, NotFound, Rejected
from sunk.model.slurm import NodeName


def refusal(monkeypatch: pytest.MonkeyPatch, pyslurm: str | None, slurm: str) -> ConfigError:
    def version(name: str) -> str:
        if pyslurm is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return pyslurm

    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.raises(ConfigError) as caught:
        load(lambda: slurm)
    return caught.value


def test_a_pyslurm_of_another_release_is_refused_with_both_versions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = refusal(monkeypatch, "25.11.2", "slurm 24.11.5\n")

    assert (said.message, said.hint) == (
        "use Slurm over libslurm: pyslurm 25.11.2 is for Slurm 25.11, and this Slurm is 24.11.5",
        "pip install 'pyslurm==24.11.*', or choose another client: --slurm-client rest, "
        "--slurm-client cli",
    )


def test_without_pyslurm_the_refusal_names_the_release_that_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = refusal(monkeypatch, None, "slurm 24.11.5\n")

    assert said.message == (
        "use Slurm over libslurm: pyslurm is not installed, and this Slurm is 24.11.5"
    )


def test_a_pyslurm_that_does_not_load_is_refused_with_the_linkers_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(name: str) -> None:
        raise ImportError("libslurm.so.42: cannot open shared object file")

    monkeypatch.setattr(importlib, "import_module", broken)

    said = refusal(monkeypatch, "24.11.0", "slurm 24.11.5\n")

    assert said.message == (
        "use Slurm over libslurm: pyslurm 24.11.0 does not load beside Slurm 24.11.5: "
        "libslurm.so.42: cannot open shared object file"
    )


class RPCError(Exception):
    def __init__(self, errno: int, message: str) -> None:
        super().__init__(message)
        self.errno = errno


def client_that_says(errno: int, message: str) -> NativeSlurm:
    def load_node(name: str) -> None:
        raise RPCError(errno, message)

    module = SimpleNamespace(Node=SimpleNamespace(load=load_node), RPCError=RPCError)
    return NativeSlurm(module, runner=None)  # type: ignore[arg-type]


def test_a_node_that_pyslurm_says_does_not_exist_is_not_found() -> None:
    with pytest.raises(NotFound, match="read node w9: there is none of that name"):
        client_that_says(-1, "Node 'w9' does not exist").node(NodeName("w9"))


def test_other_words_of_pyslurm_are_never_taken_for_absence() -> None:
    with pytest.raises(Rejected, match="read node w9: something else"):
        client_that_says(-1, "something else").node(NodeName("w9"))
