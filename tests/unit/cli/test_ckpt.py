"""sunk ckpt: what each command says of a folder, what it changes, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sunk.cli.app import run
from sunk_jobs.checkpoint import Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three whole checkpoints, and what a killed attempt leaves."""
    with Store(tmp_path / "ckpt", run_id="r", job_id="7", attempt=1) as store:
        store.save(10, {"state": b"a" * 2**20})
        store.save(20, {"state": b"b"})
    (tmp_path / "ckpt" / "step_00000030.tmp-7-0-abc").mkdir()
    (tmp_path / "ckpt" / "step_00000030.tmp-7-0-abc" / "r00000.state").write_bytes(b"c")
    return tmp_path / "ckpt"


def damage(folder: Path, step: int = 20) -> None:
    (folder / f"step_000000{step}" / "r00000.state").write_bytes(b"x")


def ask(capsys, *words: str | Path) -> tuple[int, list[dict]]:
    code = run(["ckpt", *map(str, words), "--output", "json"])
    return code, json.loads(capsys.readouterr().out or "null")


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def test_ls_shows_every_checkpoint_newest_first(folder, capsys):
    code, rows = ask(capsys, "ls", folder)
    assert code == 0
    for row in rows:
        row.pop("created")
    assert rows == [
        {
            "step": step,
            "state": "whole",
            "latest": step == 20,
            "world": 1,
            "size_mib": size,
            "run": "r",
            "job": "7",
            "attempt": 1,
            "tokens": None,
            "reason": None,
        }
        for step, size in ((20, 0.0), (10, 1.0))
    ]
    (folder / "step_00000020" / "r00000.state").unlink()
    _, rows = ask(capsys, "ls", folder)
    assert (rows[0]["state"], rows[0]["reason"]) == ("damaged", "r00000.state is not there")


def test_verify_reads_every_byte(folder, capsys):
    assert ask(capsys, "verify", folder)[0] == 0
    damage(folder)
    assert run(["ckpt", "ls", str(folder)]) == 0
    capsys.readouterr()
    code, rows = ask(capsys, "verify", folder)
    assert (code, [row["state"] for row in rows]) == (1, ["FAIL", "PASS"])
    assert rows[0]["reason"] == "r00000.state does not have its digest"
    assert ask(capsys, "verify", folder, "10")[0] == 0
    assert ask(capsys, "verify", folder, "15")[0] == 2
    assert ask(capsys, "verify", folder / "none")[0] == 2


def test_what_cannot_be_read_is_unknown_and_stays(folder, capsys, monkeypatch):
    state = folder / "step_00000020" / "r00000.state"
    state.unlink()
    state.symlink_to(state)  # a loop: an error that even root gets
    code, rows = ask(capsys, "verify", folder)
    assert (code, rows[0]["state"]) == (5, "UNKNOWN")
    assert ask(capsys, "fsck", folder, "--repair")[0] == 5
    assert (folder / "step_00000020").is_dir()


def test_fsck_says_what_is_wrong_and_repair_mends_it(folder, capsys):
    assert ask(capsys, "fsck", folder) == (0, [])
    damage(folder)
    before = names(folder)
    code, rows = ask(capsys, "fsck", folder)
    assert (code, names(folder)) == (1, before)
    assert rows == [
        {
            "name": "latest",
            "problem": "leads to step_00000020, and step_00000010 is the newest whole one",
            "mend": "point to step_00000010",
            "mended": False,
        },
        {
            "name": "step_00000020",
            "problem": "r00000.state does not have its digest",
            "mend": "set aside",
            "mended": False,
        },
    ]
    code, rows = ask(capsys, "fsck", folder, "--repair")
    assert (code, [row["mended"] for row in rows]) == (0, [True, True])
    assert ask(capsys, "fsck", folder) == (0, [])
    assert (folder / "latest").readlink() == Path("step_00000010")
    assert list(folder.glob(".damaged-step_00000020-*/MANIFEST.json"))
    assert ask(capsys, "gc", folder, "--damaged", "--delete")[0] == 0
    assert names(folder) == ["latest", "step_00000010"]


def test_a_lock_that_cannot_be_read_needs_a_person(folder, capsys):
    (folder / "LOCK").write_text("")
    code, rows = ask(capsys, "fsck", folder, "--repair")
    assert (code, rows[0]["name"], rows[0]["mended"]) == (1, "LOCK", False)


def test_gc_says_first_and_deletes_only_what_is_dead(folder, capsys):
    before = names(folder)
    said = [{"name": "step_00000030.tmp-7-0-abc", "reason": "was never committed"}]
    assert ask(capsys, "gc", folder) == (0, [one | {"deleted": False} for one in said])
    assert names(folder) == before
    assert ask(capsys, "gc", folder, "--delete") == (0, [one | {"deleted": True} for one in said])
    assert names(folder) == ["latest", "step_00000010", "step_00000020"]


def test_gc_keeps_the_newest_whole_ones_and_multiples(folder, capsys):
    with Store(folder, run_id="r", job_id="7") as store:
        store.save(30, {"state": b"c"})
    with Store(folder, run_id="r", job_id="7") as store:
        store.save(40, {"state": b"d"})
    kept = [name for name in names(folder) if "tmp" not in name]
    assert kept == ["latest", "step_00000030", "step_00000040"]
    damage(folder, 40)
    assert ask(capsys, "gc", folder, "--keep", "2", "--delete")[0] == 0
    assert names(folder) == kept
    assert ask(capsys, "gc", folder, "--keep", "1")[0] == 2
    assert ask(capsys, "gc", folder, "--keep-every", "10")[0] == 2


def test_a_folder_that_a_job_has_is_left_alone(folder, capsys):
    store = Store(folder, run_id="r", job_id="7")
    damage(folder)
    before = names(folder)
    for words in (["fsck", "--repair"], ["gc", "--delete"]):
        assert run(["ckpt", words[0], str(folder), words[1]]) == 1
        assert "held by job 7, attempt 0" in capsys.readouterr().err
    assert names(folder) == before
    assert run(["ckpt", "gc", str(folder)]) == 0
    assert "what it is writing is left out" in capsys.readouterr().err
    store.close()


def test_the_holders_own_draft_is_not_offered_for_deletion(folder, capsys):
    store = Store(folder, run_id="r", job_id="7", attempt=0)
    assert ask(capsys, "gc", folder) == (0, [])
    store.close()
