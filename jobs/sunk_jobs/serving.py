"""Announce a model server once it answers: after ``/health`` and one completion, in a file.

Runs beside the server on the node of rank 0. Clients read the file; it appears whole, and only
once the model has answered. The key is taken from the variable ``VLLM_API_KEY`` where there is one.

Exit codes: 0 announced; 95 the server did not answer in time.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sunk_jobs.outputs.durable import write_durably

UNKNOWN = 95
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_ANSWER_SECONDS = 30.0


def answers(url: str, model: str, key: str) -> bool:
    """Return whether the server is healthy and completes a text."""
    body = json.dumps({"model": model, "prompt": "1", "max_tokens": 1}).encode()
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    completion = urllib.request.Request(  # noqa: S310 - the job's own server, over http
        f"{url}/v1/completions", data=body, headers=headers
    )
    try:
        for request in (f"{url}/health", completion):
            with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as reply:  # noqa: S310
                reply.read()
    except (OSError, urllib.error.URLError, ValueError):
        return False
    return True


def wait(ask: Callable[[], bool], within_seconds: float) -> bool:
    """Ask until the answer is yes; return whether it was in time."""
    deadline = time.monotonic() + within_seconds
    pause = _FIRST_PAUSE_SECONDS
    while not ask():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
    return True


def endpoint(url: str, model: str, job: str) -> dict[str, Any]:
    """Return what clients are told."""
    return {"schema": "sunk.dev/endpoint/v1", "url": url, "model": model, "job": job}


def main(words: Sequence[str] | None = None) -> int:
    """Wait for the server and announce it."""
    parser = argparse.ArgumentParser(prog="sunk_jobs.serving", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--endpoint", type=Path, required=True, help="file to announce it in")
    parser.add_argument("--within-seconds", type=float, required=True)
    options = parser.parse_args(words)
    key = os.environ.get("VLLM_API_KEY", "")
    if not wait(lambda: answers(options.url, options.model, key), options.within_seconds):
        sys.stderr.write(f"serving: {options.url} did not answer in {options.within_seconds:g} s\n")
        return UNKNOWN
    told = endpoint(options.url, options.model, os.environ.get("SLURM_JOB_ID", ""))
    write_durably(options.endpoint, json.dumps(told, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
