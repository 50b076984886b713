"""Fixtures of the fabric validator: texts of tools, each with where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sunk.assess.check import Proof

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "fabric"


@dataclass(frozen=True)
class Fixture:
    """One text with its origin."""

    format: str
    name: str
    path: Path

    @property
    def content(self) -> bytes:
        return self.path.read_bytes()

    @property
    def sidecar(self) -> dict[str, Any]:
        return yaml.safe_load((self.path.parent / f"{self.name}.origin.yaml").read_text())

    @property
    def origin(self) -> Proof:
        return Proof(self.sidecar["origin"])


def fixtures() -> tuple[Fixture, ...]:
    """Return every fixture, sorted."""
    files = sorted(one for one in FOLDER.glob("*/*") if not one.name.endswith(".origin.yaml"))
    return tuple(Fixture(one.parent.name, one.stem, one) for one in files)


def text(format_name: str, name: str) -> bytes:
    """Return the content of one fixture."""
    (one,) = [each for each in fixtures() if (each.format, each.name) == (format_name, name)]
    return one.content
