from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from sunk.clients import process
from sunk.model.cluster import NodeSet, SlurmCluster
from tests.support.pods import everything, pods
from tests.support.render import REPOSITORY

FOLDER = REPOSITORY / "templates" / "slurm"
SCRIPTS = sorted(FOLDER.glob("*.sh"))
SLURM_CLIENTS = re.compile(r"(?<![\w/-])(?:scontrol|sacctmgr|squeue|sinfo|sacct)\s")


def test_there_are_scripts() -> None:
    assert "slurmd.sh" in {path.name for path in SCRIPTS}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_script_is_bash(path: Path) -> None:
    process.run(["bash", "-n", path], timeout_seconds=10)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing(path: Path) -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    process.run([shellcheck, "--external-sources", path.name], timeout_seconds=30, cwd=FOLDER)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_slurm_clients_have_a_time_limit_and_keep_their_messages(path: Path) -> None:
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        code = re.sub(r'"[^"]*"', '""', line.split(" #")[0])
        if line.lstrip().startswith("#"):
            continue
        assert "2>/dev/null" not in code, f"{path.name}:{number} throws messages away"
        for found in SLURM_CLIENTS.finditer(code):
            before = code[: found.start()].rstrip()
            assert re.search(r"timeout \d+$", before) or "say " in before, (
                f"{path.name}:{number} runs a client without a time limit"
            )


def entry_scripts() -> list[tuple[str, tuple[str, ...]]]:
    """Each started script and the variables that its container sets."""
    cluster = SlurmCluster(name="lab", node_sets=(NodeSet(name="w"),))
    found = []
    for _, template in pods(everything(cluster)):
        for container in template["spec"]["containers"]:
            names = tuple(one["name"] for one in container["env"])
            hooks = container.get("lifecycle", {}).get("preStop", {}).get("exec", {})
            for command in (container["command"], hooks.get("command", [])):
                found += [(Path(word).name, names) for word in command if word.endswith(".sh")]
    return found


@pytest.mark.parametrize(("name", "given"), entry_scripts())
def test_script_gets_every_variable_that_it_demands(name: str, given: tuple[str, ...]) -> None:
    demanded = set(re.findall(r"\$\{([A-Z_]+):\?\}", (FOLDER / name).read_text()))

    assert demanded <= set(given)


def in_bash(text: str, cwd: Path) -> process.Completed:
    return process.run(
        ["bash", "-euo", "pipefail", "-c", f". '{FOLDER}/common.sh'\n{text}"],
        timeout_seconds=20,
        cwd=cwd,
        check=False,
    )


def test_waiting_ends_with_success_as_soon_as_the_command_succeeds(tmp_path: Path) -> None:
    done = in_bash(
        'try() { echo x >>tries; [[ $(wc -l <tries) -ge 3 ]] || { echo "not yet"; false; }; }\n'
        "wait_for 10 something try",
        tmp_path,
    )

    assert done.status == 0
    assert (tmp_path / "tries").read_text() == "x\n" * 3
    assert "waiting for something: not yet" in done.stderr


def test_waiting_gives_up_and_says_what_the_last_try_said(tmp_path: Path) -> None:
    done = in_bash('try() { echo "no such host" >&2; false; }\nwait_for 1 "the moon" try', tmp_path)

    assert done.status == 1
    assert "gave up after 1 s waiting for the moon: no such host" in done.stderr


def test_closed_port_is_not_open(tmp_path: Path) -> None:
    assert in_bash("port_open 127.0.0.1 1", tmp_path).status != 0
