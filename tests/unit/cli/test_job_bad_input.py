"""Bad input of every kind to the running job commands: refused or unknown, named, never a crash."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sunk.cli import app, exits
from sunk.model.profile import TopologyPlugin
from sunk.render.profile import dump_profile
from sunk.toolkit.catalogue import TEMPLATES
from sunk.toolkit.parameters.kinds import in_words
from sunk.wiring import login
from sunk_jobs import health, hello
from tests.support.job_cases import profile_of, string_fields

NONE = "/nowhere/at/all"
FORM = "(source: the template's form"


def typed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Return exit code, stdout and stderr of a command line."""
    code = app.run(["job", *words])
    found = capsys.readouterr()
    return code, found.out, found.err


def render(capsys: pytest.CaptureFixture[str], template: str, *values: str) -> tuple[int, str, str]:
    words = [word for value in values for word in ("--set", value)]
    return typed(capsys, "render", template, *words)


# --- wrong units


@pytest.mark.parametrize(
    ("template", "value", "field", "nearest"),
    [
        ("hello", "memoryPerNode=64GiB", "memoryPerNode: '64GiB': ", "64G"),
        ("hello", "memoryPerNode=lots", "memoryPerNode: 'lots': ", None),
        ("data-preparation", "memoryPerCpu=1.5G", "memoryPerCpu: '1.5G': ", None),
        ("hello", "timeLimit=4h", "timeLimit: '4h': ", "04:00:00"),
        ("hello", "timeLimit=01:75:00", "timeLimit: '01:75:00': ", None),
        ("fsdp2", "timeMin=-5", "timeMin: -5: ", None),
        ("nccl-tests", "maxBytes=1GB", "maxBytes: '1GB': ", "1G"),
        ("fsdp2", "saveSeconds=5m", "saveSeconds: '5m': ", None),
        ("health-gate", "clockSkewSeconds=nan", "clockSkewSeconds: 'nan': ", "3600.0"),
        ("mpi", "nodes=2.5", "nodes: 2.5: ", None),
    ],
)
def test_wrong_unit_is_named_with_what_would_do(capsys, template, value, field, nearest):
    code, out, err = render(capsys, template, value)
    start = f"error: read parameters of template {template}: {field}"
    end = f"{FORM})\n" if nearest is None else f"{FORM}; nearest: {nearest})\n"
    assert (code, out, err.startswith(start), err.endswith(end)) == (2, "", True, True), err


@pytest.mark.parametrize(
    ("template", "value", "said"),
    [
        (
            "hello",
            "partition=a b",
            "partition: 'a b': wanted is a name of letters, digits and _ . + : @ -, beginning with "
            "a letter, a digit or _ (Partition; absent: the profile's that fits, else the "
            "cluster's default.)",
        ),
        (
            "hello",
            "environment={A B: x}",
            "environment.A B: 'A B': wanted is a name of letters, digits and _, not beginning with "
            "a digit (Variables set for the program; secrets are refused: name a file instead.)",
        ),
        (
            "vllm",
            "apiKeyFile=key",
            "apiKeyFile: 'key': wanted is an absolute path "
            "(File of mode 600 with the key that clients show.)",
        ),
    ],
)
def test_wrong_form_is_said_in_words(capsys, template, value, said):
    wanted = f"error: read parameters of template {template}: {said} {FORM})\n"
    assert render(capsys, template, value) == (2, "", wanted)


def patterns_in(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        for key, inner in schema.items():
            yield from patterns_in(inner)
            if key == "patternProperties":
                yield from inner
    elif isinstance(schema, list):
        for inner in schema:
            yield from patterns_in(inner)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda one: one.name)
def test_every_form_of_every_parameter_has_words(template):
    found = set(patterns_in(template.form.model_json_schema()))
    assert found
    assert {one for one in found if in_words(one) is None} == set()


# --- texts that are no YAML, or too much of it

DEEP = "[" * 5000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("template: fsdp2\nnodes: [1,\n", ", line 3, column 1: expected the node content"),
        ("template: mpi\nnodes: 2\nnodes: 3\n", ", line 3, column 1: key 'nodes' stands here"),
        (f"template: hello\nmessage: {DEEP}", ": nested too deeply"),
        ("a: \x01", ": unacceptable character"),
    ],
)
def test_damaged_yaml_is_named_with_its_place(capsys, tmp_path, text, said):
    file = tmp_path / "a.yaml"
    file.write_text(text)
    for words, what in (
        (("render", str(file)), f"job file {file}"),
        (("lint", "--facts", str(file), __file__), f"facts {file}"),
        (("layout", str(file), "--nodes", "1"), str(file)),
    ):
        code, out, err = typed(capsys, *words)
        assert (code, out, err.startswith(f"error: read {what}{said}")) == (2, "", True), err


def test_assignment_that_is_nested_too_deeply_is_refused(capsys):
    wanted = "error: read --set message: nested too deeply\n"
    assert render(capsys, "hello", f"message={DEEP}") == (2, "", wanted)


def test_json_that_is_no_baseline_is_said_to_be_none(capsys, tmp_path):
    file = tmp_path / "b.json"
    for text in ("{}", "[]", '{"version": 1, "findings": [{}]}'):
        file.write_text(text)
        code, _, err = typed(capsys, "lint", "--baseline", str(file), __file__)
        said = f"error: read baseline {file}: it is JSON, and no baseline of findings\n"
        assert (code, err.startswith(said)) == (2, True), err


# --- impossible layouts


@pytest.mark.parametrize(
    ("template", "values", "said"),
    [
        (
            "megatron",
            ("nodes=6", "tensorParallel=4"),
            "tensorParallel: 4: TP·CP·PP = 4 has to divide 6 ranks "
            "(source: world = TP·CP·PP·DP; nearest: 3)",
        ),
        (
            "vllm",
            ("nodes=2", "tensorParallel=3"),
            "tensorParallel: 3: TP·PP = 3 has to be 2 "
            "(source: nodes · processesPerNode; nearest: 2)",
        ),
        (
            "mpi",
            ("nodes=6", "segment=4"),
            "segment: 4: has to divide 6 nodes (source: sbatch(1), --segment; nearest: 3)",
        ),
        (
            "deepspeed",
            ("nodes=2", "globalBatch=3"),
            "globalBatch: 3: a multiple of 2 (source: microBatch · 2 replicas; nearest: 4)",
        ),
    ],
)
def test_impossible_layout_is_refused_with_the_nearest_that_is_possible(
    capsys, template, values, said
):
    wanted = (2, "", f"error: read parameters of template {template}: {said}\n")
    assert render(capsys, template, *values) == wanted


# --- missing files

NO_FILE = "No such file or directory"
NO_FOLDER = "there is no such folder\nhint: give its folder, name or job number: sunk job list\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ["render", f"{NONE}.yaml"],
            2,
            f"read job file {NONE}.yaml: {NO_FILE}\n"
            "hint: give the path of a YAML file, or a template's name: sunk job template list\n",
        ),
        (
            ["render", "hello", "--profile", NONE],
            2,
            f"read {NONE}: {NO_FILE}\nhint: give the path of a file\n",
        ),
        (
            ["render", "hello", "--diff", NONE],
            2,
            f"read {NONE}: {NO_FILE}\nhint: give the path of a file\n",
        ),
        (
            ["lint", NONE],
            2,
            f"read script {NONE}: {NO_FILE}\nhint: give the paths of sbatch scripts\n",
        ),
        (["lint", "--facts", NONE, __file__], 2, f"read facts {NONE}: {NO_FILE}\n"),
        (["lint", "--baseline", NONE, __file__], 2, f"read baseline {NONE}: {NO_FILE}\n"),
        (
            ["prove", NONE],
            2,
            f"prove {NONE}: {NO_FOLDER}",
        ),
        (["list", "--run-dir", NONE], 2, f"list runs in {NONE}: there is no such folder\n"),
        (["record", NONE], 2, f"show {NONE}: {NO_FOLDER}"),
        (["diff", NONE, NONE], 2, f"compare {NONE}: {NO_FOLDER}"),
        (["replay", NONE], 2, f"replay {NONE}: {NO_FOLDER}"),
        (["explain", NONE], 2, f"explain {NONE}: {NO_FOLDER}"),
        (["status", NONE], 2, f"show {NONE}: {NO_FOLDER}"),
        (["watch", NONE], 2, f"watch {NONE}: {NO_FOLDER}"),
        (["stats", NONE], 2, f"measure {NONE}: {NO_FOLDER}"),
    ],
)
def test_missing_file_or_folder_is_named(capsys, words, code, said):
    assert typed(capsys, *words) == (code, "", f"error: {said}")


# --- secrets

TOKEN = f"hf_{'a' * 30}"


def values_of(template: str) -> Iterator[tuple[str, str, str]]:
    """Yield template, parameter and an assignment that puts the token there."""
    for name, kinds in string_fields(template).items():
        if "object" in kinds:
            text = f"{{A: [{TOKEN}]}}" if "array" in kinds else f"{{A: {TOKEN}}}"
            text = f"[{{A: {TOKEN}}}]" if name == "settings" else text
        else:
            text = f"[{TOKEN}]" if "array" in kinds else TOKEN
        yield template, name, f"{name}={text}"


SECRETS = [one for template in TEMPLATES for one in values_of(template.name)]


@pytest.mark.parametrize(("template", "name", "assignment"), SECRETS)
def test_secret_in_any_parameter_of_any_template_is_refused_and_never_shown(
    capsys, template, name, assignment
):
    code, out, err = render(capsys, template, assignment)
    assert (code, out) == (exits.USAGE, "")
    assert err.startswith(f"error: read parameters of template {template}: {name}")
    assert TOKEN not in err


# --- profiles of another cluster


def test_profile_of_another_cluster_is_refused_before_anything_is_made(
    capsys, monkeypatch, tmp_path
):
    monkeypatch.setattr(login, "cluster_name", lambda: "other")
    file = tmp_path / "profile.yaml"
    file.write_text(dump_profile("lab", profile_of(TopologyPlugin.TREE)))
    runs = tmp_path / "runs"
    words = ("submit", "hello", "--profile", str(file), "--run-dir", str(runs))
    code, out, err = typed(capsys, *words)
    assert (code, out, runs.exists()) == (2, "", False)
    assert "the profile is of cluster lab" in err
    assert "other" in err


# --- logs

LINES = (
    "NCCL version 2.30.7+cuda13.0",
    "ncclCommInitRank comm 0x1 rank 0 nranks 1 cudaDev 0 - Init COMPLETE",
    "Channel 00/0 : 0[0] -> 0[0] [send] via NET/IB/0/GDRDMA",
)


def logged(folder: Path, text: str) -> str:
    file = folder / "record" / "nccl" / "0.w1.1"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return str(folder)


def nccl(*lines: str) -> str:
    return "".join(f"w1:1:9 [0] NCCL INFO {line}\n" for line in lines)


def proved(capsys: pytest.CaptureFixture[str], folder: str) -> tuple[int, list[dict[str, Any]]]:
    code, out, err = typed(capsys, "prove", folder, "--output", "json")
    assert err == ""
    (account,) = json.loads(out)
    return code, account["processes"]


@pytest.mark.parametrize(
    "lines",
    [
        ("NCCL version 99.0.0+cuda42", "comm 0x1: rank zero of one is ready", "ring 0 by fabric"),
        ("Bootstrap : Using eth0", "NET/Quantum : Using [0]qp0", "Ring 00 : 0 -> 1 via NET/Q/0"),
    ],
)
def test_log_of_an_nccl_whose_words_nobody_knows_proves_nothing(capsys, tmp_path, lines):
    code, processes = proved(capsys, logged(tmp_path, nccl(*lines)))
    verdicts = {one["verdict"] for process in processes for one in process["findings"]}
    assert code == exits.UNKNOWN
    assert "PASS" not in verdicts


@pytest.mark.parametrize("cut", range(0, len(nccl(*LINES)), 7))
def test_truncated_log_proves_no_more_than_the_whole_one(capsys, tmp_path, cut):
    code, processes = proved(capsys, logged(tmp_path, nccl(*LINES)[:cut]))
    assert code == exits.UNKNOWN
    for process in processes:
        assert process["rank"] in {None, 0}


# --- hostlists of 100,000 nodes

HUGE = "w[1-100000]"


def test_script_that_names_100000_nodes_is_linted(capsys, tmp_path):
    file = tmp_path / "job.sbatch"
    file.write_text(f"#!/bin/bash\n#SBATCH --time=60 --nodelist={HUGE}\nsrun ./simulate\n")
    code, _, err = typed(capsys, "lint", str(file))
    assert (code, err) == (exits.OK, "")


OTHERS = "w[1-4,6-100000]"


def judged(capsys: pytest.CaptureFixture[str], program: Any, folder: Path, *words: str) -> Any:
    """Return the record of a job program on a job of 100,000 nodes of which one spoke."""
    code = program.main(["judge", "--folder", str(folder), "--nodes", HUGE, *words])
    found = capsys.readouterr()
    assert (code, found.err) == (1, "")
    return json.loads(found.out)


def test_nodes_of_a_huge_job_whose_ranks_say_nothing_are_named(capsys, tmp_path):
    slurm = {"SLURM_PROCID": "4", "SLURM_LOCALID": "0", "SLURMD_NODENAME": "w5"}
    assert hello.main(["say", "--folder", str(tmp_path)], slurm) == 0
    capsys.readouterr()
    record = judged(capsys, hello, tmp_path, "--ranks-per-node", "1")
    assert record["faults"] == [f"{OTHERS}: 0 ranks, not 1"]


def test_nodes_of_a_huge_job_that_do_not_report_are_excluded(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURMD_NODENAME", "w5")
    assert health.main(["report", "--folder", str(tmp_path)]) == 0
    record = judged(capsys, health, tmp_path, "--free-disk-gib", "0")
    assert (record["exclude"], len(record["faults"])) == (OTHERS, 99_999)


def test_order_of_a_huge_job_is_explained(capsys, tmp_path):
    file = tmp_path / "topology.yaml"
    file.write_text(
        "apiVersion: sunk.dev/v1alpha1\nkind: Topology\nmetadata: {name: huge}\nspec:\n"
        "  nodes: [{name: 'w[1-99999]', slurmName: 'w[1-99999]'}]\n"
        "  switches: [{name: s, tier: 0}]\n  links: [{lower: 'w[1-99999]', upper: s}]\n"
    )
    code = app.run(["topology", "explain", str(file), "--nodes", HUGE])
    said = capsys.readouterr().err.splitlines()
    assert (code, said[1], said[3]) == (
        exits.OK,
        f"order: {HUGE}",
        "not in the topology, so ranked last: w100000",
    )
