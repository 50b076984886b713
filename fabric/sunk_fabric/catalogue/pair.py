"""Checks of traffic between pairs of hosts, from active tests."""

from __future__ import annotations

from sunk.assess.check import Check, Proof
from sunk.assess.verdict import Domain
from sunk_fabric.catalogue.row import DERIVED, rows_of

_row = rows_of("pair", Domain.FABRIC)
_READS = "sunk fabric test"
_ROBUST = "Tukey 1977 (median polish); Iglewicz and Hoaglin 1993 (3.5 robust deviations)"

CHECKS: tuple[Check, ...] = (
    _row(
        "whole",
        "The test ran to its end",
        proves="every planned transfer was tried",
        reads=_READS,
        rule="a transfer that was not made, or whose output cannot be trusted, is UNKNOWN",
        remedy="see what the transfers say; run the test again",
        proof=Proof.SIMULATED,
        owner=Domain.RUNTIME,
    ),
    _row(
        "cleanup",
        "Nothing of the test runs any more",
        proves="no program of the test is left on any host, and no port open",
        reads=_READS,
        rule="a program that would not end is FAIL; a host that could not be asked is UNKNOWN",
        remedy="end it by hand; servers end by themselves when their time is over",
        proof=Proof.SIMULATED,
        owner=Domain.HOST,
    ),
    _row(
        "path",
        "Which way the transfers went",
        proves="figures are those of the devices that were to be tested",
        reads=_READS,
        rule="a figure without the device it went over is UNKNOWN; so is TCP where the site "
        "declares RDMA adapters",
        remedy="test with ib_write_bw, which names its device",
        proof=Proof.SIMULATED,
    ),
    _row(
        "settings",
        "All hosts measure alike",
        proves="MTU, GID index and congestion control agree on all hosts",
        reads=_READS,
        rule="another MTU or GID index than most hosts have is FAIL, another congestion control "
        "WARN",
        remedy="make the host like the others",
        proof=Proof.SIMULATED,
        owner=Domain.HOST,
    ),
    _row(
        "reach",
        "Every host is reached",
        proves="traffic gets through between hosts, each way",
        reads=_READS,
        rule="a host that no partner reaches, or a pair that fails again, is FAIL; once is UNKNOWN",
        remedy="link and address of the host; then its switch port",
        proof=Proof.SIMULATED,
    ),
    _row(
        "loss",
        "Nothing is lost on the way",
        proves="segments arrive at the first try",
        reads=_READS,
        rule="1 % of segments repeated and 4 times what is usual in the test is FAIL when it is "
        "so again; once is UNKNOWN; RDMA tells no segments: SKIP",
        remedy="cable and optics; discards of the switch port; a queue that is too short",
        proof=Proof.SIMULATED,
        explained_by=("pair.settings",),
    ),
    _row(
        "host.rate",
        "No host is slower than its peers",
        proves="each host sends and receives as the others of its kind do",
        reads=_READS,
        rule="a host's effect below half the fault's size and 3.5 standard errors is low; low with "
        "known-good partners too and as large as the fault is FAIL, smaller WARN; not repeated "
        "UNKNOWN",
        remedy="host: PCIe width, governor, NUMA; then its cable and its switch port",
        source=_ROBUST,
        proof=Proof.SIMULATED,
        owner=Domain.HOST,
        depends_on=("pair.reach",),
        explained_by=("pair.loss", "pair.settings"),
    ),
    _row(
        "link.rate",
        "No pair is slower than its hosts explain",
        proves="the way between two hosts gives what both give elsewhere",
        reads=_READS,
        rule="a pair below 3.5 robust deviations and half the fault's size that its hosts do not "
        "explain is low; low again and as large as the fault is FAIL, smaller WARN; not repeated "
        "UNKNOWN",
        remedy="cables and ports on the way; routes that collide",
        source=_ROBUST,
        proof=Proof.SIMULATED,
        explained_by=("pair.loss", "pair.settings"),
    ),
    _row(
        "leaf.rate",
        "No leaf is slower beyond itself than others",
        proves="the uplinks of each leaf give what those of other leaves do",
        reads=_READS + ", with a topology file",
        rule="all hosts of a leaf low to other leaves and not among themselves, again so: as large "
        "as the fault is FAIL, smaller WARN; not repeated UNKNOWN; fewer than three leaves SKIP",
        remedy="cables above the leaf; routes through its spines",
        source=_ROBUST,
        proof=Proof.SIMULATED,
    ),
    _row(
        "class.rate",
        "Hosts that are equally far give the rate that was bought",
        proves="not only alike, but fast",
        reads=_READS,
        rule="median of a hop class against the declared rate: RDMA at least 0.966 of its ceiling "
        "is PASS, below 0.925 FAIL; TCP at least 0.80 of the rate, below 0.50; with no declared "
        "rate UNKNOWN",
        remedy="far pairs alone: uplinks; all pairs: settings of hosts",
        source=DERIVED,
        proof=Proof.SIMULATED,
    ),
    _row(
        "congestion",
        "Many at once",
        proves="one receiver, or one half of the hosts, takes what its links can carry",
        reads=_READS,
        rule="what arrives together, below 0.80 of the receiving links' declared rate is WARN; "
        "without a declared rate UNKNOWN; other patterns SKIP",
        remedy="uplinks, flow control, congestion control",
        proof=Proof.SIMULATED,
    ),
)
