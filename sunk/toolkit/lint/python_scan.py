"""Python programs, as far as one rule looks into them: how they save checkpoints."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_RANK = frozenset(
    {"rank", "local_rank", "global_rank", "get_rank", "is_main_process", "is_master", "world_rank"}
)
_MOVES = frozenset({"replace", "rename", "renames", "move"})
_LIMIT_CHARACTERS = 500_000


def unsafe_saves(text: str) -> Iterator[tuple[int, str]]:
    """Return the lines of ``torch.save`` calls that a kill can tear, and what is wrong.

    What does not parse as Python says nothing.
    """
    if "save" not in text or len(text) > _LIMIT_CHARACTERS:
        return
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    moved = any(_called(node) in _MOVES for node in ast.walk(tree))
    distributed = "torch.distributed" in text or "init_process_group" in text
    guarded = _guarded_lines(tree)
    for node in ast.walk(tree):
        if _called(node) != "save" or not _on_torch(node):
            continue
        if not moved:
            yield (
                node.lineno,  # type: ignore[attr-defined]
                "torch.save to the final name leaves half a file when the job is killed; write "
                "to a temporary name, fsync, then os.replace",
            )
        elif distributed and node.lineno not in guarded:  # type: ignore[attr-defined]
            yield (
                node.lineno,  # type: ignore[attr-defined]
                "every rank writes this file; save on rank 0 alone, or one shard for each rank",
            )


def _called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else ""


def _on_torch(node: ast.AST) -> bool:
    function = node.func if isinstance(node, ast.Call) else None
    owner = function.value if isinstance(function, ast.Attribute) else None
    return isinstance(owner, ast.Name) and owner.id in {"torch", "th"}


def _guarded_lines(tree: ast.AST) -> set[int]:
    """Return the lines below a test of the rank, or that name the rank in the file's name."""
    found: set[int] = set()
    for node in ast.walk(tree):
        guard = isinstance(node, ast.If) and _names(node.test) & _RANK
        named = isinstance(node, ast.Call) and _called(node) == "save" and _names(node) & _RANK
        if guard or named:
            last = getattr(node, "end_lineno", None) or node.lineno  # type: ignore[attr-defined]
            found |= set(range(node.lineno, last + 1))  # type: ignore[attr-defined]
    return found


def _names(node: ast.AST) -> set[str]:
    names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    return names | {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}
