from __future__ import annotations

import base64
import hashlib
import hmac
import json

from hypothesis import given
from hypothesis import strategies as st

from sunk.clients.slurm.token import TokenSource, mint_token


def parts(token: str) -> tuple[dict, dict, bytes, bytes]:
    def raw(text: str) -> bytes:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    header, claims, signature = token.split(".")
    return (
        json.loads(raw(header)),
        json.loads(raw(claims)),
        raw(signature),
        f"{header}.{claims}".encode(),
    )


@given(key=st.binary(min_size=32, max_size=64), user=st.text(min_size=1, max_size=20))
def test_token_says_who_and_until_when_and_is_signed(key, user):
    token = mint_token(key, user=user, lifetime_seconds=60, now_seconds=1000)
    header, claims, signature, signed = parts(token)
    assert header == {"alg": "HS256", "typ": "JWT"}
    assert claims == {"sun": user, "iat": 1000, "exp": 1060}
    assert hmac.compare_digest(signature, hmac.new(key, signed, hashlib.sha256).digest())


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_token_is_kept_for_half_its_life_and_then_renewed():
    clock = Clock()
    source = TokenSource(b"k" * 32, user="root", lifetime_seconds=100, clock=clock)
    first = source()
    clock.now += 49
    assert source() == first
    clock.now += 2
    assert source() != first


def test_clock_set_back_far_renews_the_token():
    clock = Clock()
    source = TokenSource(b"k" * 32, user="root", lifetime_seconds=100, clock=clock)
    first = source()
    clock.now -= 500
    assert source() != first


def test_repr_shows_no_secret():
    source = TokenSource(b"k" * 32, user="root")
    assert source().split(".")[2] not in repr(source)
    assert "kkk" not in repr(source)
