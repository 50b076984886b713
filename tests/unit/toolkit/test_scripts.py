from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel

from sunk.errors import InputError
from sunk.model.profile import ContainerRuntime, TopologyPlugin
from sunk.toolkit.catalogue import TEMPLATES, template_named
from sunk.toolkit.job_file import read_job
from sunk.toolkit.lint.engine import lint_bytes
from sunk.toolkit.lint.syntax import parse
from sunk.toolkit.parameters import JobParameters
from sunk.toolkit.script import render_job
from tests.support.golden import check_golden
from tests.support.job_cases import (
    LARGE,
    PLACED,
    TRAINING,
    all_axes,
    axes_of,
    by_srun,
    changed_lines,
    defaults,
    large,
    large_parameters,
    string_fields,
)

NAMES = [one.name for one in TEMPLATES]
TREE = TopologyPlugin.TREE


@pytest.mark.parametrize("template", NAMES)
def test_script_without_parameters_is_the_golden_one(template):
    check_golden(f"sbatch/{template}.defaults.sbatch", defaults(template))


@pytest.mark.parametrize("template", NAMES)
def test_script_of_a_large_job_is_the_golden_one(template):
    check_golden(f"sbatch/{template}.large.sbatch", large(template))


@pytest.mark.parametrize("template", NAMES)
def test_scripts_for_all_kinds_of_clusters_are_the_golden_ones(template):
    check_golden(f"sbatch/{template}.axes", all_axes(template))


@pytest.mark.parametrize("template", TRAINING)
def test_script_of_a_training_that_srun_starts_is_the_golden_one(template):
    check_golden(f"sbatch/{template}.srun.sbatch", by_srun(template))


@pytest.fixture(scope="module")
def everything() -> dict[str, str]:
    """Every script of the golden files, by what it is."""
    found = {f"{name}-defaults": defaults(name) for name in NAMES}
    for name in NAMES:
        for number, axes in enumerate(axes_of(name)):
            found[f"{name}-{number}"] = large(name, axes)
            if name in TRAINING:
                found[f"{name}-srun-{number}"] = by_srun(name, axes)
    return found


def test_every_script_is_good_bash_and_shellcheck_has_nothing_to_say(everything, tmp_path):
    for name, text in everything.items():
        (tmp_path / name).write_text(text)
        subprocess.run(["bash", "-n", tmp_path / name], check=True)
    checker = Path(sys.executable).parent / "shellcheck"
    done = subprocess.run(
        [checker, "--severity=warning", *(tmp_path / name for name in everything)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""
    assert done.returncode == 0


def test_linter_finds_nothing_in_any_script(everything):
    found = {name: lint_bytes(name, text.encode()) for name, text in everything.items()}
    assert {name: one for name, one in found.items() if one} == {}


def test_every_template_has_a_large_job():
    assert set(LARGE) == set(NAMES)


# --- what starts the ranks


@pytest.mark.parametrize("template", TRAINING)
def test_launcher_changes_the_main_step_and_nothing_else(template):
    found = changed_lines(large(template), by_srun(template))
    assert all(line[1:].startswith("  ") for line in found), found
    assert '+      exec python3 -m sunk_jobs.rank_log "$@"' in found


def test_fewer_cpus_than_ranks_are_refused_where_each_rank_is_a_task():
    words = ["processesPerNode=4", "cpusPerTask=3", "launcher=srun"]
    with pytest.raises(InputError, match="at least one for each of 4 ranks of a node") as raised:
        read_job("fsdp2", words)
    assert "cpusPerTask: 3" in raised.value.message
    assert read_job("fsdp2", words[:2])[1].cpus_per_task == 3


# --- the axes


@pytest.mark.parametrize("template", PLACED)
def test_topology_changes_the_wish_for_places_and_nothing_else(template):
    tree, block, flat = (large(template, (one, None, True)) for one in TopologyPlugin)
    assert changed_lines(tree, flat) == ["-#SBATCH --switches=2@5"]
    assert changed_lines(flat, block) == ["+#SBATCH --segment=2"]


@pytest.mark.parametrize("template", sorted(set(NAMES) - set(PLACED)))
def test_job_without_a_wish_for_places_is_the_same_everywhere(template):
    assert len({large(template, axes) for axes in axes_of(template)}) == 1


def main_step(lines: list[str]) -> list[str]:
    """Leave out the lines that say which image it is and what it has, for the record."""
    told = ("sunk_jobs.versions", "versions /", "What the image has")
    kept = [
        line
        for line in lines
        if not any(word in line for word in told) and line not in ("-  '", "+")
    ]
    assert len(lines) - len(kept) == 6
    return kept


@pytest.mark.parametrize("template", PLACED)
def test_container_stands_before_the_program_of_the_main_step_and_nowhere_else(template):
    bare = large(template)
    pyxis = main_step(changed_lines(bare, large(template, (TREE, ContainerRuntime.PYXIS, True))))
    assert [line.split("=")[0].split()[-1] for line in pyxis] == [
        "--container-image",
        "--container-mounts",
        "--container-env",
    ]
    apptainer = changed_lines(bare, large(template, (TREE, ContainerRuntime.APPTAINER, True)))
    (line,) = main_step(apptainer)
    assert line.split()[:4] == ["+", "apptainer", "exec", "--nv"]


@pytest.mark.parametrize("template", sorted(set(NAMES) - {"interactive"}))
@pytest.mark.parametrize("container", [None, *ContainerRuntime])
def test_every_job_with_a_run_folder_records_versions_where_its_program_runs(template, container):
    lines = large(template, (TREE, container, True)).splitlines()
    said = [line.strip() for line in lines if "sunk_jobs.versions" in line]
    of_the_node = "".join(said[:1])
    assert of_the_node.startswith("python3 -m sunk_jobs.versions")
    assert '>"record/versions.$ATTEMPT.$SLURMD_NODENAME.json"' in of_the_node
    if template in PLACED and container is not None:
        (inside,) = said[1:]
        word = {ContainerRuntime.PYXIS: "--container-image"}.get(container, "apptainer exec")
        step = next(at for at, line in enumerate(lines) if word in line)
        assert lines.index(next(line for line in lines if inside in line)) > step
        assert "if ((SLURM_PROCID == 0))" in inside
    else:
        assert said[1:] == []


GPU_LINES = re.compile(
    r"gpu|NCCL|record/nccl|--cpu-bind=none --mpi=none|--mpi=pmix --export|TORCH_FR|PYTORCH_CUDA"
    r"|CUDA_DEVICE|apptainer exec|container-env|what its last collectives|One queue of work"
    r"|Shards of many sizes|^[-+]$"
)


@pytest.mark.parametrize("container", [None, *ContainerRuntime])
@pytest.mark.parametrize("template", [one for one in PLACED if one != "nccl-tests"])
def test_gpus_change_what_is_about_gpus_and_nothing_else(template, container):
    found = changed_lines(
        large(template, (TREE, container, True)), large(template, (TREE, container, False))
    )
    assert found
    assert [line for line in found if not GPU_LINES.search(line)] == []


def test_cluster_whose_topology_nobody_knows_is_asked_for_no_place():
    script = render_job(*read_job("fsdp2", ["nodes=4", "segment=2"])).script
    assert "--switches" not in script
    assert "#SBATCH --segment" not in script


# --- values never become commands


def commands_in(script: str) -> int:
    """Return how many commands the shell would see; -1 where it would not understand the text."""
    tree = parse(script.encode(errors="surrogatepass"))
    if tree.has_error:
        return -1
    found, nodes = 0, [tree]
    while nodes:
        node = nodes.pop()
        found += node.type in {"command", "declaration_command", "test_command"}
        nodes += node.children
    return found


HOSTILE = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["$(id)", "`id`", "'; id; '", '"; id; "', "a\nid\n", "a' \"b", "\\", "${IFS}", "&& id", "#"]
    ),
)
OPTIONAL = (
    *("partition", "account", "qos", "dependency", "api_key_file", "split_mask", "time_min"),
    "memory_per_node",
)


def texts_of(parameters: JobParameters) -> dict[str, Callable[[str], object]]:
    """Return the parameters that hold texts, and how a text is put there."""
    found: dict[str, Callable[[str], object]] = {"environment": lambda text: {"A": text}}
    for name in type(parameters).model_fields:
        now = getattr(parameters, name)
        if isinstance(now, str) or (now is None and name in OPTIONAL):
            found[name] = lambda text: text
        elif isinstance(now, list) and now and isinstance(now[0], str):
            found[name] = partial(repeated, len(now))
    return found


def repeated(count: int, text: str) -> list[str]:
    return [text] * count


@cache
def calm_commands(template: str, container: ContainerRuntime | None, name: str) -> int:
    """Return how many commands there are when a parameter holds something harmless."""
    parameters = large_parameters(template, (TREE, container, True))
    harmless = {"time_limit": "10", "time_min": "5", "switch_wait": "5", "collective_timeout": "5"}
    value = texts_of(parameters)[name](harmless.get(name, container or "a"))
    changed = parameters.model_copy(update={name: value})
    return commands_in(render_job(template_named(template), changed).script)


@pytest.mark.parametrize("template", NAMES)
@given(value=HOSTILE, data=st.data())
def test_no_value_of_any_parameter_changes_the_number_of_commands(template, value, data):
    boxes = (None, *ContainerRuntime) if template in PLACED else (None,)
    container = data.draw(st.sampled_from(boxes))
    parameters = large_parameters(template, (TREE, container, True))
    texts = texts_of(parameters)
    name = data.draw(st.sampled_from(sorted(texts)))
    changed = parameters.model_copy(update={name: texts[name](value)})
    try:
        script = render_job(template_named(template), changed).script
    except (InputError, ValueError):  # ValueError: no such container runtime
        return
    assert commands_in(script) == calm_commands(template, container, name), name


IN_FILES = {"grid", "settings"}
"""What reaches the run through a file beside the script, and never the script itself."""


@pytest.mark.parametrize("template", NAMES)
def test_every_parameter_that_holds_a_text_is_among_those_that_are_tried(template):
    boxes = (None, *ContainerRuntime) if template in PLACED else (None,)
    tried = {
        to_camel(name)
        for box in boxes
        for name in texts_of(large_parameters(template, (TREE, box, True)))
    }
    assert set(string_fields(template)) - tried <= IN_FILES


@given(message=st.text(max_size=60).filter(lambda text: "\0" not in text))
def test_any_message_reaches_the_program_as_one_unchanged_word(message):
    template, parameters = read_job("hello", [])
    script = render_job(template, parameters.model_copy(update={"message": message})).script
    command = script[script.index("\nsrun ") + 1 :]
    (said,) = (word for word in shlex.split(command) if word.startswith("--message="))
    assert said == f"--message={message}"


@given(value=st.text(max_size=40), name=st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True))
def test_environment_value_never_leaves_its_variable(value, name):
    template, parameters = read_job("mpi", [])
    changed = parameters.model_copy(update={"environment": {name: value}})
    if "\0" in value:
        with pytest.raises(InputError, match="NUL"):
            render_job(template, changed)
        return
    script = render_job(template, changed).script
    body = script[script.index(f"\nexport {name}=") : script.index("\n\n# Evidence of the ways")]
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
    assert raised.value.hint == "templates: " + ", ".join(NAMES)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("nodes=0", "nodes: 0: is below the least, 1"),
        ("nodes=two", "nodes: 'two': is not a whole number"),
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
