"""Kubeconfigs that lead nowhere: each is one error that names the file or the server, at once."""

from __future__ import annotations

import base64
import datetime as dt
import http.server
import ipaddress
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sunk.clients.kube.api import KubeApi
from sunk.errors import ConfigError, InputError, RemoteError, SunkError, Unauthorized, Unreachable

DAY = dt.timedelta(days=1)


def kubeconfig(folder: Path, server: str, *, user=None, cluster=None) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server, **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "here",
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return path


def data(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def asked(path: Path, context: str | None = None) -> SunkError:
    """Return the error that the first question gives."""
    with pytest.raises(SunkError) as caught:
        api = KubeApi(path, context)
        try:
            api.version()
        finally:
            api.close()
    return caught.value


@pytest.mark.parametrize(
    "content",
    [b"", b"- a\n", b"a: [", b"\x93\x00\xff" * 50, b"a: b\n", b"contexts: 3\n", b"kind: Config\n"],
    ids=["empty", "list", "syntax", "binary", "foreign", "wrong", "bare"],
)
def test_file_that_is_no_kubeconfig_is_named_with_a_hint(tmp_path, content):
    path = tmp_path / "x"
    path.write_bytes(content)
    error = asked(path)
    assert isinstance(error, ConfigError)
    assert error.message.startswith(f"read kubeconfig {path}: ")
    assert error.hint


def test_missing_file_and_folder_are_named_with_the_systems_cause(tmp_path):
    assert asked(tmp_path / "none").message == (
        f"read kubeconfig {tmp_path}/none: No such file or directory"
    )
    assert asked(tmp_path).message == f"read kubeconfig {tmp_path}: Is a directory"


def test_unknown_context_is_a_usage_error_that_lists_those_there_are(tmp_path):
    error = asked(kubeconfig(tmp_path, "https://127.0.0.1:1"), "there")
    assert isinstance(error, InputError)
    assert (error.message, error.hint) == (
        f"read kubeconfig {tmp_path}/kubeconfig: no context 'there'",
        "its contexts are here",
    )


@pytest.mark.parametrize(
    "broken",
    [
        {"clusters": []},
        {"users": []},
        {"clusters": [{"name": "c", "cluster": {}}]},
        {"clusters": "c"},
        {"contexts": [{"name": "here"}]},
        {"current-context": "gone"},
    ],
    ids=str,
)
def test_kubeconfig_whose_parts_do_not_fit_is_one_error(tmp_path, broken):
    path = kubeconfig(tmp_path, "https://127.0.0.1:1")
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **broken}))
    error = asked(path)
    assert isinstance(error, ConfigError)
    assert str(path) in error.message


@pytest.mark.parametrize(
    "user",
    [
        {"client-certificate-data": "***", "client-key-data": "***"},
        {"client-certificate": "/nowhere.crt", "client-key": "/nowhere.key"},
        {"client-certificate-data": data(b"junk"), "client-key-data": data(b"junk")},
        {"tokenFile": "/nowhere.token"},
    ],
    ids=["not base64", "no such file", "not PEM", "no token file"],
)
def test_credentials_that_cannot_be_read_are_one_error(tmp_path, user, tls_server):
    cluster = {"certificate-authority-data": data(tls_server.certificate)}
    path = kubeconfig(tmp_path, tls_server.url, user=user, cluster=cluster)
    error = asked(path)
    assert isinstance(error, (ConfigError, RemoteError))


def test_garbage_authority_is_one_error(tmp_path, tls_server):
    cluster = {"certificate-authority-data": data(b"junk")}
    error = asked(kubeconfig(tmp_path, tls_server.url, cluster=cluster))
    assert isinstance(error, (ConfigError, RemoteError))


def test_server_that_is_down_is_unreachable_and_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    error = asked(kubeconfig(tmp_path, f"https://127.0.0.1:{port}"))
    assert isinstance(error, Unreachable)
    assert f"https://127.0.0.1:{port}" in error.message
    assert "refused" in error.message


def test_server_that_never_answers_is_given_up(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        path = kubeconfig(tmp_path, f"http://127.0.0.1:{server.getsockname()[1]}")
        api = KubeApi(path)
        with pytest.raises(Unreachable, match="timed out"):
            api.request("GET", "/version", within_seconds=0.3)
        api.close()


@pytest.mark.parametrize(
    "server", ["", "nonsense", "https://", "ftp://127.0.0.1", "https://[::1", "127.0.0.1:6443"]
)
def test_address_that_is_none_is_a_wrong_setting(tmp_path, server):
    error = asked(kubeconfig(tmp_path, server))
    assert isinstance(error, ConfigError)
    assert str(tmp_path) in error.message


def test_name_that_nobody_knows_is_unreachable(tmp_path):
    error = asked(kubeconfig(tmp_path, "https://no-such-host.invalid:6443"))
    assert isinstance(error, Unreachable)
    assert "no-such-host.invalid" in error.message


def test_plain_server_behind_an_https_address_is_unreachable(tmp_path, plain_server):
    error = asked(kubeconfig(tmp_path, plain_server.replace("http:", "https:")))
    assert isinstance(error, Unreachable)


def test_answer_of_something_else_is_not_taken_for_kubernetes(tmp_path, plain_server):
    error = asked(kubeconfig(tmp_path, plain_server))
    assert isinstance(error, RemoteError)


@pytest.mark.parametrize(("status", "word"), [(401, "kubeconfig"), (403, "right")])
def test_refused_user_is_unauthorized_with_a_hint(tmp_path, tls_server, status, word):
    tls_server.status = status
    cluster = {"certificate-authority-data": data(tls_server.certificate)}
    error = asked(kubeconfig(tmp_path, tls_server.url, cluster=cluster))
    assert isinstance(error, Unauthorized)
    assert error.hint is not None
    assert word in error.hint


@pytest.mark.parametrize("tls_server", [-1], indirect=True)
def test_expired_certificate_is_said(tmp_path, tls_server):
    cluster = {"certificate-authority-data": data(tls_server.certificate)}
    error = asked(kubeconfig(tmp_path, tls_server.url, cluster=cluster))
    assert isinstance(error, Unreachable)
    assert "certificate has expired" in error.message


def test_certificate_without_the_extensions_that_python_demands_is_verified_all_the_same(
    tmp_path, tls_server
):
    cluster = {"certificate-authority-data": data(tls_server.certificate)}
    api = KubeApi(kubeconfig(tmp_path, tls_server.url, cluster=cluster))
    assert api.ready()
    context = api._api.rest_client.pool_manager.connection_pool_kw["ssl_context"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    api.close()


def test_certificate_of_an_authority_that_was_not_named_is_refused(tmp_path, tls_server):
    error = asked(kubeconfig(tmp_path, tls_server.url))
    assert isinstance(error, Unreachable)
    assert "self-signed certificate" in error.message


def test_certificate_is_not_verified_only_where_the_kubeconfig_says_so(tmp_path, tls_server):
    api = KubeApi(kubeconfig(tmp_path, tls_server.url, cluster={"insecure-skip-tls-verify": True}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # urllib3 says that this is no good idea
        assert api.ready()
    api.close()


class Server(http.server.ThreadingHTTPServer):
    """Answers everything with one status."""

    status = 200
    url = ""
    certificate = b""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        assert isinstance(self.server, Server)
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(b"<html>hello</html>")

    def log_message(self, *_words):
        pass


def serving(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def plain_server() -> Iterator[str]:
    for server in serving(Server(("127.0.0.1", 0), Handler)):
        yield f"http://127.0.0.1:{server.server_address[1]}"


@pytest.fixture
def tls_server(tmp_path, request) -> Iterator[Server]:
    """A server whose certificate holds for this many days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(tz=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - 9 * DAY)
        .not_valid_after(now + getattr(request, "param", 1) * DAY)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    (tmp_path / "server.pem").write_bytes(
        certificate
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.url = f"https://127.0.0.1:{server.server_address[1]}"
    server.certificate = certificate
    server.handle_error = lambda *_words: None  # type: ignore[method-assign]
    yield from serving(server)
