"""Training over real torch and gloo: a run that was interrupted ends as one that was not."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from sunk_jobs import exit_codes, triage
from sunk_jobs.failures import rollback
from sunk_jobs.outputs.run_files import heartbeat_file, loss_file, read_lines, read_losses
from tests.support.eventually import eventually
from tests.support.programs import TORCH, WORK, compute_node, result_of, torch_environment
from tests.support.rootfs import Rootfs

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

KINDS = ("ddp", "fsdp2")
STEPS = 14
TINY = (
    *("--layers", "2", "--width", "32", "--heads", "2", "--context", "16", "--vocabulary", "64"),
    *("--batch", "4", "--steps", str(STEPS), "--checkpoint-every", "3"),
    *("--learning-rate", "1e-2"),
)


class Node:
    """A compute node and the folder of its runs."""

    def __init__(self, rootfs: Rootfs, work: Path) -> None:
        self.rootfs = rootfs
        self.work = work

    def argv(self, kind, run, *words, ranks=2):
        launch = ("-m", "sunk_jobs.torchrun", "--standalone", f"--nproc-per-node={ranks}")
        program = ("-m", f"sunk_jobs.train_{kind}", "--run", f"{WORK}/{run}", *TINY, *words)
        return (TORCH, *launch, *program)

    def train(self, kind, run, *words, ranks=2) -> subprocess.CompletedProcess[str]:
        return self.rootfs.run(*self.argv(kind, run, *words, ranks=ranks), cwd=WORK)

    def losses(self, run) -> dict[int, float]:
        return read_losses(self.work / run)


@pytest.fixture(scope="module")
def node(slurm_rootfs: Path, tmp_path_factory: pytest.TempPathFactory) -> Node:
    folder = tmp_path_factory.mktemp("training")
    return Node(compute_node(slurm_rootfs, folder, torch_environment()), folder / "work")


@pytest.fixture(scope="module")
def straight(node) -> dict[str, dict[int, float]]:
    """The losses of a run of each kind that nobody interrupted."""
    found = {}
    for kind in KINDS:
        done = node.train(kind, f"{kind}-straight")
        assert done.returncode == 0, done.stderr
        found[kind] = node.losses(f"{kind}-straight")
        assert list(found[kind]) == list(range(1, STEPS + 1))
    return found


def test_two_kinds_learn_the_same(straight):
    """Within what bfloat16 does to sums in another order."""
    ddp, fsdp2 = (list(straight[kind].values()) for kind in KINDS)
    assert ddp == pytest.approx(fsdp2, rel=0.01)
    assert ddp[-1] < ddp[0]


@pytest.mark.parametrize("kind", KINDS)
def test_every_rank_leaves_a_heartbeat_of_each_step(node, straight, kind):
    for rank in (0, 1):
        beats = list(read_lines(heartbeat_file(node.work / f"{kind}-straight", rank, 0)))
        assert {beat["step"]: beat["loss"] for beat in beats} == straight[kind]
        assert [set(beat) for beat in beats] == [{"rank", "step", "time", "loss"}] * STEPS


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_whose_ranks_were_all_killed_resumes_bit_for_bit(node, straight, kind, tmp_path):
    run = node.work / f"{kind}-killed"
    log = tmp_path / "log"
    child = node.rootfs.start(*node.argv(kind, run.name), log=log, cwd=WORK)

    def steps() -> int:
        file = loss_file(run, 0)
        return len(list(read_lines(file))) if file.exists() else 0

    try:
        eventually(lambda: steps() >= 5, 90, what="five steps")
    finally:
        child.kill()
        child.wait()
    again = node.train(kind, run.name, "--attempt", "1")
    assert again.returncode == 0, again.stderr
    result = result_of(again)
    assert (result["outcome"], result["last_step"], result["attempt"]) == ("finished", STEPS, 1)
    assert node.losses(run.name) == straight[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_asked_by_its_flag_file_ends_with_75_and_resumes_on_any_ranks(node, straight, kind):
    run, wider = node.work / f"{kind}-flagged", node.work / f"{kind}-wider"
    (run / "control").mkdir(parents=True)
    (run / "control" / "save.0").touch()
    first = node.train(kind, run.name)
    assert (first.returncode, result_of(first)["outcome"]) == (exit_codes.SAVED, "saved")
    shutil.copytree(run, wider, symlinks=True)
    second = node.train(kind, run.name, "--attempt", "1")
    assert (second.returncode, result_of(second)["resumed_from"]) == (0, 1)
    assert node.losses(run.name) == straight[kind]
    # The same samples, summed in another order.
    third = node.train(kind, wider.name, "--attempt", "1", ranks=4)
    assert (third.returncode, result_of(third)["resumed_from"]) == (0, 1)
    losses = list(straight[kind].values())
    assert list(node.losses(wider.name).values()) == pytest.approx(losses, rel=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_trained_on_compiled_and_with_narrow_reductions(node, kind):
    tokens = struct.pack("<2000H", *(at % 64 for at in range(2000)))
    (node.work / f"{kind}-tokens").write_bytes(tokens)
    words = ("--compile", "aot_eager", "--reduce", "bfloat16", "--tokens", f"{WORK}/{kind}-tokens")
    done = node.train(kind, f"{kind}-options", *words)
    assert done.returncode == 0, done.stderr
    assert result_of(done)["last_loss"] < result_of(done)["first_loss"]


def test_a_token_that_the_vocabulary_lacks_is_named(node):
    (node.work / "wrong").write_bytes(struct.pack("<2000H", *[64] * 2000))
    done = node.train("ddp", "wrong-run", "--tokens", f"{WORK}/wrong")
    assert done.returncode == exit_codes.DO_NOT_RESTART
    assert "is not below --vocabulary 64" in done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_self_test_trains_resumes_and_compares(node, kind):
    done = node.rootfs.run(TORCH, "-m", f"sunk_jobs.train_{kind}", "--selftest")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcome"] == "finished"


def test_a_loss_that_is_not_finite_ends_the_run_for_good(node):
    done = node.train("ddp", "diverged", "--learning-rate", "1e30")
    assert (done.returncode, result_of(done)["outcome"]) == (exit_codes.DO_NOT_RESTART, "diverged")


def test_run_whose_loss_is_not_finite_goes_back_once_and_ends_with_other_data(node, straight):
    assert node.train("ddp", "back", "--steps", "14").returncode == 0
    words = ("--steps", "20", "--on-not-finite", "rollback")
    done = node.train("ddp", "back", *words, "--attempt", "1", "--learning-rate", "1e30")
    assert (done.returncode, result_of(done)["outcome"]) == (exit_codes.FAILED, "rollback")
    run = node.work / "back"
    failed = result_of(done)["last_step"]
    assert f"train: loss of step {failed} is not finite" in done.stderr
    line = triage.judge(run, 1, done.returncode)
    # Step 15 was saved before the loss showed what had become of the weights.
    way = {"attempt": 2, "step": 14, "skipped_steps": failed - 14}
    assert (triage.verdict_line(line), line["rollback"]) == ("requeue", way)
    rollback.write(run, rollback.Rollback(**way))
    done = node.train("ddp", "back", *words, "--attempt", "2")
    assert "train: went back to step 14 from 15" in done.stderr
    assert (done.returncode, result_of(done)["resumed_from"]) == (0, 14)
    losses = node.losses("back")
    assert list(losses) == list(range(1, 21))
    assert {step: losses[step] for step in straight["ddp"]} == straight["ddp"]
    manifest = json.loads((run / "ckpt" / "step_00000020" / "MANIFEST.json").read_text())
    assert manifest["about"]["data_position"]["samples"] == 4 * (20 + failed - 14)
