"""Collecting over real sshd: many names, some dead in every way that hosts are."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ssh_site import SshSite, site

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

SUNK = str(Path(sys.executable).parent / "sunk")


@pytest.fixture(scope="module")
def small(slurm_rootfs, tmp_path_factory) -> Iterator[SshSite]:
    """A fixed sample of the large site: 10 sshd, 60 names, each way to be dead once."""
    folder = tmp_path_factory.mktemp("fleet")
    with site(slurm_rootfs, folder, sshd=10, names=60, dead_of_each=1) as made:
        yield made


def test_every_host_gets_its_outcome_and_no_other(small, tmp_path):
    done = small.collect(tmp_path / "out", "--output", "json")
    assert done.returncode == 4, done.stderr
    told = json.loads(done.stdout)
    found = {one["host"]: (one["outcome"], one["reason"]) for one in told["hosts"]}
    assert found == small.expected
    assert told["counts"] == Counter(outcome for outcome, _ in small.expected.values())
