"""Pages on files of ours say what the classes that read them say."""

from __future__ import annotations

import pytest

from sunk.model import profile
from sunk.model.training import Transformer
from sunk.render import topology
from tests.support.form_tables import rows, title
from tests.support.pages import DOCS, tables

TOPOLOGY = (
    topology.TopologyForm,
    topology.NodesForm,
    topology.SwitchesForm,
    topology.LinksForm,
    topology.RailForm,
    topology.DomainForm,
    topology.ProvenanceForm,
)
PROFILE = (
    *(profile.ClusterProfile, profile.SlurmSettings, profile.ProfilePartition, profile.NodeKind),
    *(profile.FabricFacts, profile.Mount, profile.Price),
)
FILES = {"topology.md": TOPOLOGY, "layout.md": (Transformer,), "profile.md": PROFILE}
CASES = [(page, form) for page, forms in FILES.items() for form in forms]


@pytest.mark.parametrize(("page", "form"), CASES, ids=lambda one: getattr(one, "__name__", one))
def test_page_has_every_key_with_type_default_and_meaning(page, form):
    assert tables(DOCS / "reference" / page)[title(form)] == rows(form)


@pytest.mark.parametrize("page", FILES)
def test_page_has_a_table_for_each_class_and_no_other_of_keys(page):
    found = tables(DOCS / "reference" / page)
    keyed = {heading for heading, items in found.items() if items and "key" in items[0]}
    assert keyed == {title(form) for form in FILES[page]}
