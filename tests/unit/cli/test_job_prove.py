from __future__ import annotations

import json
from pathlib import Path

import pytest

from sunk.cli import app, exits
from sunk_jobs import fabric_env
from sunk_jobs.networks.fabric_choice import Fabric, Host, Rail
from sunk_jobs.sysfs_rdma import Snapshot

RAILS = (Rail("mlx5_0", 1, "InfiniBand", 400.0),)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of two nodes with two ranks each, all over InfiniBand."""
    for node in ("w1", "w2"):
        keep(tmp_path, 0, node)
        for local in range(2):
            rank = local + 2 * (node == "w2")
            say(tmp_path, f"record/nccl/0.{node}.{local}", node, local, rank)
    return tmp_path


def keep(folder: Path, attempt: int, node: str, rails: tuple[Rail, ...] = RAILS) -> None:
    found = fabric_env.evidence(Fabric("infiniband", rails), Host(rdma=Snapshot()), node)
    file = folder / "record" / f"fabric.{attempt}.{node}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(found | {"host": node}))


def say(folder: Path, name: str, node: str, pid: int, rank: int, way: str = "IB/0/GDRDMA") -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"ncclCommInitRank comm 0x1 rank {rank} nranks 4 cudaDev 0 - Init COMPLETE",
        f"Channel 00/0 : {rank}[0] -> 3[0] [send] via NET/{way}",
    ]
    file.write_text("".join(f"{node}:{pid}:9 [0] NCCL INFO {line}\n" for line in lines))


def asked(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, list[dict]]:
    status = app.run(["job", "prove", *map(str, words), "--output", "json"])
    return status, json.loads(capsys.readouterr().out)


def test_run_that_went_as_expected_is_told_node_by_node_with_its_ranks(run, capsys):
    assert app.run(["job", "prove", str(run)]) == exits.OK
    said = capsys.readouterr()
    rows = [line.split()[:6] for line in said.out.splitlines()[1:]]
    assert rows == [
        ["w1", "0-1", "NCCL", "infiniband", "IB", "yes"],
        ["w2", "2-3", "NCCL", "infiniband", "IB", "yes"],
    ]
    assert said.err == "\nas expected\n"


def test_run_is_known_by_its_name_and_by_the_number_of_its_job(run, capsys):
    folder = run / "runs" / "nccl-1"
    folder.mkdir(parents=True)
    (run / "record").rename(folder / "record")
    (folder / "record.json").write_text('{"job_id": 17}')
    where = ("--run-dir", folder.parent)
    for name in ("nccl-1", "17"):
        status, said = asked(capsys, name, *where)
        assert (status, said[0]["run"]) == (exits.OK, str(folder))
    assert app.run(["job", "prove", "18", *map(str, where)]) == exits.USAGE
    assert "no run folder in" in capsys.readouterr().err


def test_json_has_every_rank_with_its_findings(run, capsys):
    status, (account,) = asked(capsys, run)
    assert (status, account["attempt"], account["findings"]) == (exits.OK, 0, [])
    assert [one["rank"] for one in account["processes"]] == [0, 1, 2, 3]
    assert account["processes"][3]["findings"][0] == {
        "check": "transport",
        "verdict": "PASS",
        "found": "1 over IB, as infiniband is",
        "remedy": "",
        "subject": "node/w2/rank/3",
        "domain": None,
        "evidence": [],
        "blocked_by": [],
    }


def test_rank_that_fell_back_to_sockets_fails_the_run_and_is_named(run, capsys):
    say(run, "record/nccl/0.w2.1", "w2", 1, 3, "Socket/0")
    status, (account,) = asked(capsys, run)
    assert status == exits.FAILED_CHECK
    failed = [one["rank"] for one in account["processes"] if one["verdict"] == "FAIL"]
    assert failed == [3]


def test_node_without_a_log_is_unknown(run, capsys):
    for file in run.glob("record/nccl/0.w2.*"):
        file.unlink()
    status, (account,) = asked(capsys, run)
    assert status == exits.UNKNOWN
    assert [(one["node"], one["verdict"]) for one in account["processes"]][-1] == ("w2", "UNKNOWN")


@pytest.mark.parametrize("text", ["", "{}", '{"schema": '])
def test_damaged_evidence_is_unknown_and_named(run, capsys, text):
    (run / "record" / "fabric.0.w2.json").write_text(text)
    status, (account,) = asked(capsys, run)
    assert status == exits.UNKNOWN
    assert account["findings"][0]["found"].startswith("fabric.0.w2.json: ")


def test_log_cut_short_is_never_a_pass(run, capsys):
    file = run / "record" / "nccl" / "0.w1.0"
    whole = file.read_text()
    for at in range(len(whole)):
        file.write_text(whole[:at])
        _, (account,) = asked(capsys, run)
        words = [one for one in account["processes"] if one["rank"] == 0]
        assert all(one["verdict"] == "UNKNOWN" for one in words), whole[:at]


def test_nodes_that_were_not_alike_fail_the_run(run, capsys):
    keep(run, 0, "w2", (*RAILS, Rail("mlx5_1", 1, "InfiniBand", 400.0)))
    status, (account,) = asked(capsys, run)
    assert status == exits.FAILED_CHECK
    assert "number of rails" in account["findings"][0]["found"]


def test_last_attempt_is_judged_by_its_own_logs_unless_another_is_asked_for(run, capsys):
    for node, rank in (("w1", 0), ("w2", 1)):
        keep(run, 1, node)
        say(run, f"record/nccl/1.{node}.7", node, 7, rank, "Socket/0")
    status, (account,) = asked(capsys, run)
    assert (status, account["attempt"], len(account["processes"])) == (1, 1, 2)
    assert asked(capsys, run, "--attempt", 0)[0] == exits.OK


def test_program_that_logs_to_its_own_output_is_read_there(tmp_path, capsys):
    for node in ("w1", "w2"):
        keep(tmp_path, 0, node)
    way = "ucp_worker.c:1855 UCX  INFO  ucp_context_0 inter-node cfg#1 tag(rc_mlx5/mlx5_0:1)"
    lines = [f"{n}: [1.5] [w{n + 1}:7:0] {way}" for n in range(2)]
    (tmp_path / "job.log").write_text("\n".join([*lines, ""]))
    status, (account,) = asked(capsys, tmp_path)
    assert status == exits.OK
    assert [(one["rank"], one["library"]) for one in account["processes"]] == [
        (0, "UCX"),
        (1, "UCX"),
    ]


def test_empty_folder_proves_nothing_and_a_missing_one_is_a_wrong_word(tmp_path, capsys):
    assert app.run(["job", "prove", str(tmp_path)]) == exits.UNKNOWN
    assert app.run(["job", "prove", str(tmp_path / "no")]) == exits.USAGE
    assert "there is no such folder" in capsys.readouterr().err
