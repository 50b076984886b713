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
    *(containers, habits, reading),
)

RULES: dict[str, Rule] = {
    rule.id: rule
    for rule in sorted((rule for module in _MODULES for rule in module.RULES), key=lambda r: r.id)
}
"""Rules by id, sorted."""
