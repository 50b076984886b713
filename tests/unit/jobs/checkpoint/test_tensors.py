"""Tensors that any number of ranks can load: boxes, files, and what is refused."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk_jobs.checkpoint import FormatError, Incompatible, Store
from sunk_jobs.checkpoint.boxes import Box, runs
from sunk_jobs.checkpoint.tensors import Chunk, TensorReader, Tensors, whole_chunk
from tests.support.checkpoint_runs import on_ranks


def elements(shape: tuple[int, ...], box: Box) -> bytes:
    """The bytes of a box of a tensor of 16-bit numbers 0, 1, 2 … in row-major order."""
    places = itertools.product(
        *(range(o, o + n) for o, n in zip(box.offsets, box.lengths, strict=True))
    )
    numbers = [
        sum(at * math.prod(shape[dim + 1 :]) for dim, at in enumerate(place)) for place in places
    ]
    return b"".join(number.to_bytes(2, "little") for number in numbers)


def cuts(draw, length: int) -> list[tuple[int, int]]:
    """Cut a dimension into offsets and lengths that cover it."""
    at = sorted({0, length, *draw(st.lists(st.integers(0, length), max_size=3))})
    return [(a, b - a) for a, b in itertools.pairwise(at)] or [(0, 0)]


@st.composite
def layouts(draw, shape: tuple[int, ...]) -> list[Box]:
    """Boxes that cover a tensor without overlapping."""
    return [
        Box(tuple(o for o, _ in parts), tuple(n for _, n in parts))
        for parts in itertools.product(*(cuts(draw, length) for length in shape))
    ]


SHAPES = st.lists(st.integers(0, 6), max_size=4).map(tuple)


@given(data=st.data(), shape=SHAPES)
def test_whatever_layout_saved_it_any_box_comes_back(tmp_path_factory, data, shape):
    boxes = data.draw(layouts(shape))
    owners = [data.draw(st.integers(0, 2)) for _ in boxes]
    wanted = data.draw(st.sampled_from([Box.whole(shape), *data.draw(layouts(shape))]))
    folder = tmp_path_factory.mktemp("ckpt")

    def run(rank):
        mine = [
            Chunk(tensor="w", dtype="U16", shape=shape, box=box, data=elements(shape, box))
            for box, owner in zip(boxes, owners, strict=True)
            if owner == rank.rank
        ]
        with Store(folder, group=rank, run_id="r") as store:
            store.save(1, {"state": Tensors(mine)})

    assert on_ranks(3, run) == [None] * 3
    with Store(folder, run_id="r") as store:
        reader = TensorReader(store.load_latest(), "state")
    assert reader.tensors() == {"w": ("U16", shape)}
    assert bytes(reader.read("w", wanted)) == elements(shape, wanted)


@given(data=st.data(), shape=SHAPES)
def test_runs_copy_what_both_boxes_hold_and_nothing_else(data, shape):
    source = data.draw(st.sampled_from(data.draw(layouts(shape))))
    target = data.draw(st.sampled_from(data.draw(layouts(shape))))
    common = source.common(target)
    if common is None:
        return
    given_, copied = elements(shape, source), bytearray(b"\xff\xff" * target.elements)
    total = 0
    for source_at, target_at, count in runs(source, target, common):
        copied[2 * target_at : 2 * (target_at + count)] = given_[
            2 * source_at : 2 * (source_at + count)
        ]
        total += count
    assert total == common.elements
    whole = elements(shape, target)
    for at in range(target.elements):
        assert bytes(copied[2 * at : 2 * at + 2]) in {whole[2 * at : 2 * at + 2], b"\xff\xff"}


def test_rows_that_follow_each_other_are_one_run():
    rows = Box((2, 0), (3, 4))
    assert list(runs(Box.whole((8, 4)), rows, rows)) == [(8, 0, 12)]


@pytest.fixture
def store(tmp_path: Path):
    with Store(tmp_path / "ckpt", run_id="r") as one:
        yield one


def test_the_file_is_safetensors_with_the_boxes_beside(store):
    half = Chunk(tensor="w", dtype="F32", shape=(4,), box=Box((2,), (2,)), data=bytes(range(8)))
    scalar = whole_chunk("step", "I64", (), (7).to_bytes(8, "little"))
    store.save(1, {"state": Tensors([half, scalar])})
    raw = store.load_latest().read("state")
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    assert length % 8 == 0
    assert header == {
        "step": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]},
        "w": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]},
        "__metadata__": {"chunks": '{"step": ["step", [], []], "w": ["w", [4], [2]]}'},
    }
    assert raw[8 + length :] == (7).to_bytes(8, "little") + bytes(range(8))


def test_copies_of_an_async_save_are_its_own(store):
    live = bytearray(b"12345678")
    pending = store.save_async(1, {"state": Tensors([whole_chunk("w", "U8", (8,), live)])})
    live[:] = b"xxxxxxxx"
    pending.result()
    assert TensorReader(store.load_latest(), "state").read("w") == b"12345678"


def test_replicas_may_be_saved_twice_and_holes_are_refused(store):
    box = Box((0,), (2,))
    one = Chunk(tensor="w", dtype="U8", shape=(4,), box=box, data=b"ab")
    store.save(1, {"a": Tensors([one, one])})
    reader = TensorReader(store.load_latest(), "a")
    assert reader.read("w", box) == b"ab"
    for wanted, said in (
        (None, r"2 of 4 elements of \[0:4\] saved"),
        (Box((3,), (2,)), r"\[3:5\] is not inside \[4\]"),
    ):
        with pytest.raises(Incompatible, match=said):
            reader.read("w", wanted)
    with pytest.raises(Incompatible, match="no such tensor"):
        reader.read("v")
    with pytest.raises(Incompatible, match="no such shard"):
        TensorReader(store.load_latest(), "b")


def test_chunks_that_overlap_are_refused(store):
    parts = [
        Chunk(tensor="w", dtype="U8", shape=(4,), box=Box((at,), (3,)), data=b"abc")
        for at in (0, 1)
    ]
    store.save(1, {"a": Tensors(parts)})
    with pytest.raises(FormatError, match=r"chunks overlap at \[1:4\]"):
        TensorReader(store.load_latest(), "a").read("w")


@pytest.mark.parametrize(
    ("dtype", "box", "data", "said"),
    [
        ("F31", Box((0,), (4,)), b"", "type F31 is none of the format's"),
        ("U8", Box((1,), (4,)), b"1234", r"\[1:5\] is not inside \[4\]"),
        ("U8", Box((), ()), b"1", r"\[\] is not inside \[4\]"),
        ("F32", Box((0,), (4,)), b"1234", "4 bytes for .* of F32, which takes 16"),
    ],
)
def test_chunk_that_does_not_fit_itself_is_refused(dtype, box, data, said):
    with pytest.raises(FormatError, match=said):
        Tensors([Chunk(tensor="w", dtype=dtype, shape=(4,), box=box, data=data)])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff" * 8,
        (2).to_bytes(8, "little") + b"{}",
        (4).to_bytes(8, "little") + b"null",
        (50).to_bytes(8, "little") + b'{"__metadata__": {"chunks": "{}"}, "w": {}}       ',
    ],
)
def test_what_is_no_tensor_file_is_an_error_that_names_it(store, raw):
    store.save(1, {"state": raw})
    with pytest.raises(FormatError, match=r"read step_00000001/state of rank 0"):
        TensorReader(store.load_latest(), "state")
