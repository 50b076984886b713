"""Inputs made into shards by many tasks: each shard whole or not there, the manifest last.

``make --inputs FILE --shards S --folder OUT -- PROGRAM…`` runs in every task: task p of n makes the
shards p, p+n, p+2n, … In the program's words ``{inputs}`` is a file with the shard's inputs, one a
line, and ``{output}`` the file to write. A shard that is there is not made again. ``manifest`` then
lists all shards with sizes and digests, and fails when one is missing. ``join`` is a program that
puts its inputs into one file.

Exit codes: 0 made; the program's own when it fails; 2 usage; 1 a shard is missing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sunk_jobs.outputs.durable import put_in_place, write_durably

MANIFEST = "manifest.json"
_BLOCK_BYTES = 2**20


def shard_name(number: int) -> str:
    """Return the name of a shard."""
    return f"shard-{number:05d}"


def mine(shards: int, task: int, tasks: int) -> range:
    """Return the shards of a task."""
    return range(task, shards, tasks)


def inputs_of(inputs: Sequence[str], shard: int, shards: int) -> list[str]:
    """Return the inputs of a shard: a run of neighbours, as many as in the others or one less."""
    return list(inputs[shard * len(inputs) // shards : (shard + 1) * len(inputs) // shards])


def digest(file: Path) -> str:
    """Return the SHA-256 of a file."""
    found = hashlib.sha256()
    with file.open("rb") as source:
        while block := source.read(_BLOCK_BYTES):
            found.update(block)
    return found.hexdigest()


def make(inputs: Sequence[str], shards: int, folder: Path, program: Sequence[str]) -> int:
    """Make this task's shards; return 0, or the status of the first program that failed."""
    task = int(os.environ.get("SLURM_PROCID", "0"))
    tasks = int(os.environ.get("SLURM_NTASKS", "1"))
    folder.mkdir(parents=True, exist_ok=True)
    for number in mine(shards, task, tasks):
        target = folder / shard_name(number)
        if target.exists():
            continue
        draft = folder / f".{target.name}.tmp-{task}"
        listed = folder / f".{target.name}.inputs-{task}"
        listed.write_text("".join(f"{one}\n" for one in inputs_of(inputs, number, shards)))
        places = {"{inputs}": str(listed), "{output}": str(draft)}
        words = [places.get(word, word) for word in program]
        status = subprocess.run(words, check=False).returncode
        if status != 0:
            sys.stderr.write(f"shards: {target.name}: the program ended with {status}\n")
            return status if status > 0 else 128 - status
        put_in_place(draft, target)
        listed.unlink()
    return 0


def manifest(inputs: Sequence[str], shards: int, folder: Path) -> dict[str, Any]:
    """Return what the manifest says.

    Raises:
        FileNotFoundError: a shard is missing.
    """
    files = [folder / shard_name(number) for number in range(shards)]
    missing = [one.name for one in files if not one.is_file()]
    if missing:
        raise FileNotFoundError(f"{len(missing)} of {shards} shards are missing: {missing[0]}")
    return {
        "schema": "sunk.dev/shards/v1",
        "inputs": len(inputs),
        "shards": [
            {"name": one.name, "bytes": one.stat().st_size, "sha256": digest(one)} for one in files
        ],
    }


def join(listed: Path, output: Path) -> None:
    """Write the files of a list, one after the other, into one."""
    with output.open("wb") as sink:
        for line in listed.read_text().splitlines():
            with Path(line).open("rb") as source:
                shutil.copyfileobj(source, sink)


def main(words: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code."""
    given = list(sys.argv[1:] if words is None else words)
    cut = given.index("--") if "--" in given else len(given)
    parser = argparse.ArgumentParser(prog="sunk_jobs.shards", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("make", "manifest"):
        one = verbs.add_parser(verb)
        one.add_argument("--inputs", type=Path, required=True, help="JSON: a list of paths")
        one.add_argument("--shards", type=int, required=True)
        one.add_argument("--folder", type=Path, required=True)
    one = verbs.add_parser("join")
    one.add_argument("listed", type=Path)
    one.add_argument("output", type=Path)
    options = parser.parse_args(given[:cut])
    if options.verb == "join":
        join(options.listed, options.output)
        return 0
    inputs = json.loads(options.inputs.read_text())
    if options.verb == "make":
        if not given[cut + 1 :]:
            parser.error("no program behind --")
        return make(inputs, options.shards, options.folder, given[cut + 1 :])
    try:
        found = manifest(inputs, options.shards, options.folder)
    except FileNotFoundError as exc:
        sys.stderr.write(f"shards: {exc}\n")
        return 1
    write_durably(options.folder / MANIFEST, json.dumps(found, indent=1, sort_keys=True) + "\n")
    sys.stdout.write(json.dumps({**found, "shards": options.shards}, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
