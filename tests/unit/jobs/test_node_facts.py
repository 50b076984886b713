from __future__ import annotations

import json

import pytest

from sunk_jobs import node_facts, sysfs_rdma
from sunk_jobs.networks.fabric_choice import Host
from sunk_jobs.node_facts import containers, facts
from tests.support.node_trees import Adapter, lay_out


def test_node_says_its_adapters_with_their_rates(tmp_path):
    adapters = [Adapter("mlx5_0"), Adapter("mlx5_1"), Adapter("mlx5_9", state="1: DOWN")]
    sys, _ = lay_out(tmp_path, tuple(adapters), nets={"eth0": 1500})
    host = Host(rdma=sysfs_rdma.read(sys), default="eth0", gpus=2)
    found = facts(host, "w-1", 96, ["pyxis"])
    assert found.pop("warnings") == []
    assert found == {
        "schema": "sunk.dev/node_facts/v1",
        "node": "w-1",
        "cpus": 96,
        "gpus": 2,
        "fabric": "infiniband",
        "adapters": ["mlx5_0", "mlx5_1"],
        "rates_gbps": [400.0, 400.0],
        "containers": ["pyxis"],
    }


@pytest.mark.parametrize(
    ("text", "programs", "found"),
    [
        ("", (), ()),
        ("      --container-image=[USER@]...", (), ("pyxis",)),
        ("--comment=name", ("apptainer",), ("apptainer",)),
        ("--container-image=x", ("apptainer",), ("pyxis", "apptainer")),
    ],
)
def test_what_starts_containers_is_an_option_of_srun_or_a_program(text, programs, found):
    assert containers(text, {one: one for one in programs}.get) == found


def test_program_prints_one_line(capsys):
    assert node_facts.main([], {"SLURMD_NODENAME": "w-7"}) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert (json.loads(line)["node"], json.loads(line)["cpus"] >= 1) == ("w-7", True)
