from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from sunk.clients.known_hosts import Trust, entry_name, read
from sunk.errors import ConfigError

KIND = "ssh-ed25519"
KEY, OTHER = "AAAAkey", "AAAAother"


def hashed(name: str) -> str:
    salt = b"0123456789abcdefghij"
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.fixture
def known(tmp_path):
    def made(*lines: str):
        file = tmp_path / "known_hosts"
        file.write_text("".join(f"{one}\n" for one in lines))
        return read([file])

    return made


@pytest.mark.parametrize(
    ("line", "host", "port"),
    [
        (f"gpu1 {KIND} {KEY}", "gpu1", 22),
        (f"gpu1,10.0.0.1 {KIND} {KEY} a remark", "10.0.0.1", 22),
        (f"[gpu1]:2222 {KIND} {KEY}", "gpu1", 2222),
        (f"gpu* {KIND} {KEY}", "gpu17", 22),
        (f"gpu? {KIND} {KEY}", "gpu1", 22),
        (f"[gpu*]:2222 {KIND} {KEY}", "gpu17", 2222),
        (f"{hashed('gpu1')} {KIND} {KEY}", "gpu1", 22),
        (f"fd77::1 {KIND} {KEY}", "fd77::1", 22),
        (f"[fd77::1]:2222 {KIND} {KEY}", "fd77::1", 2222),
        (f"{hashed('[gpu1]:2222')}\t{KIND}  {KEY}", "gpu1", 2222),
    ],
)
def test_a_key_of_a_file_is_known(known, line, host, port):
    found = known("# a remark", "", line)
    assert found.trust(host, port, KIND, KEY) is Trust.KNOWN
    assert found.kinds(host, port) == (KIND,)


@pytest.mark.parametrize(
    ("line", "host", "port"),
    [
        (f"gpu1 {KIND} {KEY}", "gpu2", 22),
        (f"gpu1 {KIND} {KEY}", "gpu1", 2222),
        (f"[gpu1]:2222 {KIND} {KEY}", "gpu1", 22),
        (f"gpu*,!gpu1 {KIND} {KEY}", "gpu1", 22),
        (f"@cert-authority * {KIND} {KEY}", "gpu1", 22),
        (f"{hashed('gpu1')} {KIND} {KEY}", "gpu2", 22),
        (f"|1|damaged {KIND} {KEY}", "gpu1", 22),
        (f"gpu1 {KIND}", "gpu1", 22),
    ],
)
def test_a_key_of_another_host_is_unknown(known, line, host, port):
    assert known(line).trust(host, port, KIND, KEY) is Trust.UNKNOWN


def test_another_key_than_the_known_one_is_changed_also_of_another_kind(known):
    found = known(f"gpu1 {KIND} {KEY}")
    assert found.trust("gpu1", 22, KIND, OTHER) is Trust.CHANGED
    assert found.trust("gpu1", 22, "ssh-rsa", KEY) is Trust.CHANGED


def test_one_of_several_keys_is_enough(known):
    found = known(f"gpu1 {KIND} {KEY}", f"gpu1 ssh-rsa {OTHER}", f"gpu1 {KIND} {OTHER}")
    assert found.trust("gpu1", 22, KIND, OTHER) is Trust.KNOWN
    assert found.kinds("gpu1", 22) == (KIND, "ssh-rsa")


def test_a_revoked_key_is_never_good(known):
    found = known(f"gpu1 {KIND} {KEY}", f"@revoked * {KIND} {KEY}")
    assert found.trust("gpu1", 22, KIND, KEY) is Trust.REVOKED


@pytest.mark.parametrize("names", ["gpu1", "gpu*", hashed("gpu1"), "other,gpu1"])
def test_a_revoked_key_is_refused_whatever_else_makes_it_good(known, names):
    found = known(f"@revoked {names} {KIND} {KEY}", f"gpu1 {KIND} {KEY}", f"* {KIND} {KEY}")
    assert found.trust("gpu1", 22, KIND, KEY) is Trust.REVOKED


def test_an_authority_makes_no_key_good_and_is_known_of(known):
    found = known(f"@cert-authority *.lab,[gpu*]:2222 {KIND} {KEY}")
    assert found.trust("a.lab", 22, KIND, KEY) is Trust.UNKNOWN
    asked = (("a.lab", 22), ("gpu1", 2222), ("gpu1", 22))
    assert [found.has_authority(*one) for one in asked] == [True, True, False]
    assert found.kinds("a.lab", 22) == ()


def test_a_file_that_is_not_there_has_no_keys_and_one_that_is_a_folder_is_told(tmp_path):
    assert read([tmp_path / "none"]).trust("gpu1", 22, KIND, KEY) is Trust.UNKNOWN
    with pytest.raises(ConfigError, match="Is a directory"):
        read([tmp_path])


def test_names_are_written_as_openssh_writes_them():
    assert (entry_name("a", 22), entry_name("a", 23)) == ("a", "[a]:23")
