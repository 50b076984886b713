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
        reads="trainer's log",
        rule="below reference is FAIL",
        remedy="the checks of the fabric first",
    ),
    _row(
        "infer.batch",
        "Batch inference at pace",
        proves="tokens per second as declared",
        reads="load generator",
        rule="below declared is FAIL",
        remedy="the checks of the fabric first",
    ),
    _row(
        "infer.realtime",
        "Real-time inference in time",
        proves="latency percentiles as declared",
        reads="load generator",
        rule="above declared is FAIL",
        remedy="the checks of the fabric first",
    ),
    _row(
        "infer.stream",
        "Streaming inference in time",
        proves="time to first token and between tokens as declared",
        reads="load generator",
        rule="above declared is FAIL",
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
