"""What Grace machines need of their GPU driver."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric.checks.answers import each, place, said, sound
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import dmesg, kernel_files, nvidia_smi
from sunk_fabric.parse.nvidia_smi import Gpus

NEEDS_NONE = 595
"""Release of the driver from which on it asks no option."""
PARAMETERS = "/proc/driver/nvidia/params"
REFUSED = "topology not supported"
_GRACE = re.compile(r"\bGB[23]00\b")
_OPTION = re.compile(r"GrdmaPciTopoCheckOverride: (\d{1,3})")
_RELEASE = re.compile(r"(\d{3,4})\.\d{1,4}(?:\.\d{1,4})?")


def option(facts: Facts) -> Iterator[Answer]:
    """Older drivers have the option without which adapters cannot attach to GPU memory."""
    files = {one.host: one for one in sound(facts, kernel_files.parse)}
    logs = {one.host: one for one in sound(facts, dmesg.parse)}

    def judge(reading: Reading[Gpus]) -> Iterator[Answer]:
        subject = place(reading)
        release = _RELEASE.fullmatch(reading.parsed.value.driver)
        known, log = files.get(reading.host), logs.get(reading.host)
        lines = known.parsed.value.get(PARAMETERS, ()) if known else ()
        told = next((found[1] for one in lines if (found := _OPTION.fullmatch(one))), "")
        refused = [one.text for one in log.parsed.value.lines if REFUSED in one.text] if log else []
        if not any(_GRACE.search(one.product) for one in reading.parsed.value.gpus):
            yield said(Verdict.SKIP, "no Grace-Blackwell GPU", subject, reading)
        elif refused and log:
            yield said(Verdict.FAIL, refused[-1], subject, reading, log)
        elif release is None:
            yield said(Verdict.UNKNOWN, "the driver's release is not told", subject, reading)
        elif int(release[1]) >= NEEDS_NONE:
            words = f"driver {release[0]} needs no option"
            yield said(Verdict.PASS, words, subject, reading)
        elif known is None or not lines:
            words = f"driver {release[0]}, and {PARAMETERS} is not told"
            yield said(Verdict.UNKNOWN, words, subject, reading)
        else:
            verdict = Verdict.PASS if told == "1" else Verdict.FAIL
            words = f"driver {release[0]}, GrdmaPciTopoCheckOverride is {told or 'not there'}"
            yield said(verdict, words, subject, reading, known)

    yield from each(facts, nvidia_smi.parse, judge)
