"""Completion, asked the way the shells ask: environment in, lines out, in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sunk.cli import complete
from sunk.toolkit.catalogue import TEMPLATES
from sunk.toolkit.runs import JOB_ID_FILE, RECORD_FILE, RUNS_FOLDER

SUNK = Path(sys.executable).parent / "sunk"
SLOW = ("ClusterShell", "cryptography", "httpx", "jinja2", "kubernetes", "msgspec", "paramiko")
"""What commands need; pydantic is not here because typer itself reads options with it."""


@pytest.fixture
def state(tmp_path):
    """State of two clusters, as their own commands leave it; the machine's is never looked at."""
    for name, nodes in (("demo", 2), ("other", 3)):
        home = tmp_path / "local" / name
        (home / "log").mkdir(parents=True)
        (home / "cluster.json").write_text(json.dumps({"node_count": nodes, "gpus": 0}))
        for log in ("etcd", "node1-kubelet"):
            (home / "log" / f"{log}.log").write_text("")
    (tmp_path / "local" / "half-removed").mkdir()
    return tmp_path


def ask_bash(line: str, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Ask for completions of the last word of `line`."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "SUNK_STATE_DIR": str(home),
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
        "_SUNK_COMPLETE": "complete_bash",
    } | more
    return subprocess.run([SUNK], env=environment, capture_output=True, text=True, check=False)


def offered(line: str, home: Path) -> list[str]:
    done = ask_bash(line, home)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "sunk ",
            [
                *(
                    "bridge",
                    "bundle",
                    "ckpt",
                    "cluster",
                    "demo",
                    "doctor",
                    "fabric",
                    "job",
                    "local",
                ),
                *("node", "plan", "profile", "topology", "version"),
            ],
        ),
        ("sunk local k", ["kubeconfig", "kubectl"]),
        ("sunk version --o", ["--output"]),
        ("sunk version --output ", ["table", "json", "yaml"]),
        ("sunk local status --name ", ["demo", "other"]),
        ("sunk demo --name o", ["other"]),
        ("sunk local node kill ", ["node1", "node2"]),
        ("sunk local node heal --name other ", ["node1", "node2", "node3"]),
        ("sunk local logs ", ["etcd", "node1-kubelet"]),
        ("sunk local logs --name other n", ["node1-kubelet"]),
        ("sunk local logs --name none ", []),
        ("sunk job template show ", sorted(one.name for one in TEMPLATES)),
        ("sunk job render mp", ["mpi"]),
        ("sunk job submit hel", ["hello"]),
    ],
)
def test_bash_is_offered(line, words, state):
    assert offered(line, state) == words


def test_steps_of_the_folder_that_was_typed_are_offered(tmp_path):
    for step in (20, 1200):
        (tmp_path / "ckpt" / f"step_{step:08d}").mkdir(parents=True)
    assert offered(f"sunk ckpt verify {tmp_path}/ckpt ", tmp_path) == ["1200", "20"]
    assert offered(f"sunk ckpt verify {tmp_path}/none ", tmp_path) == []


def test_contexts_come_from_the_named_file_and_never_from_the_environment(tmp_path):
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps({"contexts": [{"name": "b"}, {"name": "a"}]}))
    assert offered(f"sunk demo --kubeconfig {kubeconfig} --context ", tmp_path) == ["a", "b"]
    done = ask_bash("sunk demo --context ", tmp_path, KUBECONFIG=str(kubeconfig))
    assert (done.stdout.split(), done.stderr) == ([], "")


def test_jobs_are_those_with_a_run_folder_newest_first(tmp_path):
    for age, (name, record) in enumerate(
        [("b", '{"job_id": 17}'), ("a", '{"job_id": 9}'), ("c", '{"job_id": null}'), ("d", "dam")]
    ):
        file = tmp_path / RUNS_FOLDER / name / RECORD_FILE
        file.parent.mkdir(parents=True)
        file.write_text(record)
        os.utime(file, (1000 - age, 1000 - age))
    assert offered("sunk job follow ", tmp_path) == ["17", "9"]


def test_prepared_run_is_offered_once_its_job_has_said_its_number(tmp_path):
    root = tmp_path / RUNS_FOLDER
    for age, (name, word) in enumerate([("a", "41\n"), ("b", None), ("c", "torn"), ("d", "7\n")]):
        file = root / name / RECORD_FILE
        (file.parent / "record").mkdir(parents=True)
        file.write_text('{"job_id": null}')
        if word is not None:
            (root / name / JOB_ID_FILE).write_text(word)
        os.utime(file, (1000 - age, 1000 - age))
    assert offered("sunk job follow ", tmp_path) == ["41", "7"]


def test_templates_on_disk_are_the_catalogue():
    assert complete.templates() == sorted(one.name for one in TEMPLATES)


@pytest.mark.parametrize(
    "line",
    [
        "sunk local node kill ",
        "sunk local logs ",
        "sunk local status --name ",
        "sunk job follow ",
        "sunk local logs --state-dir relative ",
        "sunk local logs --name ../../etc ",
        "sunk demo --kubeconfig /none --context ",
    ],
)
def test_nothing_to_offer_is_said_without_a_word(line, tmp_path):
    done = ask_bash(line, tmp_path)
    assert (done.stdout.strip(), done.stderr) == ("", "")


@pytest.mark.parametrize("instruction", ["complete_bash", "complete_tcsh", "nonsense", ""])
def test_a_shell_that_asks_wrongly_gets_no_words(instruction, tmp_path):
    environment = {"PATH": os.environ["PATH"], "_SUNK_COMPLETE": instruction}
    done = subprocess.run([SUNK], env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert "Traceback" not in done.stdout


def test_damaged_state_is_passed_over_in_silence(state):
    (state / "local" / "demo" / "cluster.json").write_text("{")
    done = ask_bash("sunk local node kill ", state)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("line", ["sunk ", "sunk local logs ", "sunk job render ", "sunk demo --"])
def test_completion_imports_nothing_slow(line, state):
    """Counted, not timed: each of these costs a tenth of a second or more."""
    done = ask_bash(line, state, PYTHONPROFILEIMPORTTIME="1")
    imported = {row.rsplit("|", 1)[-1].strip() for row in done.stderr.splitlines()}
    assert "typer" in imported
    assert sorted(imported & set(SLOW)) == []


def test_zsh_and_fish_are_offered_the_same(state):
    asked = {"_TYPER_COMPLETE_ARGS": "sunk local node kill "}
    zsh = ask_bash("", state, _SUNK_COMPLETE="complete_zsh", **asked)
    assert zsh.stdout.strip() == """_arguments '*: :(("node1"\n"node2"))'"""
    fish = asked | {"_SUNK_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    assert ask_bash("", state, **fish).stdout.split() == ["node1", "node2"]
    fish |= {"_TYPER_COMPLETE_FISH_ACTION": "is-args"}
    assert ask_bash("", state, **fish).returncode == 0
    fish |= {"_TYPER_COMPLETE_ARGS": "sunk local node kill x"}
    assert ask_bash("", state, **fish).returncode == 1


def run_under(shell: str, words: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a command line in bash under the name of another shell: nothing else is looked at."""
    bash = shutil.which("bash")
    assert bash is not None
    (home / shell).symlink_to(bash)
    return subprocess.run(
        [home / shell, "-c", f"{SUNK} {words}; exit $?"],
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_for_the_shell_at_hand_asks_sunk(shell, tmp_path):
    done = run_under(shell, "--show-completion", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"_SUNK_COMPLETE=complete_{shell}" in done.stdout


@pytest.mark.parametrize(
    ("shell", "place"),
    [
        ("bash", ".bash_completions/sunk.sh"),
        ("zsh", ".zfunc/_sunk"),
        ("fish", ".config/fish/completions/sunk.fish"),
    ],
)
def test_script_is_installed_where_the_shell_looks(shell, place, tmp_path):
    done = run_under(shell, "--install-completion", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"_SUNK_COMPLETE=complete_{shell}" in (tmp_path / place).read_text()


def test_bash_itself_completes_with_the_script(state):
    """The whole way: a real bash, its own completion machinery, our script."""
    script = run_under("bash", "--show-completion", state).stdout
    ask = f"""
{script}
COMP_WORDS=(sunk local node kill ""); COMP_CWORD=4
_sunk_completion {SUNK} "" kill
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        ["bash", "--norc", "-c", ask],
        env={"PATH": os.environ["PATH"], "HOME": str(state), "SUNK_STATE_DIR": str(state)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.split(), done.stderr) == (["node1", "node2"], "")
