"""``sunk bridge run`` as a process: probes, log, signals, and the hand-over between two of them."""

from __future__ import annotations

import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from sunk.clients.kube.memory import MemoryKube
from sunk.errors import Conflict, NotFound, RemoteError
from sunk.model.kube import KINDS, LEASE
from sunk.wellknown import BRIDGE_LEASE
from tests.support.eventually import eventually
from tests.support.pages import ROOT

NAMESPACE = "slurm"
PLACE = LEASE.path(NAMESPACE)


class Handler(http.server.BaseHTTPRequestHandler):
    """As much of an API server as a bridge needs that finds no Slurm cluster yet."""

    def answer(self, question) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        try:
            with self.server.lock:
                status, found = 200, question(self.server.kube, body)
        except RemoteError as exc:
            codes = {NotFound: 404, Conflict: 409}
            status, found = codes[type(exc)], {"message": exc.message}
        text = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        path = self.path.partition("?")[0]
        kinds = {kind.path(NAMESPACE): kind for kind in KINDS.values()}
        if path in kinds:
            kind = kinds[path]
            place = NAMESPACE if kind.namespaced else None
            meta = {"resourceVersion": "1"}
            self.answer(lambda kube, _: {"metadata": meta, "items": list(kube.list(kind, place))})
        else:
            assert path == f"{PLACE}/{BRIDGE_LEASE}"
            self.answer(lambda kube, _: kube.get(LEASE, BRIDGE_LEASE, NAMESPACE))

    def do_POST(self):
        self.answer(lambda kube, body: kube.create(body))

    def do_PATCH(self):
        self.answer(lambda kube, body: kube.merge(LEASE, BRIDGE_LEASE, body, NAMESPACE))

    def log_message(self, *_words):
        pass


class ApiServer(http.server.ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.kube = MemoryKube()
        meta = {"name": NAMESPACE}
        self.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})

    def lease(self) -> dict[str, Any]:
        with self.lock:
            return dict(self.kube.get(LEASE, BRIDGE_LEASE, NAMESPACE)["spec"])


@pytest.fixture
def api() -> Iterator[ApiServer]:
    server = ApiServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


class Bridge:
    """The process, and what it logs."""

    def __init__(self, folder: Path, server: str, name: str) -> None:
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(
            yaml.safe_dump(
                {
                    "clusters": [{"name": "c", "cluster": {"server": server}}],
                    "users": [{"name": "u", "user": {}}],
                    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                    "current-context": "x",
                }
            )
        )
        self.log = folder / f"{name}.log"
        words = ("bridge", "run", "--kubeconfig", kubeconfig, "--leader-elect")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sunk.cli.app", *words, "--listen", "127.0.0.1:0"],
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), *sys.path))},
                cwd=folder,
            )

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def said(self, event: str) -> dict[str, Any] | None:
        return next((one for one in self.lines() if one["event"] == event), None)

    def ask(self, page: str) -> tuple[int, str]:
        told = self.said("listening")
        assert told is not None
        answer = httpx.get(f"http://127.0.0.1:{told['port']}{page}", trust_env=False)
        return answer.status_code, answer.text

    def leads(self) -> bool:
        return re.search(r"^sunk_bridge_leader 1\.0$", self.ask("/metrics")[1], re.M) is not None

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def start(api, tmp_path) -> Iterator:
    started: list[Bridge] = []

    def one(name: str) -> Bridge:
        started.append(Bridge(tmp_path, f"http://127.0.0.1:{api.server_port}", name))
        return started[-1]

    yield one
    for bridge in started:
        bridge.process.kill()
        bridge.process.wait(30)


def test_two_bridges_hand_over_and_end_cleanly(api, start):
    first = start("first")
    eventually(first.leads, 30)
    assert (first.ask("/healthz"), first.ask("/readyz")) == ((200, "ok\n"), (200, "ok\n"))
    waiting = [one["why"] for one in first.lines() if one["event"] == "waiting"]
    assert "no SlurmCluster is in the namespace" in waiting
    second = start("second")
    eventually(lambda: second.ask("/readyz") == (200, "ok\n"), 30)
    assert not second.leads()

    assert first.end(signal.SIGTERM) == 0
    assert first.lines()[-1]["event"] == "ended"
    # At once, by the retry, and not when 15 s are over.
    eventually(second.leads, 10)
    assert api.lease()["leaseTransitions"] == 1
    assert second.end(signal.SIGTERM) == 0
    assert "holderIdentity" not in api.lease()


def test_interrupt_gives_the_lease_back_too(api, start):
    bridge = start("only")
    eventually(bridge.leads, 30)
    assert bridge.end(signal.SIGINT) == 130
    assert "holderIdentity" not in api.lease()
