"""Outputs of the real tools on a simulated subnet, kept as `sunk fabric check` reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from sunk.assess.bundle import Kept, pack
from sunk.assess.evidence import evidence_of
from sunk.clients import evidence_files
from sunk_fabric.collect.questions import AT_LID
from sunk_fabric.parse import saquery
from sunk_fabric.parse.saquery import manager_lids
from tests.support.ibsim import Subnet

FABRIC = (
    ("ibnetdiscover",),
    ("iblinkinfo",),
    ("ibqueryerrors", "--skip-sl"),
    ("dump_lfts",),
    ("saquery", "SMIR"),
    ("saquery", "-s"),
    ("sminfo",),
    ("sminfo",),
)
"""What is asked about the whole fabric; the manager twice, to see that it lives."""


def collect(
    subnet: Subnet,
    adapter: str,
    folder: Path,
    *,
    commands: Iterable[Sequence[str]] = FABRIC,
    adapters: Iterable[str] = (),
) -> Path:
    """Ask from one adapter about the fabric, and adapters about themselves; return the folder."""
    kept = {}
    for words in commands:
        one = asked(subnet, adapter, tuple(words), "")
        kept[one.evidence.id] = one
    for lid in _claimed(kept.values()):
        one = asked(subnet, adapter, ("sminfo", str(lid)), "", name=f"{AT_LID}{lid}")
        kept[one.evidence.id] = one
    for each in adapters:
        one = asked(subnet, each, ("ibstat",), each.partition(" ")[0])
        kept[one.evidence.id] = one
    dumped = [one.folder / "opensm-lfts.dump" for one in subnet.managers.values()]
    for file in filter(Path.exists, dumped):
        content = file.read_bytes()
        evidence = evidence_of(content, command=(file.name,), exit_code=0)
        kept[evidence.id] = Kept(evidence=evidence, output=content)
    for manager in subnet.managers.values():
        log = manager.log.encode()
        evidence = evidence_of(log, command=("opensm_log",), exit_code=0)
        kept[evidence.id] = Kept(evidence=evidence, output=log)
    evidence_files.write(folder, pack(kept.values()))
    return folder


def _claimed(kept: Iterable[Kept]) -> list[int]:
    """Return the LIDs of ports that say that they run a manager."""
    lists = [one.output for one in kept if one.evidence.command == ("saquery", "-s")]
    return sorted(lid for text in lists for lid in manager_lids(saquery.parse(text).value))


def asked(
    subnet: Subnet, adapter: str, words: tuple[str, ...], host: str, *, name: str = ""
) -> Kept:
    done = subnet.run(*words, host=adapter)
    evidence = evidence_of(
        done.stdout,
        command=words,
        host=host,
        exit_code=done.returncode,
        errors=done.stderr,
    )
    evidence = replace(evidence, name=name)
    return Kept(evidence=evidence, output=done.stdout, errors=done.stderr)
