"""Blocks that Ray's nodes pass on: what tells them apart, and what a wrong one is."""

from __future__ import annotations

import pytest

from sunk_jobs.outputs.results import RayResult
from sunk_jobs.ray_nodes import Read, block_of, digest_of, result_of, wrong_blocks

SIZE = 100
NODES = ("a", "b")
READERS = ("b", "a", "b")


def read(number: int, node: str) -> Read:
    return Read(node, f"host-{node}", digest_of(block_of(number, SIZE)))


READS = [read(number, node) for number, node in enumerate(READERS)]


@pytest.mark.parametrize("size", [0, 1, 32, 100])
def test_blocks_have_their_size_and_no_two_are_alike(size):
    blocks = [block_of(number, size) for number in range(3)]
    assert [len(block) for block in blocks] == [size] * 3
    assert len(set(blocks)) == (3 if size else 1)


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        (READS, 0),
        ([read(0, "a"), *READS[1:]], 1),  # on another node
        ([read(1, "b"), *READS[1:]], 1),  # another block
        ([Read("b", "host-b", digest_of(b"")), read(1, "b"), READS[2]], 2),
    ],
)
def test_a_block_that_is_not_whole_or_was_read_elsewhere_is_wrong(changed, wrong):
    assert wrong_blocks(READERS, changed, SIZE) == wrong
    assert result_of(NODES, READERS, changed, SIZE, "2").correct is (wrong == 0)


def test_a_node_that_did_nothing_is_not_right():
    assert result_of((*NODES, "c"), READERS, READS, SIZE, "2").correct is False


def test_result_says_where_the_work_was_done(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert result_of(NODES, READERS, READS, SIZE, "2.60.0") == RayResult(
        schema="sunk.dev/ray_nodes/v1",
        correct=True,
        hosts=("host-a", "host-b"),
        tasks=6,
        block_bytes=SIZE,
        wrong_blocks=0,
        library="ray 2.60.0",
        job_id="7",
    )
