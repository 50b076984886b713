from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sunk
from sunk.errors import InputError
from sunk.toolkit.catalogue import TEMPLATES, template_named
from sunk.toolkit.job_file import read_job
from sunk.toolkit.script import render_job
from tests.support.golden import check_golden

JOBS = {
    "hello-defaults": ("hello", []),
    "hello-quotes": ("hello", ["message='it''s $(here); \"x\" `y`'", "nodes=2"]),
    "mpi-defaults": ("mpi", []),
    "mpi-everything": (
        "mpi",
        [
            "name=bench.1",
            "partition=main",
            "account=team",
            "qos=high",
            "nodes=4",
            "tasksPerNode=8",
            "cpusPerTask=2",
            "memoryPerNode=16G",
            "gpusPerNode=8",
            "timeLimit=1-02:03:04",
            "environment={A: '1', B_2: 'two words'}",
            "program=[python3, -c, \"print('x y')\", 7]",
        ],
    ),
}


def rendered(case: str) -> str:
    source, assignments = JOBS[case]
    return render_job(*read_job(source, assignments)).script


@pytest.mark.parametrize("case", JOBS)
def test_script_is_the_golden_one(case):
    text = rendered(case).replace(sunk.__version__, "VERSION")
    check_golden(f"sbatch/{case}.sbatch", text)


@pytest.mark.parametrize("case", JOBS)
def test_script_is_good_bash_and_shellcheck_has_nothing_to_say(case, tmp_path):
    file = tmp_path / "job.sbatch"
    file.write_text(rendered(case))
    subprocess.run(["bash", "-n", file], check=True)
    checker = Path(sys.executable).parent / "shellcheck"
    done = subprocess.run(
        [checker, "--severity=warning", file], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""
    assert done.returncode == 0


def test_every_template_has_a_golden_file():
    assert {source for source, _ in JOBS.values()} == {template.name for template in TEMPLATES}


@given(message=st.text(max_size=60).filter(lambda text: "\0" not in text))
def test_any_message_reaches_the_program_as_one_unchanged_word(message):
    template, parameters = read_job("hello", [])
    script = render_job(template, parameters.model_copy(update={"message": message})).script
    command = script[script.index("\nsrun ") + 1 :]
    assert shlex.split(command)[-1] == message


@given(value=st.text(max_size=40), name=st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True))
def test_environment_value_never_leaves_its_variable(value, name):
    template, parameters = read_job("mpi", [])
    changed = parameters.model_copy(update={"environment": {name: value}})
    if "\0" in value:
        with pytest.raises(InputError, match="NUL"):
            render_job(template, changed)
        return
    script = render_job(template, changed).script
    body = script[script.index(f"export {name}=") : script.index("\n# PMIx")]
    assert shlex.split(body) == ["export", f"{name}={value}"]


@given(text=st.text(max_size=40))
def test_directive_holds_one_value_on_one_line_or_is_refused(text):
    template, parameters = read_job("mpi", [])
    changed = parameters.model_copy(update={"partition": text})
    try:
        script = render_job(template, changed).script
    except InputError as exc:
        assert "#SBATCH" in exc.message
        return
    lines = [line for line in script.splitlines() if line.startswith("#SBATCH --partition=")]
    assert len(lines) == 1
    assert lines[0].removeprefix("#SBATCH --partition=").strip('"') == text
    assert len(script.splitlines()) == len(render_job(template, parameters).script.splitlines()) + 1


def test_same_parameters_give_the_same_bytes_in_any_order():
    one = read_job("mpi", ["nodes=2", "environment={A: x, B: y}"])
    two = read_job("mpi", ["environment={B: y, A: x}", "nodes=2"])
    assert render_job(*one).script == render_job(*two).script


def test_a_changed_parameter_changes_the_digest():
    one = render_job(*read_job("mpi", ["nodes=2"]))
    two = render_job(*read_job("mpi", ["nodes=3"]))
    assert one.digest != two.digest


def test_unknown_template_is_refused_with_those_there_are():
    with pytest.raises(InputError) as raised:
        template_named("mpl")
    assert raised.value.hint == "templates: hello, mpi"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("nodes=0", "nodes: 0: Input should be greater than or equal to 1"),
        ("nodes=two", "nodes: 'two': Input should be a valid integer"),
        ("noes=2", "noes: no such parameter"),
        ("timeLimit=5x", "timeLimit: '5x'"),
        ("name='a b'", "name: 'a b'"),
        ("program=[]", "program: []"),
        ("environment={'A B': x}", "environment.A B"),
    ],
)
def test_wrong_parameter_is_named_with_its_value(assignment, message):
    with pytest.raises(InputError) as raised:
        read_job("mpi", [assignment])
    assert message in raised.value.message


def test_time_that_looks_like_a_number_to_old_yaml_stays_a_time(tmp_path):
    file = tmp_path / "job.yaml"
    file.write_text("template: mpi\ntimeLimit: 01:30:00\n")
    _, parameters = read_job(str(file), [])
    assert parameters.time_limit == "01:30:00"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a mapping"),
        ("- 1", "not a mapping"),
        ("nodes: 2", "template: missing"),
        ("template: mpi\nnodes: [", "read job file"),
        ("template: mpi\nnodes: 1\nnodes: 2", "twice"),
    ],
)
def test_damaged_job_file_is_one_clear_error(tmp_path, content, message):
    file = tmp_path / "job.yaml"
    file.write_text(content)
    with pytest.raises(InputError, match=message):
        read_job(str(file), [])


def test_missing_job_file_is_named():
    with pytest.raises(InputError, match=r"read job file none\.yaml: No such file"):
        read_job("./none.yaml", [])
