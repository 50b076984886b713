"""The linter's rules, by theme, and all of them in one table."""

from __future__ import annotations

from sunk.toolkit.lint.model import Rule
from sunk.toolkit.lint.rules import (
    containers,
    directives,
    habits,
    mpi,
    nccl,
    placement,
    ranks,
    reading,
    rendezvous,
    resources,
    shell,
    signals,
)

_MODULES = (
    *(directives, shell, signals, resources, mpi, rendezvous, ranks, nccl, placement),
    *(containers, habits),
)
_OF_SCRIPTS = tuple(rule for module in _MODULES for rule in module.RULES)

RULES: dict[str, Rule] = {
    rule.id: rule
    for rule in sorted(
        (*_OF_SCRIPTS, *reading.rules_beside(rule.id for rule in _OF_SCRIPTS)),
        key=lambda rule: rule.id,
    )
}
"""Rules by id, sorted."""
