from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk_jobs import sweep
from sunk_jobs.sweep import SweepError, element, filled

SETTINGS = [{"seed": 1, "name": "a"}, {"seed": 2, "name": "$(id) 'x'"}]
TEXT = json.dumps(SETTINGS).encode()
DIGEST = hashlib.sha256(TEXT).hexdigest()
PROGRAM = (
    "import json, os, sys; from pathlib import Path\n"
    "own = json.loads(Path(os.environ['SETTINGS_FILE']).read_text())\n"
    "Path(os.environ['OUTPUT_DIR'], 'said').write_text(json.dumps([own, sys.argv[1:]]))\n"
    "sys.exit(int(sys.argv[2]))\n"
)


def run(folder: Path, index: int, *program: str, digest: str = DIGEST) -> int:
    (folder / "settings.json").write_bytes(TEXT)
    words = ["run", "--settings", str(folder / "settings.json"), "--sha256", digest]
    words += ["--index", str(index), "--folder", str(folder / "out"), "--", *program]
    return sweep.main(words)


def test_program_gets_its_settings_in_its_words_and_as_a_file(tmp_path):
    assert run(tmp_path, 1, sys.executable, "-c", PROGRAM, "{name}-{seed}-{other}", "0") == 0
    own, words = json.loads((tmp_path / "out" / "1" / "said").read_text())
    assert own == SETTINGS[1]
    assert words == ["$(id) 'x'-2-{other}", "0"]


def test_element_that_is_done_is_passed_over_and_one_that_failed_is_not(tmp_path):
    program = (sys.executable, "-c", PROGRAM, "x")
    assert run(tmp_path, 0, *program, "3") == 3
    assert not (tmp_path / "out" / "0" / "done").exists()
    assert run(tmp_path, 0, *program, "0") == 0
    assert (tmp_path / "out" / "0" / "done").exists()
    assert run(tmp_path, 0, "/no/such/program") == 0


def test_settings_that_changed_since_the_job_was_made_are_refused(tmp_path, capsys):
    assert run(tmp_path, 0, "true", digest="0" * 64) == 93
    assert "the settings have changed" in capsys.readouterr().err


@pytest.mark.parametrize("index", [-1, 2])
def test_element_that_does_not_exist_is_refused(index):
    with pytest.raises(SweepError, match="of 2"):
        element(TEXT, DIGEST, index)


@given(word=st.text(max_size=30), value=st.text(max_size=30))
def test_value_is_put_in_once_and_never_read_again(word, value):
    assert filled([f"{word}{{key}}"], {"key": value}) == [f"{word}{value}"]
