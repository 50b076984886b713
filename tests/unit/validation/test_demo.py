from __future__ import annotations

import pytest

from sunk.model.kube import Pod
from sunk_validation.demo import faults, kube_nodes_of, pod_lines

WORKERS = ["w-0", "w-1", "w-2", "w-3"]
PODS = [
    Pod(name=name, namespace="slurm", uid=name, node=f"node{1 + number % 2}", ready=True)
    for number, name in enumerate(WORKERS)
]
RIGHT = {"job_id": "7", "correct": True, "wrong_elements": 0, "ranks": 4, "hosts": WORKERS}


def faults_of(**changes) -> tuple[str, ...]:
    return faults({**RIGHT, **changes}, job_id="7", workers=WORKERS, pods=PODS, kube_node_count=2)


def test_right_result_has_no_faults():
    assert faults_of() == ()


def test_order_of_ranks_does_not_matter():
    assert faults_of(hosts=list(reversed(WORKERS))) == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"job_id": "6"}, "the record is of job 6, not 7"),
        ({"correct": False, "wrong_elements": 3}, "3 elements of the sum are wrong"),
        ({"correct": True, "wrong_elements": 1}, "1 elements of the sum are wrong"),
        ({"correct": None}, "0 elements of the sum are wrong"),
        ({"ranks": 1}, "1 ranks took part, not 4"),
        ({"hosts": ["w-0"] * 4}, "ranks ran on w-0, w-0, w-0, w-0, not on w-0, w-1, w-2, w-3"),
    ],
)
def test_each_way_of_being_wrong_is_told(changes, message):
    assert message in faults_of(**changes)


def test_four_singletons_are_not_four_ranks():
    assert faults_of(ranks=1, hosts=["w-0"])


def test_ranks_on_one_kubernetes_node_are_a_fault():
    crowded = [
        Pod(name=name, namespace="slurm", uid=name, node="node1", ready=True) for name in WORKERS
    ]
    found = faults(RIGHT, job_id="7", workers=WORKERS, pods=crowded, kube_node_count=2)
    assert found == ("ranks ran on 1 Kubernetes nodes (node1), not 2",)


def test_empty_record_is_all_faults():
    assert len(faults({}, job_id="7", workers=WORKERS, pods=PODS, kube_node_count=2)) == 5


def test_pending_pods_are_on_no_node():
    assert kube_nodes_of(["a"], [Pod(name="a", namespace="n", uid="u")]) == ()


def test_pods_are_shown_with_their_place():
    assert pod_lines(PODS[:1]) == (
        "NAME                        READY  NODE      IP\n"
        "w-0                         yes    node1     -"
    )
