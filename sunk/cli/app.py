"""The sunk command: puts the groups together, and turns errors into words and exit codes."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

import sunk
from sunk.cli import complete, exits
from sunk.cli.lazy import Lazy, lazy_group
from sunk.cli.output import Form, OutputOption, show
from sunk.clients import process
from sunk.errors import EnvironmentFault, SunkError

_AS_ROOT = "run it again as root, or choose another folder"
_REFUSED_BY_MACHINE = {
    errno.ENOSPC: process.SPACE_HINT,
    errno.EDQUOT: process.SPACE_HINT,
    errno.EACCES: _AS_ROOT,
    errno.EPERM: _AS_ROOT,
    errno.EROFS: "choose another folder: that file system is read-only",
    errno.EMFILE: "raise the limit of open files: ulimit -n 65536",
    errno.EIO: "the disk has errors: dmesg shows them",
    errno.ENOTDIR: "one of the folders above it is a file: choose another folder",
}
"""What the machine may refuse anywhere -> what to do."""

COMMANDS = (
    Lazy(name="bridge", module="sunk.cli.bridge", help="Keep Slurm and Kubernetes in agreement."),
    Lazy(name="bundle", module="sunk.cli.bundle", help="All for an install without a way out."),
    Lazy(name="ckpt", module="sunk.cli.ckpt", help="Checkpoints of a run: whole, damaged, old."),
    Lazy(name="cluster", module="sunk.cli.cluster", help="Slurm clusters: ready, or why not."),
    Lazy(name="demo", module="sunk.cli.demo", help="From nothing to a checked MPI result."),
    Lazy(name="doctor", module="sunk.cli.doctor", help="Say what is missing, and what mends it."),
    Lazy(name="fabric", module="sunk.cli.fabric", help="RDMA, SR-IOV and SHARP paths, checked."),
    Lazy(name="job", module="sunk.cli.job", help="Jobs from templates: render, submit, follow."),
    Lazy(name="node", module="sunk.cli.node", help="Slurm nodes with their Pods and jobs."),
    Lazy(name="plan", module="sunk.cli.plan", help="Say what the bridge would do now."),
    Lazy(name="profile", module="sunk.cli.profile", help="What jobs need to know of a cluster."),
    Lazy(name="topology", module="sunk.cli.topology", help="The network between nodes."),
    Lazy(name="local", module="sunk.cli.local", help="A real Kubernetes with Slurm, right here."),
)

app = typer.Typer(
    name="sunk",
    cls=lazy_group(COMMANDS),
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Slurm on Kubernetes: clusters, jobs, fabric checks, handoff.

Data goes to stdout, words to stderr. Exit codes: 0 fine, 1 a check failed, 2 usage,
3 configuration or this machine, 4 another system, 5 not known, 70 a bug of ours,
130 interrupted. The Tab key: `sunk --install-completion`.

For example:

- `sunk doctor`
- `sunk demo`
""",
)


@app.callback()
def _root() -> None:
    """Hold the groups together."""


@app.command()
def version(
    output: OutputOption = Form.TABLE,
    short: Annotated[bool, typer.Option("--short", help="Only sunk's own version.")] = False,
) -> None:
    """Print the versions of sunk, Python and the libraries that matter.

    Changes nothing. A library that an optional part needs and that is not there says so.

    For example:

    - `sunk version`
    - `sunk version --short`
    - `sunk version --output json`
    """
    if short:
        typer.echo(sunk.__version__)
        return
    show(_versions(), output)


def _versions() -> dict[str, str]:
    from importlib import metadata  # noqa: PLC0415 - costs 20 ms, needed here alone

    found = {"sunk": sunk.__version__, "python": sys.version.split()[0]}
    for name in ("httpx", "jinja2", "kubernetes", "msgspec", "paramiko", "pydantic", "typer"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def main() -> None:
    """Run the command, or answer a shell that completes it, and exit with the code."""
    sys.exit(complete.answer_shell(app) if complete.VARIABLE in os.environ else run())


def run(words: list[str] | None = None) -> int:
    """Run the command with these words (or the process's own) and return the exit code."""
    try:
        code = int(app(args=words, standalone_mode=False) or 0)
        # typer turns an interrupt into this exit code by itself, without a word.
        return _interrupted() if code == exits.INTERRUPTED else code
    except SunkError as exc:
        explain(exc)
        return exits.code_for(exc)
    except typer.Exit as exc:
        return int(exc.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except (OSError, SystemExit) as exc:
        return _system_fault(exc)
    except Exception as exc:  # noqa: BLE001 - the last line of defence: a bug of ours
        return _usage_or_bug(exc)


def _interrupted() -> int:
    Console(stderr=True).print("interrupted; run the same command again to go on")
    return exits.INTERRUPTED


def _reader_left() -> int:
    """End quietly when whoever read our output went away, as in ``sunk … | head -1``."""
    # Python would flush into the closed pipe once more at its end, and complain.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    return exits.OK


def _system_fault(error: OSError | SystemExit) -> int:
    """Explain what the machine refused; anything else of the kind is a bug of ours."""
    # How rich leaves when it finds the pipe closed; nobody else exits here.
    if isinstance(error, SystemExit) or error.errno == errno.EPIPE:
        return _reader_left()
    hint = _REFUSED_BY_MACHINE.get(error.errno or 0)
    if error.errno == errno.ENOENT and not _is_somewhere():
        error.strerror, hint = "the folder that you are in was removed", "cd to another one"
    if hint is None:
        return _usage_or_bug(error)
    where = f" {error.filename}" if error.filename else ""
    explain(EnvironmentFault(f"use{where or ' this machine'}: {error.strerror}", hint=hint))
    return exits.CONFIGURATION


def _is_somewhere() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def explain(error: SunkError) -> None:
    """Print an error and what to do about it."""
    console = Console(stderr=True)
    console.print(Text.assemble(("error: ", "bold red"), error.message), soft_wrap=True)
    if error.hint:
        console.print(Text.assemble(("hint: ", "bold"), error.hint), soft_wrap=True)


def _usage_or_bug(error: Exception) -> int:
    show_usage = getattr(error, "show", None)
    if show_usage is not None and hasattr(error, "exit_code"):
        show_usage()
        return exits.USAGE
    traceback.print_exception(error)
    Console(stderr=True).print("this is a bug in sunk: please report it with the lines above")
    return exits.BUG


if __name__ == "__main__":
    main()
