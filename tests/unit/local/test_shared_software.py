"""Software of this machine in the Pods of a local cluster."""

from __future__ import annotations

from pathlib import Path

from sunk.local.shared_software import SharedSoftware
from sunk.local.slurm_site import described
from sunk.model.volumes import ClaimVolume, Volume, VolumeMount

SHARED = SharedSoftware(
    name="torch", folder=Path("/var/cache/sunk/torch/abc/content"), mount_path="/opt/sunk-torch"
)


def test_login_node_and_every_worker_see_it_read_only():
    seen = SHARED.seen_by(described(None))
    wanted = (
        (
            Volume(
                name="torch",
                persistent_volume_claim=ClaimVolume(claim_name="torch-abc", read_only=True),
            ),
        ),
        (VolumeMount(name="torch", mount_path="/opt/sunk-torch", read_only=True),),
    )
    pods = [seen.login.pod, *(one.pod for one in seen.node_sets)]
    assert [(pod.volumes, pod.volume_mounts) for pod in pods] == [wanted] * len(pods)


def test_it_is_seen_once_however_often_the_cluster_is_brought_up():
    once = SHARED.seen_by(described(None))
    assert SHARED.seen_by(once) == once


def test_volume_and_claim_are_bound_to_each_other_and_to_nobody_else():
    volume, claim = SHARED.objects("slurm")
    assert volume["metadata"]["name"] == claim["spec"]["volumeName"] == "slurm-torch-abc"
    assert volume["spec"]["claimRef"]["name"] == claim["metadata"]["name"] == "torch-abc"
    assert volume["spec"]["claimRef"]["namespace"] == claim["metadata"]["namespace"] == "slurm"
    assert volume["spec"]["accessModes"] == claim["spec"]["accessModes"] == ["ReadOnlyMany"]
