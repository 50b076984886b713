"""Certificates, service-account keys and kubeconfigs of a local cluster.

Made once for each cluster, in a folder that only root can read; private keys never leave it
except inside the administrator's kubeconfig.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sunk.local.layout import API_PORT, API_SERVICE_ADDRESS, CLUSTER_ADDRESS, Layout, Node

_LIFETIME = dt.timedelta(days=3650)
_SERVER = ExtendedKeyUsageOID.SERVER_AUTH
_CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One certificate to be made.

    Attributes:
        name: file name without suffix.
        common_name: user name towards Kubernetes.
        organisation: group towards Kubernetes.
        usages: extended key usages.
        alternative_names: addresses and host names that a server answers to.
    """

    name: str
    common_name: str
    organisation: str | None = None
    usages: tuple[x509.ObjectIdentifier, ...] = (_CLIENT,)
    alternative_names: tuple[str, ...] = ()


def leaves(nodes: Sequence[Node]) -> tuple[Leaf, ...]:
    """Return the certificates that a cluster of these nodes needs."""
    api_names = (
        *("127.0.0.1", CLUSTER_ADDRESS, API_SERVICE_ADDRESS, "localhost", "kubernetes"),
        *("kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"),
    )
    return (
        Leaf(
            name="apiserver",
            common_name="kube-apiserver",
            usages=(_SERVER,),
            alternative_names=api_names,
        ),
        Leaf(name="admin", common_name="admin", organisation="system:masters"),
        Leaf(
            name="kubelet-client",
            common_name="kube-apiserver-kubelet-client",
            organisation="system:masters",
        ),
        Leaf(name="controller-manager", common_name="system:kube-controller-manager"),
        Leaf(name="scheduler", common_name="system:kube-scheduler"),
        Leaf(name="proxy", common_name="system:kube-proxy"),
        Leaf(name="attach-networks", common_name="attach-networks"),
        Leaf(name="front-proxy-client", common_name="front-proxy-client"),
        *(
            Leaf(
                name=node.name,
                common_name=f"system:node:{node.name}",
                organisation="system:nodes",
                usages=(_SERVER, _CLIENT),
                alternative_names=(node.address, node.name),
            )
            for node in nodes
        ),
    )


def ensure(layout: Layout, nodes: Sequence[Node], now: dt.datetime) -> None:
    """Make the cluster's certificates and kubeconfigs unless they exist; all of them or none."""
    if layout.pki.is_dir():
        return
    draft = layout.pki.with_name("pki.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key, now)
    _store(draft, "ca", authority, authority_key)
    for leaf in leaves(nodes):
        key = ec.generate_private_key(ec.SECP256R1())
        _store(draft, leaf.name, _sign(leaf, key, authority, authority_key, now), key)
    _service_account_keys(draft)
    inside = f"https://127.0.0.1:{API_PORT}"
    from_nodes = f"https://{CLUSTER_ADDRESS}:{API_PORT}"
    for name in ("admin", "controller-manager", "scheduler"):
        _write_kubeconfig(draft, layout.pki, name, inside)
    for name in ("proxy", *(node.name for node in nodes)):
        _write_kubeconfig(draft, layout.pki, name, from_nodes)
    draft.rename(layout.pki)


def admin_kubeconfig(layout: Layout, server: str) -> bytes:
    """Return a self-contained kubeconfig for the administrator, talking to `server`."""
    return _kubeconfig_text(
        server,
        cluster=f"sunk-{layout.name}",
        authority=(layout.pki / "ca.crt").read_bytes(),
        certificate=(layout.pki / "admin.crt").read_bytes(),
        key=(layout.pki / "admin.key").read_bytes(),
    )


def _kubeconfig_text(
    server: str, *, cluster: str, authority: bytes, certificate: bytes, key: bytes
) -> bytes:
    import base64  # noqa: PLC0415 - used here alone

    def data(raw: bytes) -> str:
        return base64.b64encode(raw).decode()

    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": cluster,
                "cluster": {"server": server, "certificate-authority-data": data(authority)},
            }
        ],
        "users": [
            {
                "name": "admin",
                "user": {
                    "client-certificate-data": data(certificate),
                    "client-key-data": data(key),
                },
            }
        ],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": "admin"}}],
        "current-context": cluster,
    }
    return yaml.safe_dump(document, sort_keys=True).encode()


def _write_kubeconfig(draft: Path, final: Path, name: str, server: str) -> None:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "local",
                "cluster": {"server": server, "certificate-authority": str(final / "ca.crt")},
            }
        ],
        "users": [
            {
                "name": name,
                "user": {
                    "client-certificate": str(final / f"{name}.crt"),
                    "client-key": str(final / f"{name}.key"),
                },
            }
        ],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": name}}],
        "current-context": "local",
    }
    (draft / f"{name}.kubeconfig").write_text(yaml.safe_dump(document, sort_keys=True))


def _authority(key: ec.EllipticCurvePrivateKey, now: dt.datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sunk local cluster")])
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        _builder(name, name, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _sign(
    leaf: Leaf,
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    now: dt.datetime,
) -> x509.Certificate:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, leaf.common_name)]
    if leaf.organisation is not None:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, leaf.organisation))
    builder = _builder(x509.Name(attributes), authority.subject, key.public_key(), now)
    builder = builder.add_extension(
        x509.BasicConstraints(ca=False, path_length=None), critical=True
    ).add_extension(x509.ExtendedKeyUsage(list(leaf.usages)), critical=False)
    # Python's own checks (3.13) refuse a certificate that does not name its issuer's key.
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    builder = builder.add_extension(issuer_key, critical=False)
    if leaf.alternative_names:
        names = x509.SubjectAlternativeName([_name(text) for text in leaf.alternative_names])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(authority_key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
    )


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _store(
    folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> None:
    (folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    _write_key(folder / f"{name}.key", key)


def _service_account_keys(folder: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _write_key(folder / "service-account.key", key)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "service-account.pub").write_bytes(public)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.touch(mode=0o600)
    path.write_bytes(text)
