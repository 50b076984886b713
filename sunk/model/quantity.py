"""Kubernetes quantities (``500m``, ``2Gi``) as exact numbers, and back.

Grammar: Kubernetes API reference, "Quantity". Kept here because Slurm counts in whole CPUs and MiB
and every conversion between the two must round the same way: down, so that Slurm never promises
more than the Pod has.
"""

from __future__ import annotations

import re
from fractions import Fraction

from sunk.errors import InputError

_SUFFIXES: dict[str, Fraction] = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "P": Fraction(10**15),
    "E": Fraction(10**18),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
    "Pi": Fraction(2**50),
    "Ei": Fraction(2**60),
}
_FORM = re.compile(
    r"(?P<number>[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30}))"
    r"(?:(?P<suffix>[KMGTPE]i|[numkMGTPE])|[eE](?P<exponent>[+-]?[0-9]{1,2}))?"
)
_MIB = 2**20


def parse_quantity(text: str) -> Fraction:
    """Return the exact value of a Kubernetes quantity, in its base unit (CPUs or bytes).

    Raises:
        InputError: the text is not a quantity, or is negative.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise InputError(
            f"read quantity {text!r}: not a number with an optional suffix",
            hint="write it like 500m, 2, 1.5Gi or 2000Mi",
        )
    value = Fraction(match["number"])
    if match["exponent"] is not None:
        value *= Fraction(10) ** int(match["exponent"])
    else:
        value *= _SUFFIXES[match["suffix"] or ""]
    if value < 0:
        raise InputError(f"read quantity {text!r}: resources are never negative")
    return value


def whole_cpus(text: str) -> int:
    """Return the CPUs of a quantity, rounded down to whole ones (``1500m`` is 1)."""
    return int(parse_quantity(text))


def whole_mib(text: str) -> int:
    """Return the MiB of a quantity of bytes, rounded down."""
    return int(parse_quantity(text) / _MIB)
