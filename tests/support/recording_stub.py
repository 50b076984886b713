#!/usr/bin/env python3
"""Recording stub: stands for torchrun, its ranks, nccl-tests, Ray and vLLM where they cannot run.

It writes its arguments and environment into the run's record, and does the least that what is
around it needs: starts ranks, prints the lines of nccl-tests, answers as a server does.
"""

import json
import os
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

ME = Path(__file__).resolve()
WAIT_SECONDS = 60


def record(program: str, number: int) -> None:
    target = Path(os.environ["RUN"], "record", f"stub.{program}.{number}.{os.environ['ATTEMPT']}")
    target.with_suffix(f"{target.suffix}.json").write_text(
        json.dumps({"program": program, "argv": sys.argv[1:], "environment": dict(os.environ)})
    )


def torchrun() -> int:
    """Start the ranks of this node the way torchrun does, the program replaced by this stub."""
    given = dict(
        word[2:].split("=", 1) for word in sys.argv[1:] if word.startswith("--") and "=" in word
    )
    node, per_node = int(given["node-rank"]), int(given["nproc-per-node"])
    record("torchrun", node)
    cut = sys.argv.index("sunk_jobs.rank_log")
    ranks = []
    for local in range(per_node):
        variables = {
            "RANK": str(node * per_node + local),
            "LOCAL_RANK": str(local),
            "LOCAL_WORLD_SIZE": str(per_node),
        }
        words = [sys.executable, "-m", "sunk_jobs.rank_log", str(ME), *sys.argv[cut + 1 :]]
        ranks.append(subprocess.Popen(words, env={**os.environ, **variables}))
    statuses = [one.wait() for one in ranks]
    # As torchrun does: whatever a rank ended with, the launcher ends with 1.
    return 1 if any(statuses) else 0


def rank() -> int:
    """Be one rank: finish at once, or wait to be asked for a save in the first attempt."""
    record("rank", int(os.environ["RANK"]))
    status = os.environ.get("STUB_SAVES")
    if status is None or os.environ["ATTEMPT"] != "0":
        print(json.dumps({"schema": "sunk.dev/stub/v1", "rank": int(os.environ["RANK"])}))
        return 0
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if Path(os.environ["SAVE_FLAG"]).exists():
            return int(status)
        time.sleep(0.05)
    return 1


def all_reduce_perf() -> int:
    """Print what nccl-tests print of the ranks that run together, on rank 0."""
    number, ranks = int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_NTASKS"])
    record("all_reduce_perf", number)
    together = 1 if os.environ.get("STUB_ALONE") == "yes" else ranks
    if number == 0:
        for one in range(together):
            print(f"#  Rank  {one} Group  0 Pid {os.getpid()} on stub device  0", flush=True)
    return 0


def ray() -> int:
    """Run the driver where rank 0 is; or end what is left of Ray on this node."""
    node = int(os.environ["NODE_RANK"])
    if sys.argv[1] == "stop":
        record("ray.stop", node)
        return 0
    record("ray", node)
    if node:
        return 0
    return subprocess.run(sys.argv[sys.argv.index("--") + 1 :], check=False).returncode


class Model(BaseHTTPRequestHandler):
    """Answers every request."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()


def vllm() -> int:
    """Serve until the endpoint is announced; the other nodes wait for that, too."""
    node = int(os.environ["NODE_RANK"])
    record("vllm", node)
    server = None
    if node == 0:
        port = int(sys.argv[sys.argv.index("--port") + 1])
        server = HTTPServer(("", port), Model)
        server.timeout = 0.2
    deadline = time.monotonic() + WAIT_SECONDS
    while not Path("endpoint.json").exists() and time.monotonic() < deadline:
        if server is None:
            time.sleep(0.05)
        else:
            server.handle_request()
    print(Path("endpoint.json").read_text(), end="")
    return 0


PROGRAMS = {one.__name__: one for one in (torchrun, all_reduce_perf, ray, vllm)}

if __name__ == "__main__":
    # Python tells a program apart by its name; a rank is the same file under torchrun.
    sys.exit(rank() if "LOCAL_RANK" in os.environ else PROGRAMS[Path(sys.argv[0]).name]())
