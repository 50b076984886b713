"""What may lie on the disk after a power loss: recorded file operations, and the states they allow.

The model is POSIX's: a file's bytes are durable once it was synced, a name once its folder was.
Until then each change of a name may have happened or not, independently of the others, and what was
written to a file may be there, in part, as zeros, or not at all. A rename is one change. That is
weaker than what any file system of today does, on purpose.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sunk_jobs.checkpoint.files import Files


@dataclass(frozen=True)
class Operation:
    """One recorded operation: a verb of `Files`, and names below the recorded root.

    ``mark`` says that the program was told something: that a save is durable.
    """

    verb: str
    path: str = ""
    other: str = ""
    data: bytes = b""
    step: int = 0


class Recorder(Files):
    """Does everything for real, and writes it down; `leave_out` names a sync that is not done."""

    def __init__(self, root: Path, leave_out: int | None = None) -> None:
        self.root = root
        self.operations: list[Operation] = []
        self._leave_out = leave_out
        self._syncs = 0
        self._paths: dict[int, str] = {}
        self._lock = threading.Lock()

    def mark(self, step: int) -> None:
        """Note that a save of this step was reported as durable."""
        self.operations.append(Operation("mark", step=step))

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.root))

    def _note(self, operation: Operation) -> None:
        self.operations.append(operation)

    def _note_sync(self, operation: Operation) -> None:
        if self._syncs != self._leave_out:
            self.operations.append(operation)
        self._syncs += 1

    def create(self, path):
        with self._lock:
            descriptor = super().create(path)
            self._paths[descriptor] = self._name(path)
            self._note(Operation("create", self._name(path)))
            return descriptor

    def write(self, descriptor, data):
        with self._lock:
            count = super().write(descriptor, data)
            done = bytes(data[:count])
            self._note(Operation("write", self._paths[descriptor], data=done))
            return count

    def sync(self, descriptor):
        with self._lock:
            self._note_sync(Operation("sync", self._paths[descriptor]))

    def close(self, descriptor):
        with self._lock:
            super().close(descriptor)

    def sync_folder(self, path):
        with self._lock:
            self._note_sync(Operation("sync_folder", self._name(path)))

    def make_folder(self, path):
        with self._lock:
            super().make_folder(path)
            self._note(Operation("make_folder", self._name(path)))

    def rename(self, old, new):
        with self._lock:
            super().rename(old, new)
            self._note(Operation("rename", self._name(old), self._name(new)))

    def link(self, old, new):
        with self._lock:
            super().link(old, new)
            self._note(Operation("link", self._name(old), self._name(new)))

    def symlink(self, path, target):
        with self._lock:
            super().symlink(path, target)
            self._note(Operation("symlink", self._name(path), target))

    def unlink(self, path):
        with self._lock:
            super().unlink(path)
            self._note(Operation("unlink", self._name(path)))

    def remove_folder(self, path):
        with self._lock:
            super().remove_folder(path)
            self._note(Operation("remove_folder", self._name(path)))


@dataclass
class _File:
    durable: bytes = b""
    pending: bytes = b""

    def possible(self) -> list[bytes]:
        """What it may hold after a crash."""
        if not self.pending:
            return [self.durable]
        half = self.pending[: len(self.pending) // 2]
        zeros = bytes(len(self.pending))
        whole = [self.durable + tail for tail in (b"", half, zeros, self.pending)]
        return list(dict.fromkeys(whole))


@dataclass(frozen=True)
class _Link:
    target: str


@dataclass
class _Folder:
    durable: dict[str, _Node] = field(default_factory=dict)
    now: dict[str, _Node] = field(default_factory=dict)
    pending: list[Mapping[str, _Node | None]] = field(default_factory=list)

    def apply(self, change: Mapping[str, _Node | None]) -> None:
        self.pending.append(change)
        _apply(self.now, change)

    def sync(self) -> None:
        self.durable = dict(self.now)
        self.pending = []

    def possible(self) -> Iterator[dict[str, _Node]]:
        """Which names it may have after a crash: any subset of what is not durable, in order."""
        seen = []
        for chosen in itertools.product((True, False), repeat=len(self.pending)):
            names = dict(self.durable)
            for take, change in zip(chosen, self.pending, strict=True):
                if take:
                    _apply(names, change)
            if names not in seen:
                seen.append(names)
        yield from seen


_Node = _File | _Folder | _Link
Tree = dict[str, "bytes | str | Tree"]
"""What lies in a folder: bytes of a file, target of a link, a folder."""


def _apply(names: dict[str, _Node], change: Mapping[str, _Node | None]) -> None:
    for name, node in change.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


class Disk:
    """What is durable, and what is not yet, after some operations."""

    def __init__(self) -> None:
        self.root = _Folder()

    def _at(self, path: str) -> tuple[_Folder, str]:
        folder = self.root
        *above, name = path.split("/")
        for one in above:
            found = folder.now[one]
            assert isinstance(found, _Folder)
            folder = found
        return folder, name

    def _node(self, path: str) -> _Node:
        if path == ".":
            return self.root
        folder, name = self._at(path)
        return folder.now[name]

    def do(self, one: Operation) -> None:
        """Do one operation."""
        verb = one.verb
        if verb == "mark":
            return
        if verb == "sync_folder":
            self._folder(one.path).sync()
            return
        folder, name = self._at(one.path)
        node = folder.now.get(name)
        if verb == "write":
            assert isinstance(node, _File)
            node.pending += one.data
        elif verb == "sync":
            assert isinstance(node, _File)
            node.durable, node.pending = node.durable + node.pending, b""
        elif verb in {"unlink", "remove_folder"}:
            folder.apply({name: None})
        elif verb == "rename":
            folder.apply({name: None, one.other.rpartition("/")[2]: node})
        elif verb == "link":
            folder.apply({one.other.rpartition("/")[2]: node})
        else:
            folder.apply({name: _made(one)})

    def _folder(self, path: str) -> _Folder:
        found = self._node(path)
        assert isinstance(found, _Folder)
        return found

    def crashed(self) -> Iterator[Tree]:
        """Yield every tree that a crash now may leave."""
        yield from _trees(self.root)

    def sampled(self, choose: Callable[[int], int]) -> Tree:
        """Return one tree that a crash now may leave; ``choose(n)`` draws from 0 … n-1."""
        return _sample(self.root, choose)


def _sample(folder: _Folder, choose: Callable[[int], int]) -> Tree:
    names = dict(folder.durable)
    for change in folder.pending:
        if choose(2):
            _apply(names, change)
    tree: Tree = {}
    for name, node in names.items():
        if isinstance(node, _Folder):
            tree[name] = _sample(node, choose)
        elif isinstance(node, _File):
            may = node.possible()
            tree[name] = may[choose(len(may))]
        else:
            tree[name] = node.target
    return tree


def _made(one: Operation) -> _Node:
    return {"create": _File, "make_folder": _Folder}.get(one.verb, lambda: _Link(one.other))()


def _trees(folder: _Folder) -> Iterator[Tree]:
    for names in folder.possible():
        parts = []
        for node in names.values():
            if isinstance(node, _Folder):
                parts.append(list(_trees(node)))
            elif isinstance(node, _File):
                parts.append(node.possible())
            else:
                parts.append([node.target])
        for chosen in itertools.product(*parts):
            yield dict(zip(names, chosen, strict=True))


def crash_states(
    operations: Sequence[Operation], after: Collection[str] = (), skip: int = 0
) -> Iterator[tuple[Sequence[Operation], Tree]]:
    """Yield each tree that a crash may leave, once after the same promises.

    Args:
        operations: a recorded run.
        after: verbs after which a crash is looked at; empty: at every moment.
        skip: look at nothing before so many syncs are done.

    Yields:
        The operations done so far, and a tree.
    """
    disk = Disk()
    seen: set[tuple[int, str]] = set()
    syncs = marks = 0
    for done in range(len(operations) + 1):
        verb = operations[done - 1].verb if done else ""
        if done:
            disk.do(operations[done - 1])
        syncs += verb.startswith("sync")
        marks += verb == "mark"
        if syncs < skip or (after and verb not in after):
            continue
        for tree in disk.crashed():
            key = (marks, repr(_sorted(tree)))
            if key not in seen:
                seen.add(key)
                yield operations[:done], tree


def _sorted(tree: Tree) -> list[tuple[str, object]]:
    return [
        (name, _sorted(node) if isinstance(node, dict) else node)
        for name, node in sorted(tree.items())
    ]


def lay_out(tree: Tree, folder: Path) -> None:
    """Make a tree for real."""
    folder.mkdir()
    for name, node in tree.items():
        path = folder / name
        if isinstance(node, dict):
            lay_out(node, path)
        elif isinstance(node, bytes):
            path.write_bytes(node)
        else:
            path.symlink_to(node)
