from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk_jobs import shards
from sunk_jobs.shards import inputs_of, mine


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    files = [tmp_path / f"in {number}" for number in range(5)]
    for number, file in enumerate(files):
        file.write_text(f"{number}\n")
    (tmp_path / "inputs.json").write_text(json.dumps([str(one) for one in files]))
    return [str(one) for one in files]


def made(folder: Path, *program: str) -> int:
    return shards.main(["make", *options(folder), "--", *program])


def options(folder: Path) -> list[str]:
    words = ["--inputs", str(folder / "inputs.json"), "--shards", "3"]
    return [*words, "--folder", str(folder / "out")]


JOIN = ("python3", "-m", "sunk_jobs.shards", "join", "{inputs}", "{output}")


@pytest.fixture(autouse=True)
def programs(monkeypatch):
    jobs = Path(shards.__file__).resolve().parent.parent
    monkeypatch.setenv("PYTHONPATH", str(jobs))


def test_all_shards_hold_all_inputs_once_and_the_manifest_is_last(inputs, tmp_path, monkeypatch):
    assert shards.main(["manifest", *options(tmp_path)]) == 1
    monkeypatch.setenv("SLURM_NTASKS", "2")
    for task in ("0", "1"):
        monkeypatch.setenv("SLURM_PROCID", task)
        assert made(tmp_path, *JOIN) == 0
    assert shards.main(["manifest", *options(tmp_path)]) == 0
    out = tmp_path / "out"
    told = json.loads((out / "manifest.json").read_text())
    assert [one["name"] for one in told["shards"]] == ["shard-00000", "shard-00001", "shard-00002"]
    assert "".join((out / one["name"]).read_text() for one in told["shards"]) == "0\n1\n2\n3\n4\n"
    assert sorted(file.name for file in out.iterdir()) == [
        "manifest.json",
        "shard-00000",
        "shard-00001",
        "shard-00002",
    ]


def test_shard_that_is_there_is_not_made_again(inputs, tmp_path):
    assert made(tmp_path, *JOIN) == 0
    assert made(tmp_path, "false") == 0


def test_failed_program_leaves_no_shard_and_gives_its_status(inputs, tmp_path):
    assert made(tmp_path, "sh", "-c", "echo half > $0; exit 7", "{output}") == 7
    assert not (tmp_path / "out" / "shard-00000").exists()


@given(count=st.integers(0, 50), pieces=st.integers(1, 20), tasks=st.integers(1, 9))
def test_each_input_is_in_one_shard_and_each_shard_of_one_task(count, pieces, tasks):
    names = [str(number) for number in range(count)]
    found = [inputs_of(names, number, pieces) for number in range(pieces)]
    assert [name for part in found for name in part] == names
    assert max(map(len, found)) - min(map(len, found)) <= 1
    assert sorted(n for task in range(tasks) for n in mine(pieces, task, tasks)) == [*range(pieces)]
