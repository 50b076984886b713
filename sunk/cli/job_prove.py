"""``sunk job prove``: which way a run's data really went."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sunk.assess.verdict import exit_code
from sunk.cli import complete, exits, run_folder
from sunk.cli.lazy import Later
from sunk.cli.output import Form, OutputOption, say, show
from sunk.cli.run_folder import RunsOption

if TYPE_CHECKING:
    from sunk.assess import proof
    from sunk.toolkit import proving
else:
    proof = Later("sunk.assess.proof")
    proving = Later("sunk.toolkit.proving")

_COLUMNS = (
    *("run", "node", "ranks", "library", "expected", "transport", "gdr", "sharp", "nvls"),
    *("verdict", "found"),
)


def prove(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|JOBID",
            help="Folders or names of runs, or numbers of their jobs.",
            autocompletion=complete.jobs,
        ),
    ],
    attempt: Annotated[
        int | None,
        typer.Option(
            "--attempt", metavar="N", min=0, help="Which attempt; the last with evidence if absent."
        ),
    ] = None,
    run_dir: RunsOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Say which way the data of runs really went, node by node and rank by rank.

    Reads the logs that NCCL, UCX and Open MPI wrote (record/nccl, record/ucx, logs, the job's
    output) and compares them with what each node had found of its fabric before the start
    (record/fabric.ATTEMPT.NODE.json): the transport between nodes, GPUDirect RDMA (gdr), reductions
    in the switches (sharp) and in NVLink (nvls). What no log says is UNKNOWN, never PASS; that a
    network was chosen does not prove that data went over it. Changes nothing.

    Exit codes: 0 all went as expected; 1 something did not; 2 there is no such run, or a file
    cannot be read; 5 nothing went wrong, but something is not known.

    For example:

    - `sunk job prove 17`
    - `sunk job prove ./run-1 ./run-2 --output json`
    """
    found = [run_folder.find(one, run_dir, "prove") for one in runs]
    accounts = [proving.account_of(one.folder, attempt) for one in found]
    if output is Form.TABLE:
        rows = [
            {"run": Path(one.run).name} | row
            for one in accounts
            for row in [*proof.summary(one.processes), *map(_row, one.findings)]
        ]
        show(rows, output, _COLUMNS if len(accounts) > 1 else _COLUMNS[1:])
    else:
        show(accounts, output)
    code = exit_code(verdict for one in accounts for verdict in one.verdicts)
    if code == exits.OK and output is Form.TABLE:
        say("\nas expected")
    raise typer.Exit(code)


def _row(finding: object) -> dict[str, object]:
    check, found = getattr(finding, "check", ""), getattr(finding, "found", "")
    return {"verdict": getattr(finding, "verdict", ""), "found": f"{check}: {found}"}
