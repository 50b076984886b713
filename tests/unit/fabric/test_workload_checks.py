"""Training, inference, and whether runs end: figures beside what a site declares."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sunk.assess.bundle import Kept, pack
from sunk.assess.evidence import evidence_of
from sunk.errors import InputError
from sunk_fabric.expected import Expected
from sunk_fabric.folder import read_expected
from tests.support.fabric_checks import FAIL, PASS, UNKNOWN
from tests.support.fabric_texts import text

OURS = json.loads(text("training", "two-ranks"))
MEGATRON = text("megatron_log", "five-lines")
SERVE = json.loads(text("vllm_bench", "serve"))
BATCH = text("vllm_bench", "throughput")
STEP, TOKENS = "run/a/step_seconds", "run/a/tokens_per_s"
FEW = "; 11 steps, 20 and more say something"
GLOO = "; the back end is gloo, and that of GPUs is nccl"


def ours(**values) -> dict[str, bytes]:
    line = {**OURS, "backend": "nccl", **values}
    return {"training.a.json": json.dumps(line).encode()}


@pytest.mark.parametrize(
    ("values", "step", "tokens"),
    [
        ({}, (PASS, "0.0352666 s, 0.04 declared"), (PASS, "1815/s, 1800 declared")),
        (
            {"step_p50_seconds": 0.05, "tokens_per_second": 1799.0},
            (FAIL, "0.05 s, 0.04 declared"),
            (FAIL, "1799/s, 1800 declared"),
        ),
        (
            {"last_step": 11},
            (UNKNOWN, f"0.0352666 s, 0.04 declared{FEW}"),
            (UNKNOWN, f"1815/s, 1800 declared{FEW}"),
        ),
        (
            {"backend": "gloo"},
            (UNKNOWN, f"0.0352666 s, 0.04 declared{GLOO}"),
            (UNKNOWN, f"1815/s, 1800 declared{GLOO}"),
        ),
    ],
)
def test_training_is_as_fast_as_declared(values, step, tokens, check):
    declared = Expected(training={"step_seconds": 0.04, "tokens_per_s": 1800})
    assert check("app.train.step", ours(**values), declared) == [
        (step[0], STEP, step[1]),
        (tokens[0], TOKENS, tokens[1]),
    ]


@pytest.mark.parametrize(
    ("least", "verdict"), [(539.0, PASS), (539.65, PASS), (539.7, FAIL), (600, FAIL)]
)
def test_iterations_after_the_first_line_give_the_rate_of_a_gpu(least, verdict, check):
    found = check(
        "app.train.step",
        {"megatron_log.a.txt": MEGATRON},
        Expected(training={"tflops_per_gpu": least}),
    )
    assert found == [
        (verdict, "run/a/tflops_per_gpu", f"539.65 TFLOP/s, {least:g} declared"),
    ]


def test_figure_that_no_run_measured_is_unknown(check):
    declared = Expected(training={"tflops_per_gpu": 500}, inference={"p99_itl_ms": 50})
    assert (UNKNOWN, "run/tflops_per_gpu", "500 declared, and no run measured it") in check(
        "app.train.step", ours(), declared
    )
    assert check("app.infer.stream", {"vllm_bench.b.json": BATCH}, declared) == [
        (UNKNOWN, "run/p99_itl_ms", "50 declared, and no run measured it"),
    ]


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ("training: {goodput: 0.9}", "training: 'goodput' is no figure; those are step_seconds"),
        ("inference: {p99_e2e_ms: 3}", "inference: 'p99_e2e_ms' is no figure; those are tokens"),
        ("inference: {p99_ttft_ms: soon}", "Expected `float`, got `str`"),
        ("run_seconds: x", "Expected `float | null`, got `str`"),
    ],
)
def test_declared_figure_that_no_tool_prints_is_refused(declared, words, tmp_path):
    file = tmp_path / "site.yaml"
    file.write_text(declared)
    with pytest.raises(InputError) as refused:
        read_expected(file)
    assert words in refused.value.message


@pytest.mark.parametrize(
    ("name", "figure", "declared", "verdict", "found"),
    [
        ("batch", "total_token_throughput", 22000, PASS, "22498/s"),
        ("batch", "total_token_throughput", 23000, FAIL, "22498/s"),
        ("batch", "output_throughput", 2499, PASS, "2500/s"),
        ("realtime", "p99_e2el_ms", 2500, PASS, "2102.9 ms"),
        ("realtime", "p99_e2el_ms", 2000, FAIL, "2102.9 ms"),
        ("realtime", "median_e2el_ms", 2000, PASS, "1668.3 ms"),
        ("stream", "p99_ttft_ms", 150, PASS, "142.7 ms"),
        ("stream", "p99_ttft_ms", 100, FAIL, "142.7 ms"),
        ("stream", "p99_itl_ms", 30, FAIL, "31.5 ms"),
        ("stream", "p99_tpot_ms", 20, PASS, "16.4 ms"),
    ],
)
def test_inference_is_as_fast_as_declared(name, figure, declared, verdict, found, check):
    files = {"vllm_bench.a.json": SERVE}
    expected = Expected(inference={figure: declared})
    assert check(f"app.infer.{name}", files, expected) == [
        (verdict, f"run/a/{figure}", f"{found}, {declared} declared")
    ]


@pytest.mark.parametrize(
    ("counts", "lost"),
    [({"failed": 3, "completed": 997}, 3), ({"failed": None, "completed": 990}, 10)],
)
def test_waits_of_those_that_were_answered_are_not_good_where_others_were_not(counts, lost, check):
    files = {"vllm_bench.a.json": {**SERVE, **counts}}
    found = check("app.infer.stream", files, Expected(inference={"p99_ttft_ms": 150}))
    words = f"142.7 ms, 150 declared; {lost} of 1000 requests got no answer"
    assert found == [(UNKNOWN, "run/a/p99_ttft_ms", words)]


def test_runs_of_other_kinds_beside_it_are_no_question(check):
    files = {"vllm_bench.a.json": SERVE, "vllm_bench.b.json": BATCH, "megatron_log.c.txt": MEGATRON}
    declared = Expected(
        training={"tokens_per_s": 1800},
        inference={"tokens_per_second": 24000, "p99_e2el_ms": 2500, "p99_ttft_ms": 150},
    )
    for name, subject in (
        ("train.step", TOKENS),
        ("infer.batch", "run/b/tokens_per_second"),
        ("infer.realtime", "run/a/p99_e2el_ms"),
        ("infer.stream", "run/a/p99_ttft_ms"),
    ):
        found = check(f"app.{name}", files | ours(), declared)
        assert [one[:2] for one in found] == [(PASS, subject)]


def test_without_a_figure_of_the_kind_it_says_what_prints_them(check):
    ((verdict, _, found),) = check("app.infer.stream", {"vllm_bench.b.json": BATCH})
    assert (verdict, found.startswith("no output of vllm bench serve")) == (UNKNOWN, True)


def test_what_nobody_declared_is_one_answer(check):
    ((verdict, subject, found),) = check("app.infer.realtime", {"vllm_bench.a.json": SERVE})
    assert (verdict, subject) == (UNKNOWN, "run/a")
    assert found.startswith("none is declared of mean_e2el_ms 1699.5 ms, median_e2el_ms 1668.3 ms")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"completed": 3}, "there is no figure of this tool"),
        ({"tokens_per_second": "fast"}, "tokens_per_second is no number"),
        ({"p99_ttft_ms": -1}, "p99_ttft_ms is -1"),
        ([], "not the JSON of this tool"),
        (b'{"tokens_per_second": 1e999}', "tokens_per_second"),
    ],
)
def test_file_that_tells_no_figure_is_damage(content, words, check):
    ((verdict, _, found), *_) = check("app.infer.batch", {"vllm_bench.a.json": content})
    assert (verdict, words in found) == (UNKNOWN, True), found


# --- runs that end


ROWS = text("nccl_tests", "all-reduce")
CUT = b"".join(ROWS.splitlines(keepends=True)[:12])


def run(output=ROWS, *, seconds=None, exit_code=0):
    made = evidence_of(output, command=("all_reduce_perf",), host="gpu001", exit_code=exit_code)
    if seconds is not None:
        made = timed(made, seconds)
    return pack([Kept(evidence=made, output=output)])


def timed(made, seconds):
    until = f"2026-11-21T07:{4 + seconds // 60:02}:{seconds % 60:02}Z"
    return replace(made, at="2026-11-21T07:04:00Z", until=until, name="nccl_tests.a")


@pytest.mark.parametrize(
    ("files", "most", "verdict", "words"),
    [
        (run(seconds=90), 120, PASS, "it took 90 s, 120 declared"),
        (run(seconds=130), 120, FAIL, "it took 130 s, 120 declared"),
        (run(seconds=130), None, PASS, "it took 130 s"),
        (
            run(CUT, seconds=600, exit_code=124),
            None,
            FAIL,
            "it was ended after 600 s, as its time was over",
        ),
        (run(CUT, exit_code=124), 60, FAIL, "it was ended, as its time was over, 60 declared"),
        (
            run(CUT, seconds=10, exit_code=137),
            None,
            UNKNOWN,
            "there is no footer: the run did not end",
        ),
    ],
)
def test_run_that_hangs_is_told_from_one_that_ends(files, most, verdict, words, check):
    ((got, _, found),) = check("nccl.hang", files, Expected(run_seconds=most))
    assert (got, found.rpartition(".a: ")[2] or found) == (verdict, words)


def test_run_whose_time_is_not_told_keeps_no_budget(check):
    files = {"nccl_tests.a.txt": ROWS}
    assert check("nccl.hang", files) == [(PASS, "run/a", "it came to its end")]
    assert check("nccl.hang", files, Expected(run_seconds=60)) == [
        (UNKNOWN, "run/a", "it came to its end; how long it took is not told, 60 declared")
    ]
