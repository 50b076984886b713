"""The implementations that the contract suite runs over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.slurm_harness import (
    CliHarness,
    Harness,
    MemoryHarness,
    NativeHarness,
    RestHarness,
)

REAL = {"rest": RestHarness, "cli": CliHarness, "native-stand-in": NativeHarness}


@pytest.fixture(params=["memory", *(pytest.param(name, marks=pytest.mark.real) for name in REAL)])
def slurm(request: pytest.FixtureRequest) -> Iterator[Harness]:
    """A Slurm with three idle nodes, no live job, and `alice` who may submit."""
    if request.param == "memory":
        yield MemoryHarness()
        return
    harness = REAL[request.param](request.getfixturevalue("slurm_namespace"))
    try:
        harness.tidy()
        yield harness
    finally:
        harness.close()
