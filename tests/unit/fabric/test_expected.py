from __future__ import annotations

import pytest

from sunk_fabric.expected import bandwidth_ceiling, pcie_gbit_per_s


@pytest.mark.parametrize(
    ("rate", "mtu", "ethernet", "ceiling"),
    [
        (400, 4096, False, 397.5),
        (200, 4096, False, 198.7),
        (400, 4096, True, 392.2),
        (400, 1024, True, 370.3),
        (800, 4096, False, 795.0),
    ],
)
def test_ceiling_is_rate_without_headers(rate, mtu, ethernet, ceiling):
    found = bandwidth_ceiling(rate, mtu, ethernet=ethernet)
    assert found.gbit_per_s == pytest.approx(ceiling, abs=0.06)


def test_slot_that_is_narrower_than_the_port_is_the_ceiling():
    slot = pcie_gbit_per_s(16.0, 16)
    found = bandwidth_ceiling(400, 4096, ethernet=False, pcie_gbit_per_s=slot)
    assert (round(found.gbit_per_s), found.derivation) == (227, "PCIe 252 Gb/s x 0.9 = 226.9")


@pytest.mark.parametrize(
    ("speed", "width", "rate"), [(8.0, 16, 126.0), (16.0, 16, 252.1), (32.0, 16, 504.1)]
)
def test_pcie_rate_is_lanes_without_their_encoding(speed, width, rate):
    assert pcie_gbit_per_s(speed, width) == pytest.approx(rate, abs=0.1)


def test_unknown_speed_has_no_rate():
    assert pcie_gbit_per_s(7.0, 16) is None
