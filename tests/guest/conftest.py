"""Two running guests, shared by the layer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import sunk_jobs
from tests.support.cluster import local_settings, reporter
from tests.support.guest_image import obtain_guest_image
from tests.support.guests import NIC, Guests

JOBS = Path(sunk_jobs.__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def guests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guests]:
    image = obtain_guest_image(local_settings(), reporter())
    with Guests(image, tmp_path_factory.mktemp("guests"), JOBS) as running:
        for name in running.names:
            running.does(name, f"echo 2 > /sys/class/net/{NIC}/device/sriov_numvfs")
        yield running
