"""Checks of the evidence itself."""

from __future__ import annotations

from sunk.assess.check import Check, Proof
from sunk.assess.verdict import Domain
from sunk_fabric.catalogue.row import rows_of

_row = rows_of("evidence", Domain.HOST)

CHECKS: tuple[Check, ...] = (
    _row(
        "hosts",
        "Hosts were collected",
        proves="every host that was meant has answered all that it was asked",
        reads="the record of sunk fabric collect",
        rule="a host that was not reached, not asked, or answered in part is UNKNOWN;"
        " a clock that is off by more than 30 s is WARN; without a record nobody knows",
        remedy="mend what the finding names, then go on: sunk fabric collect FOLDER --resume",
        proof=Proof.RECORDED,
    ),
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
