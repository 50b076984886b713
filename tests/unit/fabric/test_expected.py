from __future__ import annotations

import pytest

from sunk.errors import InputError
from sunk_fabric.expected import Expected, bandwidth_ceiling, pcie_gbit_per_s
from sunk_fabric.folder import read_expected
from sunk_fabric.limits import LIMITS
from tests.support.fabric_checks import FAIL, PASS, UNKNOWN, WARN
from tests.support.fabric_texts import text


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


RUN = text("perftest", "write-bw")


def slot(speed: str, width: str, rate: str = "400 Gb/sec (4X NDR)"):
    """Return a host's adapter mlx5_0 below one bridge, both of one speed and width."""
    ends = ("current", "max")
    values = {f"{end}_link_speed": f"{speed} GT/s PCIe" for end in ends}
    values |= {f"{end}_link_width": width for end in ends}
    path = [{"address": one, "values": values} for one in ("0000:9c:00.0", "0000:9b:00.0")]
    port = {"number": 1, "values": {"rate": rate}}
    return {"devices": [{"name": "mlx5_0", "pci": path, "ports": [port]}]}


@pytest.mark.parametrize(
    ("speed", "average", "verdict", "ceiling"),
    [
        ("32.0", b"393.48", PASS, "400 Gb/s x 4096/4122 = 397.5"),
        ("16.0", b"225.00", PASS, "PCIe 252 Gb/s x 0.9 = 226.9"),
        ("16.0", b"160.00", FAIL, "PCIe 252 Gb/s x 0.9 = 226.9"),
        ("16.0", b"393.48", UNKNOWN, "PCIe 252 Gb/s x 0.9 = 226.9"),
    ],
)
def test_pair_is_judged_by_what_the_slot_carries_too(speed, average, verdict, ceiling, check):
    files = {
        "gpu001/perftest.txt": RUN.replace(b"393.48", average),
        "gpu001/sysfs_rdma.json": slot(speed, "16"),
    }
    ((got, _, words),) = check("rdma.pair.bandwidth", files, Expected(port_gbit_per_s=400))
    assert (got, words.endswith(f"of {ceiling} Gb/s")) == (verdict, True)


@pytest.mark.parametrize(
    ("speed", "width", "expected", "verdict", "words"),
    [
        ("32.0", "16", Expected(), PASS, "links"),
        ("16.0", "16", Expected(), WARN, "links: 227 Gb/s at best, and the port has 400"),
        ("16.0", "16", Expected(port_gbit_per_s=200), PASS, "links"),
        (
            "32.0",
            "8",
            Expected(port_gbit_per_s=400),
            WARN,
            "227 Gb/s at best, and the port has 400",
        ),
    ],
)
def test_slot_that_cannot_carry_the_port_is_a_warning(
    speed, width, expected, verdict, words, check
):
    found = check("pcie.link.hca", {"gpu001/sysfs_rdma.json": slot(speed, width)}, expected)
    assert [(one[0], one[2].endswith(words)) for one in found] == [(verdict, True)]


def test_limits_of_a_site_win_and_are_named(check):
    site = Expected(port_gbit_per_s=400, thresholds={"rdma.pair.bandwidth": (0.6, 0.5)})
    files = {"gpu001/perftest.txt": RUN.replace(b"393.48", b"240.00")}
    ((verdict, _, words),) = check("rdma.pair.bandwidth", files, site)
    assert (verdict, words.rpartition("; ")[2]) == (PASS, "the site's file has 0.6 and 0.5")


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_every_limit_can_be_set(name, tmp_path):
    usual = LIMITS[name]
    file = tmp_path / "site.yaml"
    file.write_text(f"thresholds: {{{name}: [{usual.passing}, {min(usual.failing, 99)}]}}\n")
    assert read_expected(file).limit(name).words.startswith("; the site's file has ")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{pair.host.rate: [1, 0]}", "pair.host.rate has no limits to set; those that have: nccl"),
        ("{rdma.pair.bandwidth: [0.9, 0.95]}", "PASS wants more than FAIL, 0.9 and 0.95"),
        ("{nccl.mpi.latency: [10, 3]}", "PASS wants less than FAIL, 10 and 3"),
        ("{rdma.pair.bandwidth: [.nan, 0.9]}", "limits of rdma.pair.bandwidth are no numbers"),
        ("{rdma.pair.bandwidth: 0.9}", "Expected"),
    ],
)
def test_limits_that_are_none_are_refused(text, why, tmp_path):
    file = tmp_path / "site.yaml"
    file.write_text(f"thresholds: {text}\n")
    with pytest.raises(InputError, match=why):
        read_expected(file)
