"""``sunk job lint``: what is wrong with sbatch scripts, before they are submitted."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import sunk
from sunk.cli import exits
from sunk.cli.lazy import Later
from sunk.cli.output import say
from sunk.errors import InputError

if TYPE_CHECKING:
    from sunk.toolkit.lint import baseline as baselines
    from sunk.toolkit.lint import facts as fact_forms
    from sunk.toolkit.lint import files, fixes, report, rules
    from sunk.toolkit.lint.facts import ClusterFacts
    from sunk.toolkit.lint.model import Finding
    from sunk.wiring import login
else:
    baselines = Later("sunk.toolkit.lint.baseline")
    fact_forms = Later("sunk.toolkit.lint.facts")
    files = Later("sunk.toolkit.lint.files")
    fixes = Later("sunk.toolkit.lint.fixes")
    report = Later("sunk.toolkit.lint.report")
    rules = Later("sunk.toolkit.lint.rules")
    login = Later("sunk.wiring.login")

_ROUNDS = 4
"""A fix can make room for another; more than a few rounds would be a bug of ours."""
_NOT_UNDERSTOOD = "P001"


class ReportForm(StrEnum):
    """How to print findings."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


class Level(StrEnum):
    """From which severity on findings fail the command."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


def lint(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="The sbatch scripts; - is stdin.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Ask this machine's Slurm about the cluster.")
    ] = False,
    facts_file: Annotated[
        Path | None,
        typer.Option("--facts", metavar="FILE", help="Facts of the cluster (YAML)."),
    ] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Write the safe fixes into the files.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Print what --fix would change; change nothing.")
    ] = False,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", metavar="FILE", help="Findings in it are not shown again."),
    ] = None,
    write_baseline: Annotated[
        bool, typer.Option("--write-baseline", help="Write what is found into --baseline's file.")
    ] = False,
    fail_on: Annotated[
        Level, typer.Option("--fail-on", help="Least severity that fails the command.")
    ] = Level.ERROR,
    list_rules: Annotated[
        bool, typer.Option("--list-rules", help="Print the rules and do nothing else.")
    ] = False,
    output: Annotated[
        ReportForm, typer.Option("--output", "-o", help="How to print the findings.")
    ] = ReportForm.TEXT,
) -> None:
    """Say what is wrong with sbatch scripts: ours, yours, anybody's.

    Scripts are parsed as bash and their #SBATCH lines read as sbatch reads them. Rules that need
    facts of the cluster are silent without them: `--live` asks Slurm on a login node, `--facts`
    reads a file. A comment `# sunk-lint: ignore=S031 the reason` ignores a rule on its line, or
    on the statement below it; `ignore-file=` in the whole file.

    Touches: nothing; with `--fix` the scripts, with `--write-baseline` the baseline.

    Exit codes: 0 nothing as bad as `--fail-on`; 1 something is; 2 usage, or a script, facts or the
    baseline cannot be read; 3 a file cannot be written; 4 Slurm does not answer; 5 nothing bad was
    found, and part of a script was not understood.

    For example:

    - `sunk job lint job.sbatch`
    - `sunk job lint --fix --fail-on warning train.sbatch eval.sbatch`
    - `sunk job lint --output sarif job.sbatch > lint.sarif`
    - `sunk job lint - < job.sbatch`
    - `sunk job lint --baseline lint.json --write-baseline job.sbatch`
    """
    if list_rules:
        _print_rules(output)
        return
    _check_usage(paths, baseline, fix=fix, diff=diff, write_baseline=write_baseline)
    facts = _facts(facts_file, live=live)
    found: list[Finding] = []
    for path in paths or []:
        found += _lint_one(path, facts, live=live, fix=fix, diff=diff)
    if baseline is not None and write_baseline:
        files.write_text(baseline, baselines.write_baseline(found))
        say(f"{len(found)} findings are in {baseline}")
        return
    if baseline is not None:
        text = files.read_text(baseline, "baseline")
        found = list(baselines.without_known(found, baselines.read_baseline(text, str(baseline))))
    _print(found, len(paths or []), output, diff=diff)
    raise typer.Exit(_exit_code(found, fail_on))


def _check_usage(
    paths: Sequence[Path] | None,
    baseline: Path | None,
    *,
    fix: bool,
    diff: bool,
    write_baseline: bool,
) -> None:
    if not paths:
        raise InputError(
            "lint scripts: none were named", hint="for example: sunk job lint job.sbatch"
        )
    if fix and diff:
        raise InputError("lint scripts: --fix writes and --diff does not", hint="choose one")
    if fix and files.STDIN in paths:
        raise InputError("lint scripts: --fix cannot write stdin", hint="--diff shows the fixes")
    if write_baseline and baseline is None:
        raise InputError("write baseline: no file was named", hint="add --baseline FILE")


def _facts(file: Path | None, *, live: bool) -> ClusterFacts:
    if file is not None:
        if live:
            raise InputError(
                "read facts: --live and --facts both give them", hint="choose one of them"
            )
        return files.read_facts(file)
    if not live:
        return fact_forms.NO_FACTS
    site = login.site_text()
    return fact_forms.facts_from_scontrol(
        site.config, site.partitions, site.nodes, site.topology, site.sbatch_help
    )


def _lint_one(
    path: Path, facts: ClusterFacts, *, live: bool, fix: bool, diff: bool
) -> Sequence[Finding]:
    data, found = files.lint_file(path, facts, live=live)
    if diff:
        mended, _ = fixes.fixed(data, found)
        typer.echo(fixes.difference(str(path), data, mended), nl=False)
    rounds = _ROUNDS if fix else 0
    while rounds and (mended := fixes.fixed(data, found)[0]) != data:
        files.write_file(path, mended)
        data, found = files.lint_file(path, facts, live=live)
        rounds -= 1
    return found


def _print(found: Sequence[Finding], count: int, form: ReportForm, *, diff: bool) -> None:
    match form:
        case ReportForm.TEXT:
            # With --diff the patch is the data, and findings are words beside it.
            typer.echo(report.as_text(found, count), nl=False, err=diff)
        case ReportForm.JSON:
            typer.echo(report.as_json(found, count), nl=False, err=diff)
        case ReportForm.SARIF:
            every = tuple(rules.RULES.values())
            typer.echo(report.as_sarif(found, every, sunk.__version__), nl=False, err=diff)


def _print_rules(form: ReportForm) -> None:
    every = tuple(rules.RULES.values())
    match form:
        case ReportForm.TEXT:
            typer.echo(report.rules_as_text(every), nl=False)
        case ReportForm.JSON:
            typer.echo(report.rules_as_json(every), nl=False)
        case ReportForm.SARIF:
            typer.echo(report.as_sarif((), every, sunk.__version__), nl=False)


def _exit_code(found: Sequence[Finding], fail_on: Level) -> int:
    order = list(Level)
    if any(order.index(Level(one.severity)) <= order.index(fail_on) for one in found):
        return exits.FAILED_CHECK
    if any(one.rule == _NOT_UNDERSTOOD for one in found):
        return exits.UNKNOWN
    return exits.OK
