"""Read parameters; what is wrong with them becomes one error that says what would do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sunk.errors import InputError, clip
from sunk.toolkit.parameters.base import NOT_SHOWN, JobParameters, holds_secret, texts_in
from sunk.toolkit.parameters.breach import refuse
from sunk.toolkit.parameters.kinds import in_words

_OF_THE_TEMPLATE = "the template's form"
_OF_A_KEY = "[key]"
"""pydantic's last step to the key of a mapping; the key itself stands before it."""
_MEMORY = re.compile(r"(?P<number>\d+)\s*(?P<unit>[KMGT])i?B?", re.IGNORECASE)
_SPAN = re.compile(r"(?P<number>\d+)\s*(?P<unit>[smhd])", re.IGNORECASE)


_P = TypeVar("_P", bound=JobParameters)


def validated(form: type[_P], values: Mapping[str, Any], origin: str) -> _P:
    """Return the parameters, or one error that lists everything wrong with them.

    Raises:
        InputError: names each field, its value, what is allowed, who says so, and what would do.
    """
    try:
        parameters = form.model_validate(dict(values))
    except ValidationError as exc:
        faults = [_fault(form, error) for error in exc.errors()]
        raise InputError(f"read {origin}: " + "; ".join(faults), hint=_hint(form, exc)) from exc
    refuse(parameters.breaches(), f"read {origin}")
    return parameters


def _fault(form: type[BaseModel], error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"] if part != _OF_A_KEY)
    if error["type"] == "extra_forbidden":
        return f"{place}: no such parameter"
    if error["type"] == "missing":
        return f"{place}: missing"
    # A secret in the wrong form is one all the same.
    has_secret = any(map(holds_secret, texts_in(error["input"])))
    value = NOT_SHOWN if has_secret else error["input"]
    words = f"{place}: {clip(repr(value), 60)}: {_rule(error)}{_meaning(form, place)}"
    words += f" (source: {_OF_THE_TEMPLATE}"
    nearest = _nearest(error)
    return f"{words}; nearest: {nearest})" if nearest is not None else f"{words})"


_RULES = {
    "greater_than_equal": "is below the least, {ge}",
    "less_than_equal": "is above the most, {le}",
    "int_parsing": "is not a whole number",
    "int_type": "is not a whole number",
    "int_from_float": "is not a whole number",
    "bool_parsing": "is neither true nor false",
    "bool_type": "is neither true nor false",
    "literal_error": "is not one of {expected}",
}


def _rule(error: Any) -> str:
    """Return the rule that a value breaks, in words of jobs and not of a schema's."""
    limits = error.get("ctx", {})
    if error["type"] == "string_pattern_mismatch":
        return f"wanted is {in_words(limits['pattern'])}"
    rule = _RULES.get(error["type"])
    return str(error["msg"]) if rule is None else rule.format_map(limits)


def _nearest(error: Any) -> object | None:
    """Return the nearest value that would do, where there is one to be found."""
    context = error.get("ctx", {})
    for key in ("ge", "le"):
        if key in context:
            limit: object = context[key]
            return limit
    text = str(error["input"]).strip()
    if error["type"] != "string_pattern_mismatch":
        return None
    # What is close: the same text is a time for one parameter and an amount of memory for another.
    near = []
    if found := _MEMORY.fullmatch(text):
        near.append(f"{found['number']}{found['unit'].upper()}")
    if found := _SPAN.fullmatch(text):
        near.append(_time(int(found["number"]), found["unit"].lower()))
    pattern = context.get("pattern", "")
    return next((one for one in near if re.match(pattern, one)), None)


def _time(number: int, unit: str) -> str:
    if unit == "d":
        return f"{number}-0"
    seconds = number * {"s": 1, "m": 60, "h": 3600}[unit]
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _meaning(form: type[BaseModel], place: str) -> str:
    for name, field in form.model_fields.items():
        if place.split(".", 1)[0] in {name, field.alias}:
            return f" ({field.description})"
    return ""


def _hint(form: type[BaseModel], error: ValidationError) -> str | None:
    if any(item["type"] == "extra_forbidden" for item in error.errors()):
        known = sorted(field.alias or name for name, field in form.model_fields.items())
        return "parameters of this template: " + ", ".join(known)
    return None
