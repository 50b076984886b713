"""Checks of applications and servers."""

from __future__ import annotations

from sunk.assess.check import Check
from sunk.assess.verdict import Domain
from sunk_fabric.catalogue.row import rows_of

_row = rows_of("app", Domain.APPLICATION)

CHECKS: tuple[Check, ...] = (
    _row(
        "train.step",
        "Training at pace",
        proves="a reference model trains as fast as it should",
        reads="training (sunk_jobs.train_fsdp2 and train_ddp), megatron_log",
        rule="a median step above step_seconds, or less than tokens_per_s or tflops_per_gpu, of"
        " training in --expect, is FAIL; fewer than 20 steps, or nothing declared, is UNKNOWN",
        remedy="the checks of the fabric first",
    ),
    _row(
        "infer.batch",
        "Batch inference at pace",
        proves="tokens per second as declared",
        reads="vllm_bench: vllm bench throughput --output-json, vllm bench serve --save-result",
        rule="less than tokens_per_second, total_token_throughput or output_throughput, of"
        " inference in --expect, is FAIL; requests without an answer, or nothing declared, are"
        " UNKNOWN",
        source="vLLM, its benchmarks' source",
        remedy="the checks of the fabric first",
    ),
    _row(
        "infer.realtime",
        "Real-time inference in time",
        proves="latency percentiles as declared",
        reads="vllm_bench: vllm bench serve --save-result --percentile-metrics e2el",
        rule="more than a figure such as p99_e2el_ms, of inference in --expect, is FAIL; requests"
        " without an answer, or nothing declared, are UNKNOWN",
        source="vLLM, its benchmarks' source",
        remedy="the checks of the fabric first",
    ),
    _row(
        "infer.stream",
        "Streaming inference in time",
        proves="time to first token and between tokens as declared",
        reads="vllm_bench: vllm bench serve --save-result",
        rule="more than a figure such as p99_ttft_ms, p99_itl_ms or p99_tpot_ms, of inference in"
        " --expect, is FAIL; requests without an answer, or nothing declared, are UNKNOWN",
        source="vLLM, its benchmarks' source",
        remedy="the checks of the fabric first",
    ),
    _row(
        "server.ready",
        "Model servers use RDMA",
        proves="caches travel over RDMA",
        reads="the server's log with UCX_LOG_LEVEL=info",
        rule="a way between nodes that is not RDMA is FAIL; no way between nodes is UNKNOWN",
        source="UCX documentation",
        remedy="UCX_TLS",
    ),
)
