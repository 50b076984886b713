"""The page of job programs says what they print, write and end with."""

from __future__ import annotations

import pytest

from sunk.wellknown import TORCH_FOLDER
from sunk_jobs import exit_codes
from sunk_jobs.outputs import results
from sunk_jobs.outputs.run_files import heartbeat_file, loss_file
from tests.support.pages import DOCS, tables
from tests.support.result_tables import RESULTS, rows

PAGE = DOCS / "reference" / "programs.md"


@pytest.mark.parametrize("form", RESULTS, ids=lambda one: one.__name__)
def test_every_key_of_a_result_is_on_the_page_with_type_and_meaning(form):
    assert tables(PAGE)[form.__name__] == rows(form)


def test_schemas_on_the_page_are_those_in_the_code():
    schemas = {value for name, value in vars(results).items() if name.isupper()}
    found = {row["schema"].strip("`") for row in tables(PAGE)["Job programs"]}
    assert found == schemas | {""}


def test_exit_codes_on_the_page_are_those_in_the_code():
    codes = {value for name, value in vars(exit_codes).items() if name.isupper()}
    assert {int(row["code"]) for row in tables(PAGE)["Exit codes"]} == codes | {1, 2}


def test_files_of_a_run_are_where_the_programs_put_them(tmp_path):
    named = {row["file"].strip("`") for row in tables(PAGE)["Files of a training run"]}
    beat = heartbeat_file(tmp_path, 7, 8).relative_to(tmp_path)
    loss = loss_file(tmp_path, 8).relative_to(tmp_path)
    assert str(beat).replace("7", "RANK").replace("8", "ATTEMPT") in named
    assert str(loss).replace("8", "ATTEMPT") in named


def test_place_of_the_torch_environment_is_the_one_in_the_code():
    assert f"`{TORCH_FOLDER}`" in PAGE.read_text()
