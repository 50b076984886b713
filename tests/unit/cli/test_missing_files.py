"""A file that somebody named and that is not there is wrong usage, whatever the command."""

from __future__ import annotations

import pytest

from sunk.cli import app, exits

NONE = "/nowhere/at/all"
SCRIPT = "job.sbatch"
COLLECT = ["fabric", "collect", "new", "w1"]
COMMANDS = (
    ["job", "lint", NONE],
    ["job", "lint", "--fix", NONE],
    ["job", "lint", "--diff", NONE],
    ["job", "lint", SCRIPT, NONE],
    ["job", "lint", "--facts", NONE, SCRIPT],
    ["job", "lint", "--baseline", NONE, SCRIPT],
    ["job", "render", f"{NONE}.yaml"],
    ["job", "render", "hello", "--profile", NONE],
    ["job", "render", "hello", "--diff", NONE],
    ["job", "submit", f"{NONE}.yaml"],
    ["job", "submit", "hello", "--profile", NONE],
    ["job", "check", f"{NONE}.yaml"],
    ["job", "layout", NONE, "--nodes", "1"],
    ["job", "prove", NONE],
    ["job", "record", NONE],
    ["job", "diff", NONE, NONE],
    ["job", "replay", NONE],
    ["job", "explain", NONE],
    ["job", "status", NONE],
    ["job", "cancel", NONE],
    ["job", "watch", NONE],
    ["job", "stats", NONE],
    ["profile", "show", NONE],
    ["profile", "validate", NONE],
    ["topology", "show", NONE],
    ["topology", "render", NONE, "--form", "tree"],
    ["topology", "validate", NONE],
    ["topology", "import", NONE, "--name", "a"],
    ["topology", "explain", NONE, "--nodes", "w1"],
    ["ckpt", "ls", NONE],
    ["ckpt", "verify", NONE],
    ["ckpt", "fsck", NONE],
    ["ckpt", "gc", NONE],
    ["fabric", "check", NONE],
    ["fabric", "check", "collected", "--expect", NONE],
    ["fabric", "check", "collected", "--intended", NONE],
    ["fabric", "topology", NONE],
    ["fabric", "test", "w[1-2]", "--topology", NONE],
    ["fabric", "test", "w[1-2]", "--profile", NONE],
    ["fabric", "test", "w[1-2]", "--expect", NONE],
    ["fabric", "test", "w[1-2]", "--addresses", NONE],
    [*COLLECT, "--hosts-file", NONE],
    [*COLLECT, "--text", f"nccl_log={NONE}"],
    [*COLLECT, "--archive", f"{NONE}/a.tar.gz"],
    [*COLLECT, "--identity", NONE],
    [*COLLECT, "--known-hosts", NONE],
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_missing_file_is_wrong_usage_and_is_named(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / SCRIPT).write_text("#!/bin/bash\n#SBATCH --time=1\nsrun ./simulate\n")
    (tmp_path / "collected").mkdir()
    code = app.run(list(words))
    out, err = capsys.readouterr()
    assert (code, out) == (exits.USAGE, "")
    assert err.startswith("error: ")
    assert NONE in err.splitlines()[0]
    assert not (tmp_path / "new").exists()


def test_folder_that_cannot_be_made_is_wrong_usage_and_no_fault_of_ours(tmp_path, capsys):
    file = tmp_path / "file"
    file.touch()
    assert app.run(["fabric", "collect", str(file / "new"), "--over", "local"]) == exits.USAGE
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: make the folder {file}/new: Not a directory"
    )
