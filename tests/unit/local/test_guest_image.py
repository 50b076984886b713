from __future__ import annotations

import pytest

from sunk.errors import EnvironmentFault
from tests.support import guests
from tests.support.guest_image import require_versions

GOOD = """\
linux-image-amd64 6.12.118-1
perftest 25.01.0+0.80-1
qemu-system-x86 1:10.0.13+ds-0+deb13u1
"""


def test_packages_new_enough_are_taken():
    assert require_versions(GOOD)["qemu-system-x86"] == "1:10.0.13+ds-0+deb13u1"


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        (GOOD.replace("1:10.0.13", "1:7.2"), "qemu-system-x86 is 1:7.2+ds-0+deb13u1, and 8.0"),
        (GOOD.replace("perftest", "other"), "perftest is missing, and 4.5"),
    ],
)
def test_package_too_old_or_missing_is_named(listed, said):
    with pytest.raises(EnvironmentFault, match="make the image of the guests") as caught:
        require_versions(listed)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [("TUN", "absent", "modprobe tun, as root"), ("SSH", "none", "apt-get install openssh-client")],
)
def test_machine_without_what_guests_need_is_an_error_with_the_way_out(
    tmp_path, monkeypatch, name, value, hint
):
    there = tmp_path / "tun"
    there.touch()
    monkeypatch.setattr(guests, "TUN", there)
    if name == "TUN":
        monkeypatch.setattr(guests, "TUN", tmp_path / value)
    else:
        monkeypatch.setattr(guests.shutil, "which", lambda _name: None)
    with pytest.raises(EnvironmentFault, match="start guests") as caught:
        guests.require_machine()
    assert caught.value.hint == hint
