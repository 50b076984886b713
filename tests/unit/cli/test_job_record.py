from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sunk.cli import app, exits
from sunk.model.profile import TopologyPlugin
from sunk.render.profile import dump_profile
from sunk.toolkit.job_file import read_job
from sunk.toolkit.origin import origin_of
from sunk.toolkit.run_difference import differences
from sunk.toolkit.runs import make_run
from sunk.toolkit.script import render_job
from sunk.wiring import login
from sunk_jobs.placement.rank_map import dump_map, plan_map
from tests.support.job_cases import profile_of

TOPOLOGY = """\
SwitchName=spine Level=1 Nodes=w-[1-4] Switches=leaf[1-2]
SwitchName=leaf1 Level=0 Nodes=w-[1-2]
SwitchName=leaf2 Level=0 Nodes=w-[3-4]
"""
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def run(root: Path, *assign: str, **variables: str) -> str:
    made = read_job("hello", assign)
    origin = origin_of(root, variables)
    return str(make_run(root, *made, render_job(*made), NOW, origin).folder)


def said(capsys, *words: str):
    code = app.run(["job", *words])
    found = capsys.readouterr()
    return code, found.out, found.err


def test_record_says_what_a_run_was_made_from_and_no_secret(tmp_path, capsys):
    folder = run(tmp_path, "nodes=2", NCCL_DEBUG="INFO", HOME="/x", TORCH_API_KEY="abc")
    code, out, _ = said(capsys, "record", folder, "--output", "json")
    found = json.loads(out)
    assert code == exits.OK
    assert found["parameters"]["nodes"] == 2
    assert found["origin"]["environment"] == {"NCCL_DEBUG": "INFO", "TORCH_API_KEY": "(masked)"}
    assert found["origin"]["git"] is None


def test_commit_and_changes_beside_it_are_in_the_record(tmp_path):
    def git(*words: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", "-C", tmp_path, *who, *words], check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "train.py").write_text("1")
    git("add", ".")
    git("commit", "-qm", "x")
    clean = origin_of(tmp_path, {})["git"]
    assert (len(clean["commit"]), clean["changes_sha256"]) == (40, None)
    (tmp_path / "train.py").write_text("2")
    dirty = origin_of(tmp_path, {})["git"]
    assert (dirty["commit"], len(dirty["changes_sha256"])) == (clean["commit"], 64)
    (tmp_path / "train.py").write_text("3")
    assert origin_of(tmp_path, {})["git"]["changes_sha256"] != dirty["changes_sha256"]


def test_runs_of_the_same_do_not_differ(tmp_path, capsys):
    code, _, err = said(capsys, "diff", run(tmp_path), run(tmp_path))
    assert (code, err) == (exits.OK, "no difference\n")


def test_what_decides_the_job_is_named_before_what_follows_from_it(tmp_path, capsys):
    first = run(tmp_path, NCCL_ALGO="Ring")
    second = run(tmp_path, "nodes=2", NCCL_ALGO="Tree")
    code, out, err = said(capsys, "diff", first, second, "--output", "json")
    assert (code, err) == (exits.FAILED_CHECK, "")
    assert [one["key"] for one in json.loads(out)] == [
        "parameters.nodes",
        "origin.environment.NCCL_ALGO",
        "script_sha256",
    ]
    assert said(capsys, "diff", first, second)[2] == "first difference: parameters.nodes\n"


def test_records_of_older_versions_are_compared_by_what_they_have():
    found = differences({"template": "hello"}, {"template": "hello", "origin": {"git": None}})
    assert [(one.key, one.first, one.second) for one in found] == [("origin.git", "(absent)", None)]


def test_replay_gives_the_same_script_and_says_so(tmp_path, capsys):
    folder = run(tmp_path, "nodes=2")
    code, out, err = said(capsys, "replay", folder, "--dry-run")
    assert code == exits.OK
    assert err.splitlines()[-1] == "the same script"
    assert out == (Path(folder) / "job.sbatch").read_text()


def test_replay_shows_how_the_script_differs_now(tmp_path, capsys):
    folder = run(tmp_path)
    script = Path(folder) / "job.sbatch"
    script.write_text(script.read_text() + "echo by hand\n")
    code, _, err = said(capsys, "replay", folder, "--dry-run")
    assert code == exits.FAILED_CHECK
    assert "-echo by hand" in err


def test_run_without_a_record_is_said(tmp_path, capsys):
    code, _, err = said(capsys, "record", str(tmp_path))
    assert code == exits.USAGE
    assert "there is none that can be read" in err


# --- what a run met


def met(folder: str, nodes: list[str], kind: str = "infiniband", attempt: int = 0) -> str:
    """Let an attempt of a run leave what the batch script and each node write."""
    record = Path(folder, "record")
    record.mkdir(exist_ok=True)
    (record / f"topology.{attempt}").write_text(TOPOLOGY)
    (record / f"map.{attempt}").write_text(dump_map(plan_map((), nodes, 8)))
    for node in nodes:
        found = {
            **{"schema": "sunk.dev/fabric_env/v1", "node": node, "host": node, "kind": kind},
            "settings": [{"name": "NCCL_IB_HCA", "value": "=mlx5_0:1", "why": "its rails"}],
        }
        (record / f"fabric.{attempt}.{node}.json").write_text(json.dumps(found))
    return folder


def test_record_has_topology_ranks_and_fabric_of_the_last_attempt(tmp_path, capsys):
    folder = met(run(tmp_path), ["w-1"], "tcp")
    met(folder, ["w-2", "w-3"], attempt=1)
    found = json.loads(said(capsys, "record", folder, "--output", "json")[1])["realised"]
    assert len(found["topology"].pop("sha256")) == 64
    fabric = {"kind": "infiniband", "settings": {"NCCL_IB_HCA": "=mlx5_0:1"}}
    assert found == {
        "attempt": 1,
        "topology": {"nodes": {"0": "spine/leaf1", "1": "spine/leaf2"}},
        "ranks": {
            "0": {"node": "w-2", "first": 0, "ranks": 8},
            "1": {"node": "w-3", "first": 8, "ranks": 8},
        },
        "fabric": {"0": fabric, "1": fabric},
    }


def test_another_fabric_is_named_before_another_leaf_and_that_before_other_nodes(tmp_path, capsys):
    first = met(run(tmp_path), ["w-1", "w-2"])
    second = met(run(tmp_path), ["w-1", "w-3"], "roce")
    code, out, _ = said(capsys, "diff", first, second, "--output", "json")
    assert code == exits.FAILED_CHECK
    assert [(one["key"], one["first"], one["second"]) for one in json.loads(out)] == [
        ("realised.fabric.0.kind", "infiniband", "roce"),
        ("realised.fabric.1.kind", "infiniband", "roce"),
        ("realised.topology.nodes.1", "spine/leaf1", "spine/leaf2"),
        ("realised.ranks.1.node", "w-2", "w-3"),
    ]


def test_evidence_that_cannot_be_read_is_left_out(tmp_path, capsys):
    folder = met(run(tmp_path), ["w-1"])
    for file in Path(folder, "record").iterdir():
        file.write_bytes(b"\xff{")
    code, out, _ = said(capsys, "record", folder, "--output", "json")
    assert (code, "realised" in json.loads(out)) == (exits.OK, False)


VERSIONS = {
    **{"cuda": "13.2", "driver": "580.1", "kernel": "6.1", "mpi": "Open MPI 5.0.7"},
    **{"nccl": "2.30.7", "python": "3.13.5", "slurm": "24.11.5", "torch": "2.15.0"},
    "image": {"reference": "absent"},
}


def with_versions(folder: str, *nodes: str, **changed: object) -> str:
    """Let nodes leave which versions they have, the last one with changes."""
    for node in nodes:
        said = {"schema": "sunk.dev/versions/v1", "node": node, **VERSIONS}
        if node == nodes[-1]:
            said |= changed
        Path(folder, "record", f"versions.0.{node}.json").write_text(json.dumps(said))
    return folder


def test_a_version_is_told_once_or_for_each_node_where_they_differ(tmp_path, capsys):
    nodes = ["w-1", "w-2"]
    folder = with_versions(met(run(tmp_path), nodes), *nodes, driver="590.1")
    found = json.loads(said(capsys, "record", folder, "--output", "json")[1])["realised"]
    assert found["versions"] == {**VERSIONS, "driver": {"0": "580.1", "1": "590.1"}}


def test_a_node_that_says_nothing_of_a_version_has_an_unknown_one(tmp_path, capsys):
    nodes = ["w-1", "w-2"]
    folder = with_versions(met(run(tmp_path), nodes), *nodes)
    file = Path(folder, "record", "versions.0.w-2.json")
    raw = json.loads(file.read_text())
    del raw["nccl"]
    file.write_text(json.dumps(raw))
    found = json.loads(said(capsys, "record", folder, "--output", "json")[1])["realised"]
    assert found["versions"]["nccl"] == {"0": "2.30.7", "1": "unknown"}


CONTAINED = {
    "image": {"reference": "a@b", "digest": "unknown"},
    **dict.fromkeys(("cuda", "mpi", "nccl", "python", "torch"), "unknown"),
}
INSIDE = {"cuda": "13.2", "mpi": "unknown", "nccl": "2.9", "python": "3.13.1", "torch": "2.15.0"}


def test_what_a_process_in_the_container_said_is_that_of_every_node(tmp_path, capsys):
    nodes = ["w-1", "w-2"]
    folder = met(run(tmp_path), nodes)
    for node in nodes:
        with_versions(folder, node, **CONTAINED)
    inside = Path(folder, "record", "image.0.json")
    for text, wanted in (
        (json.dumps({"schema": "sunk.dev/versions/v1", **INSIDE}), INSIDE),
        ("", dict.fromkeys(INSIDE, "unknown")),
        (json.dumps({"schema": "other", **INSIDE}), dict.fromkeys(INSIDE, "unknown")),
    ):
        inside.write_text(text)
        found = json.loads(said(capsys, "record", folder, "--output", "json")[1])["realised"]
        assert {name: found["versions"][name] for name in INSIDE} == wanted
        assert found["versions"]["slurm"] == VERSIONS["slurm"]


def test_nodes_own_versions_stand_where_there_is_no_container(tmp_path, capsys):
    folder = with_versions(met(run(tmp_path), ["w-1"]), "w-1")
    inside = json.dumps({"schema": "sunk.dev/versions/v1", **INSIDE})
    Path(folder, "record", "image.0.json").write_text(inside)
    found = json.loads(said(capsys, "record", folder, "--output", "json")[1])["realised"]
    assert found["versions"] == VERSIONS


def test_versions_of_a_job_without_a_network_step_are_in_its_record(tmp_path, capsys):
    folder = run(tmp_path)
    Path(folder, "record").mkdir(exist_ok=True)
    with_versions(folder, "w-1")
    found = json.loads(said(capsys, "record", folder, "--output", "json")[1])["realised"]
    assert found == {"attempt": 0, "versions": VERSIONS}


def test_versions_are_named_before_what_follows_from_them(tmp_path, capsys):
    others = {name: f"{value}.9" for name, value in VERSIONS.items() if name != "image"}
    image = {"reference": "a@b", "digest": "unknown"}
    first = with_versions(met(run(tmp_path), ["w-1"]), "w-1")
    second = with_versions(met(run(tmp_path), ["w-3"], "roce"), "w-3", **others, image=image)
    code, out, _ = said(capsys, "diff", first, second, "--output", "json")
    assert code == exits.FAILED_CHECK
    assert [one["key"].removeprefix("realised.") for one in json.loads(out)] == [
        *("versions.image.digest", "versions.image.reference"),
        *("versions.driver", "versions.cuda", "versions.nccl", "versions.torch"),
        *("versions.mpi", "versions.slurm", "versions.python", "versions.kernel"),
        *("fabric.0.kind", "topology.nodes.0", "ranks.0.node"),
    ]


# --- submitted again


class Slurm:
    def __init__(self) -> None:
        self.submitted: list[Path] = []

    def submit(self, script: Path, _folder: Path) -> int:
        self.submitted.append(script)
        return 18


@pytest.fixture
def slurm(monkeypatch) -> Slurm:
    """Slurm, and an environment that holds nothing but what a test says."""
    one = Slurm()
    monkeypatch.setattr(login, "slurm_commands", lambda: one)
    monkeypatch.setattr(login, "cluster_name", lambda: "lab")
    monkeypatch.setattr("os.environ", {"PATH": "/usr/bin:/bin"})
    return one


def submitted(root: Path, *assign: str) -> str:
    (root / "code").mkdir(exist_ok=True)
    return run_from(root / "code", root, *assign)


def run_from(code: Path, root: Path, *assign: str) -> str:
    made = read_job("hello", assign)
    origin = origin_of(code, {"PATH": "/usr/bin:/bin"})
    return str(make_run(root / "runs", *made, render_job(*made), NOW, origin).folder)


def replay(capsys, root: Path, *words: str):
    return said(capsys, "replay", *words, "--run-dir", str(root / "again"), "--output", "json")


def test_replay_submits_the_same_script_in_a_folder_of_its_own(slurm, tmp_path, capsys):
    folder = submitted(tmp_path, "nodes=2")
    code, out, err = replay(capsys, tmp_path, folder)
    assert (code, err) == (exits.OK, "")
    again = Path(json.loads(out)["folder"])
    assert slurm.submitted == [again / "job.sbatch"]
    assert (again / "job.sbatch").read_bytes() == Path(folder, "job.sbatch").read_bytes()
    record = json.loads((again / "record.json").read_text())
    assert (record["job_id"], record["replay_of"]) == (18, folder)
    assert said(capsys, "diff", folder, str(again))[0] == exits.OK


def test_dry_replay_submits_nothing_and_makes_nothing(slurm, tmp_path, capsys):
    assert replay(capsys, tmp_path, submitted(tmp_path), "--dry-run")[0] == exits.OK
    assert (slurm.submitted, (tmp_path / "again").exists()) == ([], False)


def gone(_folder: Path, code: Path, _monkeypatch) -> None:
    code.rmdir()


def repository(_folder: Path, code: Path, _monkeypatch) -> None:
    subprocess.run(["git", "-C", code, "init", "-q"], check=True)
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", "-C", code, *who, "commit", "-q", "--allow-empty", "-mx"], check=True)


def variable(_folder: Path, _code: Path, monkeypatch) -> None:
    monkeypatch.setattr("os.environ", {"PATH": "/usr/bin:/bin", "NCCL_ALGO": "Tree"})


def template(folder: Path, _code: Path, _monkeypatch) -> None:
    edit(folder, template="goodbye")


def cluster(folder: Path, _code: Path, _monkeypatch) -> None:
    edit(folder, cluster="lab")


def release(folder: Path, _code: Path, _monkeypatch) -> None:
    edit(folder, script_sha256="0")


def edit(folder: Path, **changes: str) -> None:
    file = folder / "record.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (gone, "origin.folder was"),
        (repository, "origin.git was None and is {'commit': "),
        (variable, "origin.environment.NCCL_ALGO was not there and is 'Tree' now"),
        (template, "goodbye"),
        (cluster, "cluster was 'lab' and is None now"),
        (release, "script_sha256 was '0'"),
    ],
)
def test_replay_of_what_is_gone_or_changed_is_refused_and_names_it(
    slurm, tmp_path, capsys, monkeypatch, change, named
):
    folder = submitted(tmp_path)
    change(Path(folder), tmp_path / "code", monkeypatch)
    code, _, err = replay(capsys, tmp_path, folder)
    assert code == exits.USAGE
    assert named in err
    assert (slurm.submitted, (tmp_path / "again").exists()) == ([], False)


def test_what_may_differ_is_said_by_its_key(slurm, tmp_path, capsys, monkeypatch):
    folder = submitted(tmp_path)
    variable(Path(folder), tmp_path, monkeypatch)
    assert replay(capsys, tmp_path, folder, "--accept", "origin.environment")[0] == exits.OK
    assert len(slurm.submitted) == 1


def test_replay_with_the_profile_of_the_run_is_the_run(slurm, tmp_path, capsys):
    profile = tmp_path / "profile.yaml"
    cluster_profile = profile_of(TopologyPlugin.TREE)
    profile.write_text(dump_profile("lab", cluster_profile))
    made = read_job("hello", ())
    job = render_job(*made, cluster_profile)
    folder = make_run(tmp_path / "runs", *made, job, NOW).folder
    assert replay(capsys, tmp_path, str(folder), "--profile", str(profile))[0] == exits.OK
    assert json.loads((slurm.submitted[0].parent / "record.json").read_text())["cluster"] == "lab"
