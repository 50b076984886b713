"""Lists of Kubernetes objects, as the API server or ``kubectl get -o json`` give them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from sunk_fabric.parse import json_text
from sunk_fabric.parse.text import Content, Parsed, printable

T = TypeVar("T")


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What every object has.

    Attributes:
        name: its name.
        namespace: its namespace; empty for objects of the whole cluster.
        labels: by name.
        annotations: by name.
    """

    name: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class _List(msgspec.Struct, frozen=True, kw_only=True):
    kind: str = ""
    items: tuple[dict[str, Any], ...] | None = None


def decode(content: Content, form: type[T], kind: str) -> Parsed[tuple[T, ...]]:
    """Return the objects of a list, or the one object.

    An API server's list leaves out the kind of its items and is called after it,
    ``SriovNetworkNodePolicyList``; kubectl's is a ``List`` of objects that have theirs.

    Args:
        content: the text.
        form: the type of the objects; keys that it lacks are ignored.
        kind: which objects it must be about.
    """
    whole = content if isinstance(content, bytes) else b"".join(content)
    head = json_text.decode(whole, _List, _List(items=()))
    damage = list(head.damage)
    if head.value.items is None:
        one = json_text.decode(whole, dict[str, Any], {})
        damage += one.damage
        items: Iterable[dict[str, Any]] = (one.value,)
    else:
        items = head.value.items
    default = kind if head.value.kind == f"{kind}List" else ""
    found: list[T] = []
    foreign = False
    for item in items:
        if item.get("kind", default) != kind:
            foreign = True
            continue
        _take(item, form, found.append, damage.append)
    if foreign:
        damage.append(f"an object is of another kind than {kind}")
    return Parsed(
        value=tuple(found), lines=head.lines, unknown=0, quoted=(), damage=tuple(damage[:5])
    )


def _take(
    item: dict[str, Any], form: type[T], keep: Callable[[T], None], tell: Callable[[str], None]
) -> None:
    try:
        keep(msgspec.convert(item, form))
    except (msgspec.MsgspecError, RecursionError, ValueError) as exc:
        tell(f"an object is not as it should be: {printable(str(exc))}")
