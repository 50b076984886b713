from __future__ import annotations

import pytest

from tests.support.pages import DOCS, ROOT
from tests.support.transcript import BEGIN, END, main

PAGE = f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n"
SPACES = "  "
LOG = f"""\
.venv/bin/sunk demo{SPACES}
[  0.0 s] pause: start
[ 10.1 s] pause: compiled 50 of 58 packages
[ 12.0 s] pause: built in 0:12 (11.9 s)
[  10:26] kubernetes: built in 5:56 (5:56)
[  12:37] follow job 1: start
job 1 COMPLETED on w-[0-3], exit code 0
[  12:39] follow job 1: COMPLETED (1.6 s)

--- sinfo
main*        up   infinite      4   idle w-[0-3]{SPACES}
"""


def fill(tmp_path, page=PAGE, *more):
    (tmp_path / "demo.log").write_text(LOG)
    file = tmp_path / "page.md"
    file.write_text(page)
    main([str(tmp_path / "demo.log"), str(file), *more])
    return file.read_text()


def test_transcript_is_what_was_printed_less_the_steps_under_way(tmp_path):
    assert (
        fill(tmp_path, PAGE, "--run", "printf 'one  \\n\\ntwo\\n'")
        == f"""\
before

{BEGIN}

```console
$ make demo
[ 12.0 s] pause: built in 0:12 (11.9 s)
[  10:26] kubernetes: built in 5:56 (5:56)
job 1 COMPLETED on w-[0-3], exit code 0
[  12:39] follow job 1: COMPLETED (1.6 s)

--- sinfo
main*        up   infinite      4   idle w-[0-3]

$ printf 'one  \\n\\ntwo\\n'
one

two
```

{END}

after
"""
    )


def test_filling_again_gives_the_same_page(tmp_path):
    once = fill(tmp_path)
    assert fill(tmp_path, once) == once


@pytest.mark.parametrize("page", ["none", BEGIN, f"{END} {BEGIN}", f"{PAGE}{PAGE}"])
def test_page_without_its_two_marks_is_refused_and_kept(tmp_path, page):
    with pytest.raises(SystemExit, match="needs one"):
        fill(tmp_path, page)
    assert (tmp_path / "page.md").read_text() == page


def test_command_that_fails_ends_it_and_the_page_is_kept(tmp_path):
    with pytest.raises(SystemExit, match="error: false: exit status 1"):
        fill(tmp_path, PAGE, "--run", "false")
    assert (tmp_path / "page.md").read_text() == PAGE


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "tutorial" / "first-tour.md"])
def test_pages_with_a_transcript_have_the_marks(page):
    text = page.read_text()
    assert (text.count(BEGIN), text.count(END)) == (1, 1)
    assert text.index(BEGIN) < text.index(END)
