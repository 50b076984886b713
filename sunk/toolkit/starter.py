"""A job file to start from: every parameter of a template with its meaning; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator

import yaml
from pydantic.fields import FieldInfo

from sunk.toolkit.catalogue import Template
from sunk.toolkit.parameters import JobParameters

_ALWAYS = ("nodes", "time_limit")
"""What nearly every job sets."""
_WIDTH_CHARACTERS = 1000


def starter(template: Template) -> str:
    """Return a job file with comments; as it stands it means the template's defaults.

    What is the template's own is set; what all templates share stands in comments.
    """
    lines = [
        f"# {template.summary}",
        f"# template {template.name}; every line without its # says what it says with it",
        f"template: {template.name}",
    ]
    for name, field in template.form.model_fields.items():
        lines.append("")
        lines += _parameter(name, field, own=_is_own(name))
    return "\n".join(lines) + "\n"


def _is_own(name: str) -> bool:
    return name == "name" or name in _ALWAYS or name not in JobParameters.model_fields


def _parameter(name: str, field: FieldInfo, *, own: bool) -> Iterator[str]:
    value = field.get_default(call_default_factory=True)
    mark = "" if own and value is not None else "# "
    yield f"# {field.description}"
    yield f"{mark}{field.alias or name}: {_in_line(value)}"


def _in_line(value: object) -> str:
    """Return a value as YAML on one line; texts that could be read as something else in quotes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    text = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, width=_WIDTH_CHARACTERS, sort_keys=False
    )
    return text.removesuffix("...\n").strip()
