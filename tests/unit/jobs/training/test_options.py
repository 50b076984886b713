from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sunk_jobs.training import options as train_options
from sunk_jobs.training import program as training
from sunk_jobs.training.options import ModelShape, learning_rate, unfit


def read(*words):
    return train_options.read(train_options.parser("train_ddp", "x"), words)


def test_without_options_a_run_is_here_and_of_the_first_attempt(monkeypatch):
    monkeypatch.delenv("SLURM_RESTART_COUNT", raising=False)
    options, selftest = read()
    assert (options.run, options.attempt, options.save_flag, selftest) == (
        Path(),
        0,
        Path("control/save.0"),
        False,
    )
    assert options.shape == ModelShape(layers=4, width=128, heads=4, context=128, vocabulary=256)


def test_slurm_says_which_attempt_it_is_and_the_flag_follows(monkeypatch):
    monkeypatch.setenv("SLURM_RESTART_COUNT", "3")
    options, _ = read("--run", "/r")
    assert (options.attempt, options.save_flag) == (3, Path("/r/control/save.3"))
    options, _ = read("--attempt", "5", "--save-flag", "/f")
    assert (options.attempt, options.save_flag) == (5, Path("/f"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--steps", "0"], "--steps 0: must be at least 1"),
        (["--checkpoint-every", "-1"], "--checkpoint-every -1: must be at least 0"),
        (["--keep", "1"], "--keep 1: must be at least 2"),
        (["--attempt", "-1"], "--attempt -1: must be at least 0"),
        (["--width", "30"], "--width 30 is no multiple of --heads 4"),
        (["--tokens", "f", "--token-bytes", "1", "--vocabulary", "257"], "--vocabulary 257"),
        (["--timeout-seconds", "nan"], "--timeout-seconds and --learning-rate must be positive"),
        (["--precision", "int8"], "invalid choice: 'int8'"),
    ],
)
def test_a_wrong_option_is_named(capsys, words, said):
    with pytest.raises(SystemExit) as caught:
        read(*words)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "world", "said"),
    [
        ({}, 4, None),
        ({"batch": 10}, 4, "--batch 10 cannot be split over 4 ranks: wanted a multiple"),
        ({"shard_ranks": 2}, 4, None),
        ({"shard_ranks": 3}, 4, "--shard-ranks 3 does not divide 4 ranks"),
    ],
)
def test_ranks_that_cannot_train_it_are_told_why(changed, world, said):
    assert unfit(replace(read()[0], **changed), world) == said


def test_rate_goes_up_then_down_to_a_tenth():
    options = replace(read()[0], steps=1000, learning_rate=1.0)
    rates = [learning_rate(step, options) for step in range(1, 1001)]
    assert (rates[0], max(rates), round(rates[-1], 12)) == (0.1, 1.0, 0.1)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_inductor_needs_a_compiler_and_other_back_ends_do_not(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    options = read()[0]
    said = training.missing_compiler(replace(options, compile="inductor"))
    assert said == "--compile inductor: no C++ compiler (g++, clang++ or CXX) on this node"
    assert training.missing_compiler(replace(options, compile="aot_eager")) is None
