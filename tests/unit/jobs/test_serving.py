from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from sunk_jobs import serving


class Server(BaseHTTPRequestHandler):
    """A model that is healthy at once and completes from the third time on."""

    asked: list[tuple[str, str]]

    def do_GET(self):
        self.answer(200)

    def do_POST(self):
        type(self).asked.append((self.path, self.headers["Authorization"]))
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200 if len(type(self).asked) > 2 else 503)

    def answer(self, code):
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass


@pytest.fixture
def url():
    Server.asked = []
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_server_is_announced_once_it_has_completed_a_text(url, tmp_path, monkeypatch):
    monkeypatch.setenv("VLLM_API_KEY", "key")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    file = tmp_path / "endpoint.json"
    words = ["--url", url, "--model", "m", "--endpoint", str(file), "--within-seconds", "30"]
    assert serving.main(words) == 0
    assert Server.asked == [("/v1/completions", "Bearer key")] * 3
    assert json.loads(file.read_text()) == {
        "schema": "sunk.dev/endpoint/v1",
        "url": url,
        "model": "m",
        "job": "17",
    }


def test_server_that_does_not_answer_is_not_announced(tmp_path, capsys):
    file = tmp_path / "endpoint.json"
    words = ["--url", "http://127.0.0.1:9", "--model", "m", "--endpoint", str(file)]
    assert serving.main([*words, "--within-seconds", "0"]) == serving.UNKNOWN
    assert not file.exists()
    assert "did not answer in 0 s" in capsys.readouterr().err
