from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime

import pytest

from sunk.errors import ConfigError, InputError
from sunk.model.slurm import JobId
from sunk.toolkit.catalogue import template_named
from sunk.toolkit.job_file import read_job
from sunk.toolkit.runs import find_run, make_run, note_job, parse_job_id, refuse_by_hand
from sunk.toolkit.script import render_job

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def made(root, source="mpi"):
    template, parameters = read_job(source, [])
    return make_run(root, template, parameters, render_job(template, parameters), NOW)


def test_folder_holds_script_record_and_programs_before_slurm_hears_of_it(tmp_path):
    run = made(tmp_path)
    assert run.folder.name == "mpi-20260102T030405"
    assert run.script.read_text().startswith("#!/bin/bash")
    assert (run.folder / "sunk_jobs" / "allreduce.py").exists()
    record = json.loads((run.folder / "record.json").read_text())
    assert record["job_id"] is None
    assert record["template"] == "mpi"
    assert record["parameters"]["nodes"] == 1


def test_template_without_programs_copies_none(tmp_path):
    assert not (made(tmp_path, "interactive").folder / "sunk_jobs").exists()


@pytest.mark.parametrize(("noted", "found"), [("17\n", True), ("", False), ("x", False)])
def test_run_that_somebody_gave_to_sbatch_is_known_by_what_the_job_noted(tmp_path, noted, found):
    run = made(tmp_path)
    (run.folder / "record").mkdir()
    (run.folder / "record" / "job_id").write_text(noted)
    assert (find_run(tmp_path, JobId(17)) is not None) is found


def test_script_outside_a_run_folder_says_what_to_do_and_touches_nothing(tmp_path):
    script = made(tmp_path / "runs").script
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        ["bash", str(script)], cwd=elsewhere, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"job: {elsewhere} is no run folder; make one with: sunk job submit --prepare\n"
    )
    assert not list(elsewhere.iterdir())


def test_two_runs_in_one_second_get_folders_of_their_own(tmp_path):
    assert made(tmp_path).folder != made(tmp_path).folder


def test_run_is_found_by_its_job(tmp_path):
    made(tmp_path)
    run = note_job(made(tmp_path), JobId(12))
    assert find_run(tmp_path, JobId(12)) == run
    assert find_run(tmp_path, JobId(13)) is None


def test_run_of_an_array_has_its_settings_and_knows_its_elements(tmp_path):
    run = note_job(made(tmp_path, "array-sweep"), JobId(12))
    assert json.loads((run.folder / "settings.json").read_text()) == [{"seed": 1}, {"seed": 2}]
    assert find_run(tmp_path, JobId(12)) == run
    assert (run.elements, run.log_of(1)) == (2, run.folder / "job.1.log")


def test_script_that_a_person_runs_is_not_submitted():
    refuse_by_hand(template_named("mpi"))
    with pytest.raises(InputError, match="submit interactive: its script asks for an allocation"):
        refuse_by_hand(template_named("interactive"))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"job_id": "12"}'])
def test_damaged_record_is_passed_over(tmp_path, content):
    run = note_job(made(tmp_path), JobId(12))
    (tmp_path / "zzz").mkdir()
    (tmp_path / "zzz" / "record.json").write_text(content)
    assert find_run(tmp_path, JobId(12)) == run


def test_unwritable_place_is_one_clear_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="make run folder in"):
        made(tmp_path / "file")


@pytest.mark.parametrize("text", ["", "0", "-1", "x", "1.0", "1 2", "²"])
def test_what_is_not_a_job_id_is_refused(text):
    with pytest.raises(InputError, match="not a number"):
        parse_job_id(text)
