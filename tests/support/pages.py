"""Pages of the documentation as data: tables by heading, code blocks, code in running text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
_CELL = re.compile(r"(?<!\\)\|")


def pages() -> tuple[Path, ...]:
    """Return every text that people read: the site's pages and the files beside the code."""
    beside = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "*/README.md")
    return (*sorted(DOCS.rglob("*.md")), *sorted(f for one in beside for f in ROOT.glob(one)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a page.

    Attributes:
        file: the page.
        number: counted from 1.
        text: the line.
    """

    file: Path
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.number}"


def split(file: Path) -> tuple[list[Line], list[tuple[str, list[Line]]]]:
    """Return a page's running text, and its fenced blocks with their languages."""
    prose: list[Line] = []
    blocks: list[tuple[str, list[Line]]] = []
    inside = False
    for number, text in enumerate(file.read_text().splitlines(), start=1):
        line = Line(file=file, number=number, text=text)
        if text.lstrip().startswith("```"):
            inside = not inside
            if inside:
                blocks.append((text.strip().removeprefix("```"), []))
        elif inside:
            blocks[-1][1].append(line)
        else:
            prose.append(line)
    return prose, blocks


def shell_lines(file: Path) -> list[Line]:
    """Return the command lines of a page's console blocks, continuations joined.

    In a block with prompts only the lines after a prompt are commands, the rest is output.
    """
    found: list[Line] = []
    for language, lines in split(file)[1]:
        if language not in {"console", "bash", "sh"}:
            continue
        prompted = any(line.text.startswith("$ ") for line in lines)
        for line in lines:
            if found and found[-1].text.endswith("\\"):
                joined = found[-1].text[:-1] + line.text.strip()
                found[-1] = Line(file=file, number=found[-1].number, text=joined)
            elif not prompted or line.text.startswith("$ "):
                found.append(Line(file=file, number=line.number, text=line.text.removeprefix("$ ")))
    return found


def spans(file: Path) -> list[Line]:
    """Return the pieces of code in a page's running text."""
    prose, _ = split(file)
    return [
        Line(file=file, number=line.number, text=code)
        for line in prose
        for code in re.findall(r"`([^`]+)`", line.text)
    ]


def tables(file: Path) -> dict[str, list[dict[str, str]]]:
    """Return the rows of the table below each heading; cells by their column's title."""
    found: dict[str, list[dict[str, str]]] = {}
    heading, titles = "", []
    for line in split(file)[0]:
        text = line.text
        if text.startswith("#"):
            heading, titles = text.lstrip("# "), []
        elif not text.startswith("|"):
            titles = []
        elif not titles:
            titles = _cells(text)
            assert heading not in found, f"two tables below {heading!r} in {file}"
            found[heading] = []
        elif set(text) - set("|-: "):
            cells = _cells(text)
            assert len(cells) == len(titles), f"{line}: {len(cells)} cells, not {len(titles)}"
            found[heading].append(dict(zip(titles, cells, strict=True)))
    return found


def _cells(text: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in _CELL.split(text)[1:-1]]
