"""sunk job lint: exit codes, files, and which stream says what."""

from __future__ import annotations

import errno
import io
import json
from pathlib import Path

import pytest

from sunk.cli.app import run
from sunk.clients.slurm.site import SiteText
from sunk.wiring import login

CLEAN = "#!/bin/bash\n#SBATCH --time=10\nsrun hostname\n"
ERROR = "#!/bin/bash\n#SBATCH --time=10\nsrun mpirun x\n"
WARNING = "#!/bin/bash\nsrun hostname\n"
INFO = "#!/usr/bin/env python3\n#SBATCH --time=10\n"
UNPARSED = "#!/bin/bash\n#SBATCH --time=10\nif true; then\n"
FIXABLE = "#!/bin/bash\n#SBATCH --time=10 --requeue\nsrun hostname\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lint(folder, text, *words):
    (folder / "job.sbatch").write_text(text)
    return run(["job", "lint", *words, "job.sbatch"])


@pytest.mark.parametrize(
    ("text", "words", "code"),
    [
        (CLEAN, [], 0),
        (ERROR, [], 1),
        (WARNING, [], 0),
        (WARNING, ["--fail-on", "warning"], 1),
        (ERROR, ["--fail-on", "warning"], 1),
        (INFO, ["--fail-on", "warning"], 0),
        (INFO, ["--fail-on", "info"], 1),
        (UNPARSED, [], 5),
        (UNPARSED, ["--fail-on", "warning"], 1),
        (UNPARSED + "fi\nsrun mpirun x\n", [], 1),
    ],
)
def test_exit_code(folder, text, words, code):
    assert lint(folder, text, *words) == code


@pytest.mark.parametrize(("text", "code"), [(CLEAN, 0), (ERROR, 1)])
def test_script_may_come_from_stdin(folder, monkeypatch, text, code):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert run(["job", "lint", "-"]) == code


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "lint scripts: none were named"),
        (["no-such"], 2, "read script no-such: No such file or directory"),
        (["."], 2, "read script .: Is a directory"),
        (["--fix", "-"], 2, "--fix cannot write stdin"),
        (["--fix", "--diff", "job.sbatch"], 2, "--fix writes and --diff does not"),
        (["--write-baseline", "job.sbatch"], 2, "write baseline: no file was named"),
        (["--baseline", "no-such", "job.sbatch"], 2, "read baseline no-such: No such file"),
        (["--facts", "no-such", "job.sbatch"], 2, "read facts no-such: No such file"),
        (["--facts", "x", "--live", "job.sbatch"], 2, "--live and --facts both give them"),
        (["--output", "yaml", "job.sbatch"], 2, "yaml"),
    ],
)
def test_wrong_use_is_explained(folder, capsys, words, code, said):
    (folder / "job.sbatch").write_text(CLEAN)
    assert run(["job", "lint", *words]) == code
    assert said in " ".join(capsys.readouterr().err.split())


def test_findings_go_to_stdout_and_nothing_to_stderr(folder, capsys):
    lint(folder, ERROR)
    out, err = capsys.readouterr()
    assert out.startswith("job.sbatch:3:6: error S023 ")
    assert out.endswith("1 file: 1 error\n")
    assert err == ""


def test_json_and_sarif_are_one_document(folder, capsys):
    lint(folder, ERROR, "--output", "json")
    assert json.loads(capsys.readouterr().out)["findings"][0]["rule"] == "S023"
    lint(folder, ERROR, "--output", "sarif")
    assert json.loads(capsys.readouterr().out)["version"] == "2.1.0"


def test_fix_writes_the_file_and_keeps_its_mode(folder):
    file = folder / "job.sbatch"
    file.touch(mode=0o750)
    assert lint(folder, FIXABLE, "--fix", "--fail-on", "info") == 0
    assert file.read_text() == FIXABLE.replace(
        "--requeue\n", "--requeue\n#SBATCH --open-mode=append\n"
    )
    assert file.stat().st_mode & 0o777 == 0o750
    assert [one.name for one in folder.iterdir()] == ["job.sbatch"]


def test_fix_of_a_link_writes_the_file_behind_it(folder):
    (folder / "real").write_text(FIXABLE)
    (folder / "link").symlink_to("real")
    assert run(["job", "lint", "--fix", "link"]) == 0
    assert (folder / "link").is_symlink()
    assert "--open-mode" in (folder / "real").read_text()


def test_fix_that_cannot_be_written_says_so_and_leaves_the_file(folder, capsys, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert lint(folder, FIXABLE, "--fix") == 3
    assert "write script job.sbatch: No space left on device" in capsys.readouterr().err
    assert [one.name for one in folder.iterdir()] == ["job.sbatch"]
    assert (folder / "job.sbatch").read_text() == FIXABLE


def test_diff_prints_a_patch_to_stdout_and_changes_nothing(folder, capsys):
    lint(folder, FIXABLE, "--diff")
    out, err = capsys.readouterr()
    assert "+#SBATCH --open-mode=append\n" in out
    assert "warning S014" not in out
    assert "warning S014" in err
    assert (folder / "job.sbatch").read_text() == FIXABLE


def test_baseline_is_written_and_then_leaves_out_what_it_holds(folder, capsys):
    assert lint(folder, ERROR, "--baseline", "b.json", "--write-baseline") == 0
    assert lint(folder, ERROR, "--baseline", "b.json") == 0
    assert capsys.readouterr().out == "1 file: nothing found\n"
    assert lint(folder, ERROR + "srun mpirun y\n", "--baseline", "b.json") == 1


def test_facts_of_a_file_decide(folder, capsys):
    (folder / "facts.yaml").write_text("maxArraySize: 10\n")
    text = "#!/bin/bash\n#SBATCH --time=10 --array=0-10\nsrun hostname\n"
    assert lint(folder, text, "--fail-on", "warning") == 0
    assert lint(folder, text, "--fail-on", "warning", "--facts", "facts.yaml") == 1


def test_live_asks_slurm_and_looks_for_the_output_folder(folder, capsys, monkeypatch):
    site = SiteText(
        config="MaxArraySize = 10\n", partitions="", nodes="", topology="", sbatch_help=""
    )
    monkeypatch.setattr(login, "site_text", lambda: site)
    head = f"#!/bin/bash\n#SBATCH --time=10 --array=0-10 --output={folder}"
    assert lint(folder, f"{head}/%j.out\n", "--live") == 0
    assert " S053 " in capsys.readouterr().out
    assert lint(folder, f"{head}/may-be-made/%j.out\n", "--live") == 0
    assert lint(folder, f"{head}/job.sbatch/%j.out\n", "--live") == 1
    assert f"there is no folder {folder}/job.sbatch" in capsys.readouterr().out


def test_python_program_beside_the_script_is_looked_into(folder, capsys):
    (folder / "train.py").write_text("import torch\n\ntorch.save({}, 'model.pt')\n")
    lint(folder, "#!/bin/bash\n#SBATCH --time=10\nsrun python train.py\n")
    assert "job.sbatch:3:13: warning S056 train.py:3: " in capsys.readouterr().out


def test_rules_are_listed(folder, capsys):
    assert run(["job", "lint", "--list-rules"]) == 0
    assert capsys.readouterr().out.startswith("P001 warning part of the script")
    assert run(["job", "lint", "--list-rules", "--output", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 67


def test_script_larger_than_slurm_takes_is_refused(folder, capsys):
    (folder / "job.sbatch").write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    assert run(["job", "lint", "job.sbatch"]) == 2
    assert "larger than 4194304 bytes" in capsys.readouterr().err
