from __future__ import annotations

from sunk.model.limits import UNLIMITED_MINUTES, JobRequest
from sunk.toolkit.job_file import read_job
from sunk.toolkit.request import request_of


def test_request_is_what_the_script_would_ask_for():
    words = ["nodes=4", "tasksPerNode=8", "cpusPerTask=2", "memoryPerNode=4G", "gpusPerNode=8"]
    words += ["timeLimit='1-00:00:00'", "partition=gpu", "account=research", "qos=high"]
    _, parameters = read_job("mpi", words)
    assert request_of(parameters, "alice") == JobRequest(
        user="alice",
        partition="gpu",
        account="research",
        qos="high",
        nodes=4,
        tasks_per_node=8,
        cpus_per_task=2,
        memory_per_node_mib=4096,
        gpus_per_node=8,
        time_minutes=1440,
    )


def test_what_a_template_leaves_open_is_left_open():
    _, parameters = read_job("hello", [])
    found = request_of(parameters, "bob")
    assert (found.partition, found.memory_per_node_mib) == (None, None)


def test_job_without_an_end_is_longer_than_any_limit():
    _, parameters = read_job("hello", ["timeLimit=UNLIMITED"])
    assert request_of(parameters, "bob").time_minutes == UNLIMITED_MINUTES
