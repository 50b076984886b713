"""From the record of a test and the outputs it names to samples; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from sunk_fabric.active.layout import Layout
from sunk_fabric.active.patterns import Flow
from sunk_fabric.active.samples import Gone, Path, Phase, Sample
from sunk_fabric.parse import collectives, iperf3, pair, perftest
from sunk_fabric.parse.text import Parsed
from sunk_fabric.parse.traffic_record import Attempt, TestRecord

NOT_STARTED = frozenset({126, 127})
"""Exit codes of shells and `env` for a program that cannot be run."""
_OURS = ("listen", "find the address", "use congestion control", "serve")
"""How failures of the pair program begin that say nothing about the network."""


def layout_of_record(record: TestRecord) -> Layout:
    """Return where the hosts of a test are."""
    return Layout(
        hosts=record.hosts,
        rails=record.rails,
        leaf_of={(one.host, one.rail): one.leaf for one in record.places if one.leaf},
        above={one.name: tuple(frozenset(tier) for tier in one.above) for one in record.leaves},
        uplinks={one.name: one.uplinks for one in record.leaves if one.uplinks},
        rate_gbit_per_s={
            (one.host, one.rail): one.gbit_per_s for one in record.places if one.gbit_per_s
        },
    )


def samples_of(
    attempts: Iterable[Attempt], outputs: Mapping[str, tuple[int | None, Parsed[Any]]]
) -> tuple[Sample, ...]:
    """Return one sample for each attempt.

    Args:
        attempts: what was tried.
        outputs: id of evidence -> exit code and what its parser made of it.
    """
    return tuple(_sample(one, outputs) for one in attempts)


def _sample(attempt: Attempt, outputs: Mapping[str, tuple[int | None, Parsed[Any]]]) -> Sample:
    made = Sample(
        flow=Flow(attempt.sender, attempt.receiver, attempt.rail),
        round=attempt.round,
        phase=Phase.CONFIRM if attempt.phase == Phase.CONFIRM else Phase.SCREEN,
        gbit_per_s=None,
        evidence=attempt.evidence,
    )
    if attempt.gone or not attempt.evidence:
        skipped = attempt.gone == Gone.SKIPPED
        return replace(
            made,
            gone=Gone.SKIPPED if skipped else Gone.BROKEN,
            trouble=attempt.trouble or "it was not made",
        )
    if attempt.evidence not in outputs:
        return replace(made, gone=Gone.BROKEN, trouble=f"evidence {attempt.evidence} is not there")
    return _measured(made, *outputs[attempt.evidence])


def _measured(made: Sample, code: int | None, parsed: Parsed[Any]) -> Sample:
    value = parsed.value
    if isinstance(value, pair.Transfer) and parsed.sound:
        if not value.failed and code not in {None, 0}:
            words = f"it ended with exit code {code} after its figures"
            return replace(made, gone=Gone.BROKEN, trouble=words)
        return _of_pair(made, value)
    if trouble := _trouble(value, code, parsed):
        return replace(made, gone=trouble[0], trouble=trouble[1])
    reader = _READERS.get(type(value))
    if reader is None:
        return replace(made, gone=Gone.BROKEN, trouble="it is no output of a transfer")
    return reader(made, value)


def _trouble(value: object, code: int | None, parsed: Parsed[Any]) -> tuple[Gone, str] | None:
    """Return why there is no figure: tools of others say by their exit code that they failed."""
    if isinstance(value, iperf3.Test) and parsed.sound and value.error:
        return Gone.CUT, value.error
    if code is None or code in NOT_STARTED:
        return Gone.BROKEN, "the program did not run"
    if code != 0 and not isinstance(value, pair.Transfer):
        return Gone.CUT, f"it ended with exit code {code}"
    return None if parsed.sound else (Gone.BROKEN, parsed.trouble)


def _of_pair(made: Sample, one: pair.Transfer) -> Sample:
    if one.failed:
        # A refused connection reached its host: the server is missing, and not the way there.
        ours = one.failed.startswith(_OURS) or "refused" in one.failed
        return replace(made, gone=Gone.BROKEN if ours else Gone.CUT, trouble=one.failed)
    known = bool(one.local_device and one.peer_device)
    path = Path(
        device=one.local_device,
        mtu_bytes=one.local_mtu_bytes,
        peer_mtu_bytes=one.peer_mtu_bytes,
        congestion=one.congestion,
    )
    return replace(
        made,
        gbit_per_s=one.gbit_per_s,
        retransmit_share=one.retransmit_share,
        rtt_us=one.rtt_us,
        path=path if known else None,
    )


def _of_iperf3(made: Sample, one: iperf3.Test) -> Sample:
    address = one.start.connected[0].local_host if one.start.connected else ""
    path = Path(device=address, mtu_bytes=None, congestion=one.end.sender_tcp_congestion)
    return replace(
        made,
        gbit_per_s=one.gbit_per_s,
        retransmit_share=one.retransmit_share,
        path=path if address else None,
    )


def _of_perftest(made: Sample, one: perftest.Run) -> Sample:
    device = one.settings.get("Device", "")
    path = Path(
        device=device,
        mtu_bytes=one.mtu_bytes,
        gid_index=one.settings.get("GID index", ""),
        link=one.settings.get("Link type", ""),
    )
    row = max(one.bandwidth, key=lambda each: each.size_bytes, default=None)
    return replace(
        made,
        gbit_per_s=row.average_gbit_per_s if row and row.average_gbit_per_s > 0 else None,
        path=path if device else None,
    )


def _of_ranks(made: Sample, one: collectives.Measured) -> Sample:
    """Return the rate from the sender's rank to the receiver's; no device is told."""
    names = [name.partition(".")[0] for name in one.hosts]
    ends = [end.partition(".")[0] for end in (made.flow.sender, made.flow.receiver)]
    if sorted(names) != sorted(ends) or one.pairs is None:
        words = f"its ranks were on {' and '.join(one.hosts) or 'no host'}"
        return replace(made, gone=Gone.BROKEN, trouble=words)
    value = one.pairs.gb_per_s[names.index(ends[0])][names.index(ends[1])]
    return replace(made, gbit_per_s=None if value is None else value * 8)


_READERS: Mapping[type, Callable[[Sample, Any], Sample]] = {
    iperf3.Test: _of_iperf3,
    perftest.Run: _of_perftest,
    collectives.Measured: _of_ranks,
}
"""What a parser makes of an output -> what that adds to a sample."""
