"""One rule that parameters break: field, value, limit, who says so, and what would do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sunk.errors import InputError, clip


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One rule that parameters break.

    Attributes:
        field: the parameter, as in a job file.
        value: what it is.
        limit: what it has to be.
        source: who says so.
        nearest: the nearest value that would do, in words where there is none.
    """

    field: str
    value: object
    limit: str
    source: str
    nearest: object

    def words(self) -> str:
        """Return it as one clause of a message."""
        value = clip(repr(self.value), 60)
        return (
            f"{self.field}: {value}: {self.limit} (source: {self.source}; nearest: {self.nearest})"
        )


def refuse(breaches: Iterable[Breach], doing: str) -> None:
    """Raise one error for all broken rules, if there are any.

    Args:
        breaches: the rules.
        doing: what was tried, the begin of the message.

    Raises:
        InputError: lists them.
    """
    if words := [one.words() for one in breaches]:
        raise InputError(f"{doing}: " + "; ".join(words))
