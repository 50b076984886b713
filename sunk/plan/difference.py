"""Whether an object is as an apply would leave it; pure.

The API server fills in defaults, so that what is there says more than what is applied: everything
that is applied has to be there, and more may be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def holds(there: Any, wanted: Any) -> bool:
    """Return whether everything in `wanted` is in `there` as well.

    Lists hold each other item by item: of those that we apply, none is added to by the server.
    """
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(
            key in there and holds(there[key], one) for key, one in wanted.items()
        )
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return (
            isinstance(there, Sequence)
            and not isinstance(there, str)
            and len(there) == len(wanted)
            and all(holds(mine, one) for mine, one in zip(there, wanted, strict=True))
        )
    return bool(there == wanted)
