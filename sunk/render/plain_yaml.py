"""YAML without its surprises: what looks like text is text, and nothing is read twice.

PyYAML follows YAML 1.1, where ``yes`` is a truth, ``1:30:00`` a number, ``2026-01-01`` a date and
the last of two equal keys wins silently. Here plain scalars follow YAML 1.2's core schema without
octal and hexadecimal, equal keys and non-text keys are errors, and so are anchors, with which a
short file can describe a huge one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import yaml

from sunk.errors import InputError, clip

_SCALARS = (
    ("tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    ("tag:yaml.org,2002:int", re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})$"), list("-+0123456789")),
    (
        "tag:yaml.org,2002:float",
        re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?$"),
        list("-+.0123456789"),
    ),
)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the rules above."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - PyYAML's own class attribute

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse anchors and aliases."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise yaml.constructor.ConstructorError(
                None, None, "anchors and aliases are not used here", event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        """Refuse equal keys and keys that are not text."""
        if not isinstance(node, yaml.MappingNode):
            raise yaml.constructor.ConstructorError(
                None, None, "a mapping was expected", node.start_mark
            )
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, "keys are text: put it in quotes", key_node.start_mark
                )
            if key in result:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} stands here twice", key_node.start_mark
                )
            result[key] = self.construct_object(value_node, deep=deep)
        return result


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, also quoting what our own loader would not take for text."""

    def ignore_aliases(self, _data: object) -> bool:
        """Write equal objects out each time, because the loader takes no aliases."""
        return True


for _tag, _form, _first in _SCALARS:
    _Loader.add_implicit_resolver(_tag, _form, _first)
    _Dumper.add_implicit_resolver(_tag, _form, _first)


def load_documents(text: str) -> list[object]:
    """Return the documents of a YAML text.

    Raises:
        yaml.YAMLError: the text is not YAML of this form; most carry ``problem_mark``.
        RecursionError: it is nested too deeply.
    """
    return list(yaml.load_all(text, Loader=_Loader))


def read_documents(
    text: str,
    source: str,
    *,
    hint: str | None = None,
    load: Callable[[str], list[object]] = load_documents,
) -> list[object]:
    """Return the documents of a text that somebody wrote.

    Args:
        text: the YAML.
        source: names it in errors.
        hint: what to do about a fault.
        load: reads it; raises what `load_documents` does, or `ValueError`.

    Raises:
        InputError: it is no YAML of this form; names the source, line and column and the cause.
    """
    try:
        return load(text)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        cause = getattr(exc, "problem", None) or str(exc)
        raise InputError(f"read {source}{where}: {clip(str(cause))}", hint=hint) from exc
    except RecursionError as exc:
        raise InputError(f"read {source}: nested too deeply", hint=hint) from exc
    except ValueError as exc:
        raise InputError(f"read {source}: {clip(str(exc))}", hint=hint) from exc


def dump_documents(documents: Iterable[object]) -> str:
    """Return documents as YAML, keys in the given order, safe for YAML 1.1 readers as well."""
    return yaml.dump_all(
        documents,
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=False,
        explicit_start=True,
        width=10_000,
    )
