"""``sunk fabric test --sharp``: what reductions in the network gain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from sunk.assess.verdict import exit_code
from sunk.cli import exits, fabric_findings
from sunk.cli.lazy import Later
from sunk.cli.output import Form, say, show
from sunk.cli.progress import reporting
from sunk.progress import step

if TYPE_CHECKING:
    from sunk.wiring import fabric as wiring
    from sunk_fabric import service
    from sunk_fabric.active import session, sharp
    from sunk_fabric.active.sharp import SharpPlan
    from sunk_fabric.expected import Expected
else:
    wiring = Later("sunk.wiring.fabric")
    service = Later("sunk_fabric.service")
    session = Later("sunk_fabric.active.session")
    sharp = Later("sunk_fabric.active.sharp")

CHECKS = ("sharp.nccl.gain",)


def show_plan(made: SharpPlan, output: Form) -> None:
    """Print what would be run, and what it costs at most."""
    if output is Form.TABLE:
        for line in sharp.lines(made):
            typer.echo(line)
    else:
        show(sharp.statement(made), output)


def compare(
    made: SharpPlan,
    reach: wiring.Reach,
    python: str,
    folder: Path,
    declared: Expected | None,
    output: Form,
) -> NoReturn:
    """Run a plan, keep its evidence, judge it, and end with what was found."""
    with reporting() as reporter, step(reporter, "test") as current:
        done = wiring.compare(made, reach, python, folder, current.detail)
    say(session.cleanup_words(done.cleanup))
    findings = service.check(folder, declared, None, CHECKS)
    if output is Form.TABLE:
        fabric_findings.show_findings(findings, everything=True)
    else:
        stated = sharp.statement(made)
        show({"plan": stated, "folder": folder, **fabric_findings.document(findings)}, output)
    if done.interrupted:
        raise typer.Exit(exits.INTERRUPTED)
    raise typer.Exit(exit_code(one.verdict for one in findings))
