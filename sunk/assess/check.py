"""A check as data: what it asks, what it proves, and where its threshold comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sunk.assess.verdict import Domain


class Proof(StrEnum):
    """The strongest thing that a check was tried on; documented is never called tested."""

    RECORDED = "recorded"
    """Output of the real tool about the real thing: hardware, or what a kernel does by itself, such
    as limits and soft-RoCE."""
    SIMULATED = "simulated"
    """Output of the real tool on a simulator, or of a generator that follows its format."""
    DOCUMENTED = "documented"
    """Text written after the tool's documentation or source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """The rule of a check.

    Attributes:
        rule: what gives which verdict, in words and with units.
        source: where the threshold comes from: a standard, a formula, a tool's documentation,
            or "proposal" where nobody published one.
        generation: the link generations that it holds for, such as ``NDR``; ``any``.
    """

    rule: str
    source: str
    generation: str = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question.

    Attributes:
        id: stable, dotted, the group first: ``ib.link.degraded``.
        domain: who owns the cause when it fails.
        title: the question in few words.
        proves: what a PASS lets somebody rely on.
        reads: the commands or files that it looks at.
        criterion: the rule.
        remedy: the step that mends it.
        proof: the strongest thing that its judge was tried on.
        depends_on: checks without whose PASS the answer would mean nothing.
        explained_by: checks whose FAIL about the same subject is the cause of a FAIL or WARN here;
            that they say nothing or do not know hinders nothing.
    """

    id: str
    domain: Domain
    title: str
    proves: str
    reads: str
    criterion: Criterion
    remedy: str
    proof: Proof = Proof.DOCUMENTED
    depends_on: tuple[str, ...] = ()
    explained_by: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """Return the first word of the id."""
        return self.id.partition(".")[0]
