"""What the Tab key offers beside commands and options: names of clusters, nodes, logs, templates.

Every answer is read from small files, in milliseconds, and never from a running system. Whatever
goes wrong, the shell gets no answer and no words: see `answer_shell`.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from pathlib import Path

import typer
import yaml

from sunk import settings
from sunk.local.layout import Layout, cluster_layout, nodes
from sunk.resources import data_folder
from sunk_jobs.checkpoint.files import Files
from sunk_jobs.checkpoint.reading import steps_in

VARIABLE = "_SUNK_COMPLETE"
"""Set by the scripts of ``--show-completion`` when a shell asks."""
_MOST_RUNS = 50


def answer_shell(app: Callable[..., object]) -> int:
    """Answer a shell that asks for completions; print the answer, or nothing at all."""
    try:
        with redirect_stderr(io.StringIO()):
            app(prog_name="sunk", standalone_mode=False)
    except SystemExit as exc:
        return int(exc.code or 0)
    except Exception:  # noqa: BLE001 - words of ours would land in the line that a person types
        return 1
    return 0


def clusters(context: typer.Context) -> list[str]:
    """Return the names of the local clusters that have a state folder."""
    return sorted(file.parent.name for file in _state(context).glob("local/*/cluster.json"))


def cluster_nodes(context: typer.Context) -> list[str]:
    """Return the names of the Kubernetes nodes of the chosen local cluster."""
    wanted = json.loads(_layout(context).parameters.read_text())
    return [node.name for node in nodes(int(wanted["node_count"]))]


def cluster_logs(context: typer.Context) -> list[str]:
    """Return the names of the logs of the chosen local cluster."""
    return sorted(file.stem for file in _layout(context).logs.glob("*.log"))


def contexts(context: typer.Context) -> list[str]:
    """Return the contexts of the kubeconfig that ``--kubeconfig`` names; KUBECONFIG is not read."""
    file = _folder(context, "kubeconfig")
    document = {} if file is None else yaml.safe_load(file.read_text())
    return sorted(str(one["name"]) for one in document.get("contexts", ()))


def templates() -> list[str]:
    """Return the names of the job templates."""
    ending = ".sbatch.j2"
    folder = data_folder("templates") / "sbatch"
    return sorted(file.name.removesuffix(ending) for file in folder.glob(f"[!_]*{ending}"))


def jobs(context: typer.Context) -> list[tuple[str, str]]:
    """Return the numbers of the jobs with a run folder, newest first, and their folders' names."""
    root = _folder(context, "run_dir") or Path.home() / "sunk-runs"
    return list(_submitted(root))[:_MOST_RUNS]


def checkpoints(context: typer.Context) -> list[str]:
    """Return the steps of the checkpoints in the folder that was typed, newest first."""
    folder = _folder(context, "folder")
    return [] if folder is None else [str(step) for step in steps_in(Files(), folder)]


def _submitted(root: Path) -> Iterator[tuple[str, str]]:
    records = sorted(root.glob("*/record.json"), key=lambda one: one.stat().st_mtime, reverse=True)
    for file in records:
        try:
            number = json.loads(file.read_text())["job_id"] or _own_word(file.parent)
        except (OSError, ValueError, KeyError, TypeError):
            continue
        yield str(number), file.parent.name


def _own_word(run: Path) -> int:
    """Return the number that a job wrote itself: a person submitted it, and no record has it."""
    return int((run / "record" / "job_id").read_text())


def _layout(context: typer.Context) -> Layout:
    return cluster_layout(str(context.params["name"]), _state(context))


def _state(context: typer.Context) -> Path:
    chosen = _folder(context, "state_dir")
    return settings.read_local(os.environ, state_folder=chosen).state_folder


def _folder(context: typer.Context, name: str) -> Path | None:
    value = context.params.get(name)
    return None if value is None else Path(str(value)).expanduser()
