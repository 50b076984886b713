"""Take secrets out of texts before they are kept; pure, over bytes.

What stands for a secret is `MARK`. Lines stay lines, and what was redacted once stays as it is.
"""

from __future__ import annotations

import re

MARK = b"[redacted]"
_WORDS = (
    rb"pass(?:word|wd|phrase)|secret|token|bearer|credential|auth[_-]?key|api[_-]?key|access[_-]?key"
    rb"|private[_-]?key|secret[_-]?key|license[_-]?key|community(?:[_-]?string)?|snmp[_-]?\w{0,20}auth"
)
_PATTERNS = (
    # A private key in PEM, whole; its last line may be cut off.
    re.compile(
        rb"(?P<keep>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----)"
        rb"(?P<drop>(?:[A-Za-z0-9+/=\s:,.\\]|-(?!-)){1,20000}+)(?=-----END|-{0,4}\Z)"
    ),
    # An HTTP header or what looks like one.
    re.compile(rb"(?i)(?P<keep>\b(?:bearer|basic) )(?P<drop>[A-Za-z0-9._~+/=-]{8,})"),
    # JSON Web Tokens, and access keys of the large clouds, wherever they stand.
    re.compile(rb"(?P<keep>)(?P<drop>(?<![\w-])eyJ[\w-]{8,4000}\.[\w-]{8,4000}\.[\w-]*)"),
    re.compile(rb"(?P<keep>)(?P<drop>\b(?:AKIA|ASIA)[A-Z0-9]{16}\b)"),
    # Name and password in an address.
    re.compile(rb"(?P<keep>\w://[^\s/:@]{0,80}:)(?P<drop>[^\s/@]{1,200})(?=@)"),
    # name = value, name: value, "name": "value", --name value; a name may have words before it.
    re.compile(
        rb"(?i)(?P<keep>(?:\b|_)(?:"
        + _WORDS
        + rb")[\"']?[ \t]{0,20}(?:[:=]|(?<=community) )[ \t]{0,20}"
        rb"[\"']?)(?P<drop>(?!\[redacted\])[^\s\"',;}&]{1,4000})"
    ),
    re.compile(
        rb"(?i)(?P<keep>(?<![\w-])--(?:\w{1,20}-){0,4}(?:" + _WORDS + rb")[ \t=]{1,4})"
        rb"(?P<drop>(?!\[redacted\]|-)[^\s\"',;}&]{1,4000})"
    ),
    # Keys that protect the management of InfiniBand; 0 means none is set.
    re.compile(
        rb"(?i)(?P<keep>\b(?:m|sm|sa|am|vs|cc|n2n)_?key[:.=\s]{1,60})(?P<drop>0x(?!0+\b)[0-9a-f]{1,16})\b"
    ),
)


def redact(text: bytes) -> tuple[bytes, int]:
    """Return a text without the secrets that it shows, and how many there were."""
    count = 0

    def masked(found: re.Match[bytes]) -> bytes:
        nonlocal count
        hidden = found["drop"]
        if MARK in hidden or not hidden.strip():
            return found[0]
        count += 1
        return found["keep"] + MARK + b"\n" * hidden.count(b"\n")

    for pattern in _PATTERNS:
        text = pattern.sub(masked, text)
    return text, count
