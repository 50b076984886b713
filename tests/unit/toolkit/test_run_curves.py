"""Curves of a run, from its files."""

import json

from sunk.model.curve import Axis, Curve
from sunk.toolkit.run_curves import curves_of


def write(run, name, *records):
    file = run / name
    file.parent.mkdir(exist_ok=True)
    lines = (one if isinstance(one, str) else json.dumps(one) for one in records)
    file.write_text("".join(f"{line}\n" for line in lines))


def result(*rows):
    names = ("collective", "size_bytes", "busbw_gb_per_s")
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return {"schema": "sunk.dev/collectives/v1", "rows": found}


def test_losses_of_attempts_are_one_curve_in_which_the_last_word_counts(tmp_path):
    write(tmp_path, "record/loss.0.jsonl", {"step": 1, "loss": 5.0}, {"step": 2, "loss": 4.0})
    write(tmp_path, "record/loss.1.jsonl", {"step": 2, "loss": 3.5}, {"step": 3, "loss": 3.0})
    points = ((1, 5.0), (2, 3.5), (3, 3.0))
    assert curves_of(tmp_path) == (Curve(name="loss", along=Axis.STEP, points=points),)


def test_bandwidths_are_those_of_the_last_result_by_collective_and_size(tmp_path):
    old = result(("all_reduce", 8, 9.0))
    new = result(("all_reduce", 1024, 2.0), ("all_gather", 8, 0.5), ("all_reduce", 8, 1.0))
    write(tmp_path, "job.log", "starting", old, new, "done")
    gather, reduce = curves_of(tmp_path)
    assert (gather.name, gather.points) == ("all_gather busbw, GB/s", ((8, 0.5),))
    assert (reduce.name, reduce.points) == ("all_reduce busbw, GB/s", ((8, 1.0), (1024, 2.0)))


def test_result_in_the_log_of_the_first_rank_is_found(tmp_path):
    write(tmp_path, "job.log", "no result here")
    write(tmp_path, "logs/0.0.log", result(("all_reduce", 8, 1.0)))
    assert [one.points for one in curves_of(tmp_path)] == [((8, 1.0),)]


def test_files_of_other_forms_give_no_curve(tmp_path):
    write(tmp_path, "record/loss.0.jsonl", {"step": "x", "loss": 5.0})
    write(tmp_path, "job.log", '{"schema": "sunk.dev/collectives/v1", "rows": [3]}', "{torn", "[]")
    assert curves_of(tmp_path) == ()


def test_folder_without_files_gives_no_curve(tmp_path):
    assert curves_of(tmp_path) == ()
