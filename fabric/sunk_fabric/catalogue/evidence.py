"""Checks of the evidence itself."""

from __future__ import annotations

from sunk.assess.check import Check, Proof
from sunk.assess.verdict import Domain
from sunk_fabric.catalogue.row import rows_of

_row = rows_of("evidence", Domain.HOST)

CHECKS: tuple[Check, ...] = (
    _row(
        "identity",
        "Hosts speak for themselves",
        proves="no host's texts are those of another",
        reads="ibstat, sysfs_rdma, ibnetdiscover",
        rule="an adapter in the texts of two hosts, or of another than the scan names, is FAIL",
        remedy="collect both hosts again; look at name service and cloned firmware",
    ),
    _row(
        "sound",
        "Texts are whole",
        proves="every text was read to its end and understood",
        reads="every file",
        rule="damaged, or not understood, is UNKNOWN",
        remedy="collect it again; the finding quotes the line",
        proof=Proof.SIMULATED,
    ),
    _row(
        "known",
        "Texts are known",
        proves="every file is one that some check reads",
        reads="every file",
        rule="one that is not is WARN",
        remedy="name it after its tool, as gpu001/ibstat.txt",
        proof=Proof.SIMULATED,
    ),
)
