"""A Pod's own way to its API server: address, authority, and a token that changes."""

from __future__ import annotations

import http.server
import json
import threading
from pathlib import Path

import pytest

from sunk.clients.kube.api import KubeApi
from sunk.errors import ConfigError, Unreachable
from sunk.settings import InCluster, read_in_cluster


class Server(http.server.ThreadingHTTPServer):
    seen: list[str]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen.append(self.headers["Authorization"])
        body = json.dumps({"gitVersion": "v1.36.0"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words):
        pass


@pytest.fixture
def server():
    made = Server(("127.0.0.1", 0), Handler)
    made.seen = []
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def folder(tmp_path) -> Path:
    for name, text in (("token", "one\n"), ("ca.crt", "authority"), ("namespace", "hpc\n")):
        (tmp_path / name).write_text(text)
    return tmp_path


def api(server, folder: Path) -> KubeApi:
    return KubeApi(InCluster(server=f"http://127.0.0.1:{server.server_port}", folder=folder))


def test_token_is_sent_and_read_again_when_the_kubelet_replaces_it(server, folder):
    kube = api(server, folder)
    kube.version()
    (folder / "token").write_text("two")
    kube.version()
    (folder / "token").unlink()
    kube.version()
    kube.close()
    assert server.seen == ["Bearer one", "Bearer two", "Bearer two"]


@pytest.mark.parametrize("name", ["token", "ca.crt"])
def test_file_that_is_missing_or_empty_is_named(server, folder, name):
    (folder / name).write_text("")
    with pytest.raises(ConfigError, match=f"read service account file .*/{name}: it is empty"):
        api(server, folder)
    (folder / name).unlink()
    with pytest.raises(ConfigError, match=f"{name}: No such file") as caught:
        api(server, folder)
    assert "automountServiceAccountToken" in (caught.value.hint or "")


def test_request_that_gets_no_answer_is_given_up_in_the_time_that_was_set(folder):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = InCluster(server=f"http://127.0.0.1:{silent.getsockname()[1]}", folder=folder)
        kube = KubeApi(place, within_seconds=0.2)
        with pytest.raises(Unreachable, match="timed out"):
            kube.nodes()
        kube.close()


@pytest.mark.parametrize(
    ("host", "server"), [("10.0.0.1", "https://10.0.0.1:443"), ("fd00::1", "https://[fd00::1]:443")]
)
def test_address_comes_from_what_the_pod_is_told(host, server):
    told = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "443"}
    assert read_in_cluster(told).server == server


def test_namespace_is_the_pods_own(folder, tmp_path):
    assert InCluster(server="https://x", folder=folder).namespace() == "hpc"
    with pytest.raises(ConfigError, match="namespace: No such file"):
        InCluster(server="https://x", folder=tmp_path / "none").namespace()


def test_whoever_is_no_pod_is_told_so():
    with pytest.raises(ConfigError, match="KUBERNETES_SERVICE_HOST") as caught:
        read_in_cluster({})
    assert "--kubeconfig" in (caught.value.hint or "")
