"""GPUs and adapters by the PCI tree, beside what the GPU's own tool says of them."""

from __future__ import annotations

from collections.abc import Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, place, said, sound
from sunk_fabric.checks.locality import nearest_of
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import nvidia_topo, pci_tree
from sunk_fabric.parse.nvidia_topo import Matrix
from sunk_fabric.parse.pci_tree import PciPlace


def agrees(facts: Facts) -> Iterator[Answer]:
    """Each GPU has an adapter behind bridges alone by the tree too, or by neither."""
    matrices = {one.host: one for one in sound(facts, nvidia_topo.parse)}

    def judge(reading: Reading[tuple[PciPlace, ...]]) -> Iterator[Answer]:
        gpus = [one for one in reading.parsed.value if one.is_gpu]
        adapters = [one for one in reading.parsed.value if one.is_adapter]
        matrix = matrices.get(reading.host)
        told = _told(matrix.parsed.value) if matrix else ()
        used = (reading, matrix) if matrix else (reading,)
        for number, gpu in enumerate(gpus):
            subject = subjects.node(reading.host, gpu.address)
            near, words = _nearest(gpu, adapters)
            if matrix and len(told) != len(gpus):
                words = f"{len(gpus)} GPUs in the tree, {len(told)} by nvidia-smi"
                yield said(Verdict.UNKNOWN, words, subject, *used)
            elif near is None or not matrix:
                verdict = Verdict.UNKNOWN if near is None else _VERDICTS[near]
                yield said(verdict, words, subject, *used)
            else:
                verdict, other = told[number]
                same = verdict is _VERDICTS[near]
                words = f"{words}; nvidia-smi: {other}"
                yield said(Verdict.PASS if same else Verdict.UNKNOWN, words, subject, *used)
        if not gpus:
            yield said(Verdict.SKIP, "no GPU in the PCI tree", place(reading), reading)

    yield from each(facts, pci_tree.parse, judge)


_VERDICTS = {True: Verdict.PASS, False: Verdict.FAIL}


def _told(matrix: Matrix) -> tuple[tuple[Verdict, str], ...]:
    """Return what the matrix says of GPUs in their order, which is that of PCI addresses."""
    names = [one for one in matrix.names if one.startswith("GPU")]
    return tuple(nearest_of(matrix, one) for one in sorted(names, key=lambda name: int(name[3:])))


def _nearest(gpu: PciPlace, adapters: list[PciPlace]) -> tuple[bool | None, str]:
    """Return whether an adapter shares a bridge with a GPU, and which is nearest."""
    if not adapters:
        return None, "no adapter in the PCI tree"
    common = {one.address: _shared(gpu.path, one.path) for one in adapters}
    nearest = max(adapters, key=lambda one: (common[one.address], one.address))
    if common[nearest.address] > 1:
        return True, f"{nearest.address} is behind the same bridge"
    where = "at the same root" if common[nearest.address] else "behind another root"
    return False, f"{nearest.address} is nearest, {where}"


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Return how many steps from the root two cards have in common."""
    count = 0
    for near, far in zip(one[:-1], other[:-1], strict=False):
        if near != far:
            break
        count += 1
    return count
