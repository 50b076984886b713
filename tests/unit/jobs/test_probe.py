from __future__ import annotations

import pytest

from sunk_jobs import probe
from sunk_jobs.placement.rank_map import dump_map, plan_map
from sunk_jobs.probe import NotKnown, Place, address_of, here, read_probe

TEXT = "1 1 w-10 10.0.0.10 root.s1.w-10\n0 0 w-2 10.0.0.2 -\n"
PLACES = (Place(0, 0, "w-2", "10.0.0.2"), Place(1, 1, "w-10", "10.0.0.10", "root.s1.w-10"))


def test_lines_are_read_as_they_were_said():
    assert read_probe(TEXT) == PLACES
    assert "".join(f"{one.line()}\n" for one in reversed(PLACES)) == TEXT


@pytest.mark.parametrize("text", ["", "0 0 w-2\n", "x 0 w-2 a -\n", "0 0 w a -\n1 1 w b -\n"])
def test_damaged_probe_is_not_known(text):
    with pytest.raises(NotKnown):
        read_probe(text)


def test_task_says_its_node_by_slurms_name_and_not_by_the_machines():
    variables = {"SLURM_PROCID": "3", "SLURM_NODEID": "1", "SLURMD_NODENAME": "w-1"}
    assert here(variables, "host.lab", "10.0.0.1") == Place(3, 1, "w-1", "10.0.0.1")
    with pytest.raises(NotKnown, match="run it under srun"):
        here({}, "host", "10.0.0.1")


def test_address_of_a_node_that_said_nothing_is_not_known():
    assert address_of(PLACES, "w-10") == "10.0.0.10"
    with pytest.raises(NotKnown, match="w-3"):
        address_of(PLACES, "w-3")


def test_master_is_the_first_node_of_the_map_and_not_of_the_probe(tmp_path, capsys):
    (tmp_path / "probe").write_text(TEXT)
    (tmp_path / "map").write_text(dump_map(plan_map((), ["w-10"], 1)))
    words = ["--probe", str(tmp_path / "probe"), "--map", str(tmp_path / "map")]
    assert probe.main(["master", *words]) == 0
    assert capsys.readouterr().out == "10.0.0.10\n"


def test_own_address_is_the_one_towards_the_peer():
    assert probe.address_towards("127.0.0.1", "nobody.invalid") == "127.0.0.1"
    with pytest.raises(NotKnown):
        probe.address_towards("", "nobody.invalid")
