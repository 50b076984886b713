"""The fence knows every verb of the protocols, and what it does not know it holds back."""

from __future__ import annotations

from sunk.bridge.fence import KUBE_READS, SLURM_READS
from sunk.clients.kube.protocol import Kube
from sunk.clients.slurm.protocol import SlurmClient


def verbs(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


def test_verbs_that_pass_are_verbs_and_the_others_are_those_that_change_something():
    assert verbs(Kube) - KUBE_READS == {
        *("apply", "apply_status", "create", "delete", "execute", "forward", "merge", "request"),
        "shell",
    }
    assert verbs(Kube) > KUBE_READS
    assert verbs(SlurmClient) - SLURM_READS == {
        *("cancel", "delete_node", "drain", "put_account", "put_association", "put_user"),
        *("resume", "set_down", "submit"),
    }
    assert verbs(SlurmClient) > SLURM_READS
