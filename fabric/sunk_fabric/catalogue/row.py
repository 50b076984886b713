"""The short form in which the catalogue is written."""

from __future__ import annotations

from collections.abc import Callable

from sunk.assess.check import Check, Criterion, Proof
from sunk.assess.verdict import Domain

IBTA = "InfiniBand architecture"
KERNEL = "Linux kernel, sysfs ABI"
NCCL_DOCS = "NCCL documentation"
PROPOSAL = "proposal"
DERIVED = "derived"
KUBERNETES = "Kubernetes documentation"
MULTI_NETWORK = "Kubernetes Network Custom Resource Definition De-facto Standard"
SRIOV_OPERATOR = "SR-IOV network operator, API types"
VENDOR_LOSSLESS = "vendor guides for lossless RoCE"

Rows = Callable[..., Check]


def rows_of(group: str, domain: Domain) -> Rows:
    """Return what makes the checks of one group; their ids begin with its name."""

    def row(  # noqa: PLR0913 - one argument for every column of the table
        name: str,
        title: str,
        *,
        proves: str,
        reads: str,
        rule: str,
        remedy: str,
        source: str = PROPOSAL,
        generation: str = "any",
        proof: Proof = Proof.DOCUMENTED,
        depends_on: tuple[str, ...] = (),
        explained_by: tuple[str, ...] = (),
        owner: Domain | None = None,
    ) -> Check:
        return Check(
            id=f"{group}.{name}",
            domain=owner or domain,
            title=title,
            proves=proves,
            reads=reads,
            criterion=Criterion(rule=rule, source=source, generation=generation),
            remedy=remedy,
            proof=proof,
            depends_on=depends_on,
            explained_by=explained_by,
        )

    return row
