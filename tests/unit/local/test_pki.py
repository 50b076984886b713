from __future__ import annotations

import datetime as dt
import stat
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from sunk.local import pki
from sunk.local.layout import cluster_layout, nodes

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    made = cluster_layout("t", tmp_path_factory.mktemp("state"))
    pki.ensure(made, nodes(2), NOW)
    return made


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_every_leaf_is_signed_by_the_authority(layout):
    authority = certificate(layout.pki / "ca.crt")
    for leaf in pki.leaves(nodes(2)):
        certificate(layout.pki / f"{leaf.name}.crt").verify_directly_issued_by(authority)


def test_node_certificate_carries_the_identity_that_the_node_authorizer_expects(layout):
    subject = certificate(layout.pki / "node2.crt").subject
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "system:node:node2"
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:nodes"


def test_private_keys_are_readable_by_their_owner_only(layout):
    for key in layout.pki.glob("*.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600, key.name


def test_second_run_keeps_what_the_first_made(layout):
    before = (layout.pki / "ca.crt").read_bytes()
    pki.ensure(layout, nodes(2), NOW)
    assert (layout.pki / "ca.crt").read_bytes() == before


def test_half_made_folder_of_a_killed_run_is_made_anew(tmp_path):
    layout = cluster_layout("t", tmp_path)
    draft = layout.pki.with_name("pki.draft")
    draft.mkdir(parents=True)
    (draft / "ca.crt").write_text("half")
    pki.ensure(layout, nodes(1), NOW)
    assert certificate(layout.pki / "ca.crt").subject
    assert not draft.exists()


def test_kubeconfig_holds_everything_it_needs(layout):
    document = yaml.safe_load(pki.admin_kubeconfig(layout, "https://127.0.0.1:1"))
    assert document["current-context"] == "sunk-t"
    assert document["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:1"
    assert set(document["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}
