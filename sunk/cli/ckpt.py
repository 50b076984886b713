"""``sunk ckpt``: checkpoints of a run: which are whole, what is wrong, what may go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from sunk.cli import complete, exits
from sunk.cli.output import Form, OutputOption, say, show
from sunk.errors import EnvironmentFault, InputError, SunkError
from sunk_jobs.checkpoint import lock, proofs, survey, writing
from sunk_jobs.checkpoint.errors import Locked
from sunk_jobs.checkpoint.files import Files
from sunk_jobs.checkpoint.lock import Holder
from sunk_jobs.checkpoint.manifest import Manifest, step_name
from sunk_jobs.checkpoint.reading import Damage
from sunk_jobs.checkpoint.retention import KEEP_MIN, Retention
from sunk_jobs.checkpoint.survey import Action, Survey

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="""Checkpoints that the job toolkit's library wrote: list, verify, mend, clean up.

For example:

- `sunk ckpt ls ckpt`
- `sunk ckpt verify ckpt`
""",
)

FolderArgument = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="The folder with the step_… folders of a run.")
]


@app.command("ls")
def list_checkpoints(folder: FolderArgument, output: OutputOption = Form.TABLE) -> None:
    """List the checkpoints, newest first: step, state, size, who saved it, and what is wrong.

    Looks at manifests and at the lengths of files, not at their bytes: see `sunk ckpt verify`.
    Changes nothing.

    Exit codes: 0 listed; 2 there is no such folder.

    For example:

    - `sunk ckpt ls ckpt`
    - `sunk ckpt ls ckpt --output json`
    """
    found = _look(folder)
    columns = ("step", "state", "world", "size_mib", "job", "attempt", "created", "reason")
    show([_row(found, step, "whole", "damaged") for step in found.checkpoints], output, columns)
    if found.holder is not None:
        say(f"held by {found.holder}")


@app.command()
def verify(
    folder: FolderArgument,
    step: Annotated[
        int | None,
        typer.Argument(
            metavar="STEP",
            help="Only this checkpoint [default: all].",
            autocompletion=complete.checkpoints,
        ),
    ] = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Read every byte of every checkpoint and compare it with the digests in the manifest.

    Changes nothing.

    Exit codes: 0 all are whole; 1 one is damaged; 2 there is no such folder or step; 5 one cannot
    be read.

    For example:

    - `sunk ckpt verify ckpt`
    - `sunk ckpt verify ckpt 1200 --output json`
    """
    found = _look(folder, digests=True, step=step)
    rows = [_row(found, at, "PASS", "FAIL") for at in found.checkpoints]
    show(rows, output, ("step", "state", "world", "size_mib", "reason"))
    states = {row["state"] for row in rows}
    code = exits.UNKNOWN if "UNKNOWN" in states else exits.OK
    raise typer.Exit(exits.FAILED_CHECK if "FAIL" in states else code)


@app.command()
def fsck(
    folder: FolderArgument,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended, with the folder locked.")
    ] = False,
    output: OutputOption = Form.TABLE,
) -> None:
    """Say what is wrong in the folder; with --repair, mend it.

    Reads every byte. A damaged checkpoint is set aside under another name, never deleted; `latest`
    is led to the newest whole one. Without --repair changes nothing; with it, takes the folder's
    lock, and is refused while a job has it.

    Exit codes: 0 nothing is wrong, or all is mended; 1 something is, or a job has the folder; 2
    there is no such folder; 5 something cannot be read.

    For example:

    - `sunk ckpt fsck ckpt`
    - `sunk ckpt fsck ckpt --repair`
    """
    found = survey.findings(_look(folder, digests=True))
    left = found
    if repair and any(one.mend is not None for one in found):
        with _ours(folder):
            found = survey.findings(_look(folder, digests=True))
            _apply(folder, [one.mend for one in found if one.mend is not None])
        left = [one for one in found if one.mend is None]
    rows = [
        {
            "name": one.name,
            "problem": one.problem,
            "mend": one.mend and f"{one.mend.act.value} {one.mend.target}".strip(),
            "mended": repair and one.mend is not None,
        }
        for one in found
    ]
    show(rows, output)
    if any(one.certain for one in left):
        raise typer.Exit(exits.FAILED_CHECK)
    raise typer.Exit(exits.UNKNOWN if left else exits.OK)


@app.command()
def gc(
    folder: FolderArgument,
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep",
            metavar="N",
            min=KEEP_MIN,
            help="Also delete whole checkpoints but the newest N.",
        ),
    ] = None,
    keep_every: Annotated[
        int | None,
        typer.Option(
            "--keep-every", metavar="STEPS", min=1, help="With --keep: keep multiples of this too."
        ),
    ] = None,
    damaged: Annotated[
        bool, typer.Option("--damaged", help="Also delete what fsck or a save set aside.")
    ] = False,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete it; without, only say what would be.")
    ] = False,
    output: OutputOption = Form.TABLE,
) -> None:
    """Delete what dead attempts left behind and, with --keep, old checkpoints.

    Without --delete says what would be deleted, and changes nothing. With it, takes the folder's
    lock, and is refused while a job has it. With --keep it reads every byte first: a damaged
    checkpoint counts for nothing.

    Exit codes: 0 done, or said; 1 a job has the folder; 2 there is no such folder, or a wrong
    option.

    For example:

    - `sunk ckpt gc ckpt`
    - `sunk ckpt gc ckpt --keep 3 --keep-every 1000 --delete`
    """
    if keep_every is not None and keep is None:
        raise InputError("use --keep-every: it needs --keep", hint="add --keep 2")
    rule = None if keep is None else Retention(keep=keep, keep_every=keep_every)
    if delete:
        with _ours(folder):
            # Digests: old ones go only if the newer ones are proved to be whole.
            seen = _look(folder, digests=rule is not None)
            actions = survey.clean_up(seen, rule, ours=True, damaged=damaged)
            _apply(folder, actions)
    else:
        seen = _look(folder, digests=rule is not None)
        actions = survey.clean_up(seen, rule, ours=False, damaged=damaged)
        if seen.holder is not None:
            say(f"held by {seen.holder}: what it is writing is left out")
    show([{"name": one.name, "reason": one.reason, "deleted": delete} for one in actions], output)


def _look(folder: Path, *, digests: bool = False, step: int | None = None) -> Survey:
    if not folder.is_dir():
        raise InputError(
            f"read checkpoints in {folder}: no such folder", hint="a run keeps them in its ckpt/"
        )
    found = survey.look(Files(), folder, digests=digests, only=step)
    if step is not None and not found.checkpoints:
        raise InputError(
            f"read step {step} in {folder}: no such checkpoint", hint=f"sunk ckpt ls {folder}"
        )
    return found


def _row(found: Survey, step: int, whole: str, damaged: str) -> dict[str, Any]:
    one = found.checkpoints[step]
    row: dict[str, Any] = {
        "step": step,
        "latest": found.latest == step_name(step),
    }
    match one:
        case Manifest():
            return row | {
                "state": whole,
                "world": one.world,
                "size_mib": round(one.size_bytes / 2**20, 1),
                "run": one.run_id,
                "job": one.job_id,
                "attempt": one.attempt,
                "created": one.created,
                "tokens": one.about.tokens,
                "reason": None,
            }
        case Damage():
            state = damaged if one.certain else "UNKNOWN"
            return row | {"state": state, "reason": one.reason}


@contextmanager
def _ours(folder: Path) -> Iterator[Holder]:
    """Hold the folder's lock: no job writes, and none begins."""
    files, nonce = Files(), writing.new_nonce()
    me = proofs.this_process(
        run_id="sunk-ckpt", job_id="0", attempt=0, taken=writing.utc_now(), nonce=nonce
    )
    try:
        lock.take(files, folder, me, proofs.any_of(proofs.gone_from_here, proofs.gone_by_slurm))
    except Locked as exc:
        raise SunkError(
            str(exc), hint="wait for the job; if it is over and Slurm forgot it, remove LOCK"
        ) from exc
    except FileNotFoundError as exc:
        raise InputError(f"read checkpoints in {folder}: no such folder") from exc
    try:
        yield me
    finally:
        lock.release(files, folder, me)


def _apply(folder: Path, actions: Sequence[Action]) -> None:
    try:
        survey.apply(Files(), folder, actions, writing.new_nonce())
    except OSError as exc:
        raise EnvironmentFault(f"change {folder}: {exc.strerror}", hint="run it again") from exc
