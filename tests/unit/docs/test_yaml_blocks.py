"""YAML on a page is a valid description, topology, job file or declaration."""

from __future__ import annotations

from dataclasses import fields

import pytest

from sunk.render.description import read_description
from sunk.render.profile import read_profile
from sunk.render.topology import read_topology
from sunk.render.training import read_model
from sunk.toolkit.job_file import read_job
from sunk_fabric.expected import Expected
from sunk_fabric.folder import read_expected
from tests.support.pages import DOCS, pages, split

BLOCKS = [
    pytest.param("\n".join(line.text for line in lines), id=f"{file.stem}:{lines[0].number}")
    for file in pages()
    for language, lines in split(file)[1]
    if language == "yaml"
]


@pytest.mark.parametrize("text", BLOCKS)
def test_yaml_block_is_read(text, tmp_path):
    if "kind: SlurmCluster" in text:
        assert read_description(text, source="page").node_sets
        return
    if "kind: Topology" in text:
        assert read_topology(text, source="page").nodes
        return
    if "kind: ClusterProfile" in text:
        assert read_profile(text, source="page")[1].partitions
        return
    if "kind: Model" in text:
        assert read_model(text, source="page").layers
        return
    file = tmp_path / "job.yaml"
    file.write_text(text)
    if text.partition(":")[0] in {one.name for one in fields(Expected)}:
        assert read_expected(file) != Expected()
        return
    template, parameters = read_job(str(file), [])
    assert parameters.name
    assert template.name in text


def test_there_are_such_blocks():
    assert len(BLOCKS) >= 3
    assert (DOCS / "howto").is_dir()
