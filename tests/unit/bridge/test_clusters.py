"""Rows about Slurm clusters, from their statuses."""

from __future__ import annotations

from sunk.bridge.clusters import cluster_rows


def thing(kind: str, name: str, *, generation: int = 1, seen: int = 1, **status) -> dict:
    ready = status.pop("ready", None)
    conditions = []
    if ready is not None:
        word, message = ready
        conditions.append(
            {
                "type": "Ready",
                "status": word,
                "reason": "Word",
                "message": message,
                "observedGeneration": seen,
            }
        )
    return {
        "kind": kind,
        "metadata": {"name": name, "namespace": "slurm", "generation": generation},
        "status": {"conditions": conditions, **status},
    }


def test_row_counts_workers_of_all_node_sets_of_the_namespace():
    head = thing("SlurmCluster", "lab", ready=("True", ""))
    sets = [
        thing("NodeSet", "a", replicas=3, idle=2, allocated=1, ready=("True", "")),
        thing("NodeSet", "b", replicas=2, drained=1, down=1),
    ]
    (row,) = cluster_rows([head], sets)
    assert (row.ready, row.why) == (True, "")
    counts = (row.workers, row.idle, row.allocated, row.drained, row.down)
    assert counts == (5, 2, 1, 1, 1)
    assert [one.of for one in row.conditions] == ["SlurmCluster/lab", "NodeSet/a"]


def test_cluster_that_waits_says_for_what_and_one_nobody_looked_at_says_so():
    waiting = thing("SlurmCluster", "a", ready=("False", "waiting for mariadb"))
    new = thing("SlurmCluster", "b")
    changed = thing("SlurmCluster", "c", ready=("True", ""), generation=2)
    assert [(one.ready, one.why) for one in cluster_rows([waiting, new, changed], [])] == [
        (False, "waiting for mariadb"),
        (False, "no bridge has looked at it yet"),
        (False, "no bridge has looked at its newest description yet"),
    ]
