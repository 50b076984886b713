from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk_fabric.collect.redact import MARK, redact
from tests.support.fabric_texts import fixtures

SECRET = "Xk7-q9Lm2pRt4vWz"
KEY = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\nQyNTUxOQAAACD\n"
    "-----END OPENSSH PRIVATE KEY-----"
)
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJyb290In0.c2lnbmF0dXJl"
SHOWN = (
    "password={}",
    "Password: {}",
    "db_password = '{}'",
    '{{"token": "{}", "port": 1}}',
    "SLURM_JWT_TOKEN={}",
    "Authorization: Bearer {}",
    "--password {} --verbose",
    "--db-password={}",
    "snmp-server community {} RO",
    "community: {}",
    "export AWS_SECRET_ACCESS_KEY={}",
    "api_key: {}",
    "https://admin:{}@registry.example/v2",
)
HARMLESS = (
    "CA 'mlx5_0'\n\tPort GUID: 0xa088c20300001001\n",
    "Mkey:............................0x0000000000000000\n",
    "PASS: 7 of 9\n",
    "pkey 0xffff\n",
    "the key of the room\n",
    "bypass=1 compass: north\n",
    '[{"ifname":"eth0","mtu":9000}]\n',
)


@pytest.mark.parametrize("shown", SHOWN)
def test_a_secret_is_taken_out_and_what_stands_around_it_stays(shown):
    assert redact(shown.format(SECRET).encode()) == (shown.format(MARK.decode()).encode(), 1)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text):
    assert redact(text.encode()) == (text.encode(), 0)


def test_texts_of_tools_stay_as_they_are():
    changed = [one.path for one in fixtures() if redact(one.content) != (one.content, 0)]
    assert changed == []


def test_a_private_key_is_taken_out_and_its_lines_stay_lines():
    text, count = redact(f"before\n{KEY}\nafter\n".encode())
    assert count == 1
    assert b"b3BlbnNz" not in text and b"QyNTUx" not in text
    assert text.count(b"\n") == f"before\n{KEY}\nafter\n".count("\n")
    assert text.startswith(b"before\n-----BEGIN") and text.endswith(b"-----\nafter\n")


def test_a_private_key_that_is_cut_off_is_taken_out_too():
    text, count = redact(KEY[:60].encode())
    assert (count, b"b3Blb" in text) == (1, False)


def test_tokens_and_management_keys_are_known_by_their_form():
    assert redact(f"found {TOKEN} here".encode()) == (b"found " + MARK + b" here", 1)
    assert redact(b"Mkey:....0x00a1b2c3d4e5f607\n") == (b"Mkey:...." + MARK + b"\n", 1)


TEXT = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from([one.format(SECRET).encode() for one in SHOWN]),
        st.sampled_from([KEY.encode(), TOKEN.encode(), b"\n", b" ", b"password", b"=", b":"]),
    ),
    max_size=8,
).map(b"".join)


@given(TEXT)
def test_lines_stay_lines_and_twice_is_once(text):
    once, _ = redact(text)
    assert once.count(b"\n") == text.count(b"\n")
    assert redact(once) == (once, 0)


@given(st.binary(max_size=30), st.sampled_from(SHOWN), st.binary(max_size=30))
def test_no_secret_survives_in_any_surroundings(before, shown, after):
    text, count = redact(before + b"\n" + shown.format(SECRET).encode() + b"\n" + after)
    assert SECRET.encode() not in text
    assert count >= 1


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "unit",
    [
        b"-----BEGIN PRIVATE KEY-----",
        b"-----BEGIN PRIVATE KEY-----\nA",
        b"eyJ-",
        b"eyJaaaaaaaa.",
        b"a://",
        b"a://b:c",
        b"--a-",
        b"-",
        b"password=",
        b"password ",
        b"snmp_",
        b"bearer ",
        b"m_key",
        b"mkey....",
        b"AKIA",
    ],
)
def test_hostile_repetition_costs_no_more_than_its_length(unit):
    redact(unit * (2_000_000 // len(unit)))
