"""JSON Web Tokens for slurmrestd (auth/jwt), made from the cluster's shared HS256 key.

Whoever has the key can be any user, so it stays with the bridge; people get tokens from
``scontrol token``. Claims: RFC 7519 and slurm.conf(5), AuthAltTypes: ``sun`` is the user.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from threading import Lock

from sunk.errors import ConfigError

KEY_BYTES_MIN = 32
"""Shortest key for HS256 (RFC 7518, 3.2)."""


def mint_token(key: bytes, *, user: str, lifetime_seconds: int, now_seconds: int) -> str:
    """Return a token that lets its bearer act as `user`.

    Args:
        key: content of the file that AuthAltParameters=jwt_key names.
        user: name of the user.
        lifetime_seconds: slurmctld refuses it after this long.
        now_seconds: seconds since the epoch.

    Raises:
        ConfigError: the key is too short.
    """
    if len(key) < KEY_BYTES_MIN:
        raise ConfigError(
            f"mint Slurm token: the key has {len(key)} bytes, HS256 needs {KEY_BYTES_MIN}",
            hint="make one with: dd if=/dev/urandom of=jwt_hs256.key bs=32 count=1",
        )
    header = _encode({"alg": "HS256", "typ": "JWT"})
    claims = _encode({"exp": now_seconds + lifetime_seconds, "iat": now_seconds, "sun": user})
    signed = header + b"." + claims
    return (signed + b"." + _base64(hmac.new(key, signed, hashlib.sha256).digest())).decode()


class TokenSource:
    """Mints tokens when asked and keeps each for half of its life; its repr shows no secret."""

    def __init__(
        self,
        key: bytes,
        *,
        user: str,
        lifetime_seconds: int = 600,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key = key
        self._user = user
        self._lifetime_seconds = lifetime_seconds
        self._clock = clock
        self._lock = Lock()
        self._token = ""
        self._renew_at = 0.0

    def __call__(self) -> str:
        """Return a token that is good for at least half of the lifetime."""
        with self._lock:
            now = self._clock()
            # A clock set back by more than half a life would otherwise leave a token in use
            # whose issue time lies in the future.
            stale = now >= self._renew_at or now < self._renew_at - self._lifetime_seconds
            if not self._token or stale:
                self._token = mint_token(
                    self._key,
                    user=self._user,
                    lifetime_seconds=self._lifetime_seconds,
                    now_seconds=int(now),
                )
                self._renew_at = now + self._lifetime_seconds / 2
            return self._token

    def __repr__(self) -> str:
        return f"TokenSource(user={self._user!r})"


def _encode(claims: dict[str, str | int]) -> bytes:
    return _base64(json.dumps(claims, separators=(",", ":"), sort_keys=True).encode())


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
