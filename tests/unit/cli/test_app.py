from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sunk.cli import app as app_module
from sunk.cli import exits
from sunk.errors import (
    CommandError,
    ConfigError,
    Conflict,
    EnvironmentFault,
    InputError,
    NotFound,
    RemoteError,
    SunkError,
    Unauthorized,
    Unreachable,
)


def every_error() -> list[type[SunkError]]:
    found, queue = [], [SunkError]
    while queue:
        kind = queue.pop()
        found.append(kind)
        queue += [one for one in kind.__subclasses__() if one.__module__ == "sunk.errors"]
    return found


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("x"), 2),
        (ConfigError("x"), 3),
        (EnvironmentFault("x"), 3),
        (CommandError("x"), 4),
        (RemoteError("x", system="s"), 4),
        (Unreachable("x", system="s"), 4),
        (Unauthorized("x", system="s"), 4),
        (NotFound("x", system="s"), 4),
        (Conflict("x", system="s"), 4),
    ],
)
def test_each_error_has_its_exit_code(error, code):
    assert exits.code_for(error) == code


def test_version_as_json_is_one_object_on_stdout(capsys):
    assert app_module.run(["version", "--output", "json"]) == 0
    out, err = capsys.readouterr()
    assert "sunk" in json.loads(out)
    assert err == ""


def test_unknown_command_is_a_usage_error_on_stderr(capsys):
    assert app_module.run(["vesion"]) == exits.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert "vesion" in err


def test_error_shows_what_and_hint_and_no_traceback(capsys, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise ConfigError("read setting x: missing", hint="set it")

    monkeypatch.setattr(app_module, "app", refuse)
    assert app_module.run(["version"]) == exits.CONFIGURATION
    assert capsys.readouterr().err == "error: read setting x: missing\nhint: set it\n"


def test_bug_of_ours_is_exit_code_70_with_a_traceback(capsys, monkeypatch):
    def break_down(*_args, **_kwargs):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(app_module, "app", break_down)
    assert app_module.run(["version"]) == exits.BUG
    err = capsys.readouterr().err
    assert "ZeroDivisionError: ours" in err
    assert "bug in sunk" in err


def test_interrupt_is_130_and_says_how_to_go_on(capsys, monkeypatch):
    def interrupt(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(app_module, "app", interrupt)
    assert app_module.run(["version"]) == exits.INTERRUPTED
    assert "run the same command again" in capsys.readouterr().err


def test_every_error_class_is_drawn_in_the_tree():
    from sunk import errors

    for kind in every_error():
        assert kind.__name__ in (errors.__doc__ or ""), kind.__name__


def test_interrupt_of_a_real_command_says_how_to_go_on(capsys, monkeypatch):
    def interrupt(*_words):
        raise KeyboardInterrupt

    monkeypatch.setattr(app_module, "show", interrupt)
    assert app_module.run(["version"]) == exits.INTERRUPTED
    assert "run the same command again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EACCES, "as root"),
        (errno.EROFS, "read-only"),
        (errno.ENOTDIR, "is a file"),
    ],
)
def test_what_the_machine_refuses_is_one_error_with_a_hint(capsys, monkeypatch, number, words):
    def refuse(*_words):
        raise OSError(number, os.strerror(number), "/some/file")

    monkeypatch.setattr(app_module, "show", refuse)
    assert app_module.run(["version"]) == exits.CONFIGURATION
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: use /some/file: {os.strerror(number)}\nhint: ")
    assert words in err


def test_missing_file_inside_is_still_a_bug_of_ours(capsys, monkeypatch):
    def miss(*_words):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "/ours")

    monkeypatch.setattr(app_module, "show", miss)
    assert app_module.run(["version"]) == exits.BUG
    assert "Traceback" in capsys.readouterr().err


def command(*words: str, **options) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "sunk.cli.app", *words]
    return subprocess.run(argv, stderr=subprocess.PIPE, text=True, check=False, **options)


@pytest.mark.parametrize("words", [["--help"], ["version"], ["version", "-o", "json"], ["doctor"]])
def test_reader_that_leaves_early_ends_the_command_quietly(words):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = command(*words, stdout=writing)
    finally:
        os.close(writing)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


def test_full_disk_behind_stdout_is_one_error():
    with Path("/dev/full").open("w") as full:
        done = command("version", "-o", "json", stdout=full)
    assert done.returncode == exits.CONFIGURATION
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_folder_that_was_removed_under_us_is_said(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    script = (
        "import os, sys; os.rmdir(os.getcwd()); from sunk.cli import app; "
        "sys.exit(app.run(['job', 'submit', 'hello', '--run-dir', 'x']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=gone, capture_output=True, text=True, check=False
    )
    assert done.returncode == exits.CONFIGURATION
    assert "the folder that you are in was removed" in done.stderr
    assert "Traceback" not in done.stderr
