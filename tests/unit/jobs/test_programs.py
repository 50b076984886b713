"""What every program promises: it imports anywhere, explains itself, and says what it lacks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import sunk_jobs
from sunk_jobs import exit_codes, torchrun
from sunk_jobs.outputs import results

JOBS = Path(sunk_jobs.__file__).parent.parent
MODULES = sorted(
    ".".join(file.relative_to(JOBS).with_suffix("").parts)
    for file in (JOBS / "sunk_jobs").rglob("*.py")
    if "torchlib" not in file.parts and file.name != "__init__.py"
)
PROGRAMS = ("collectives", "torch_collectives", "train_ddp", "train_fsdp2", "ray_nodes")
LIBRARIES = {"collectives": "mpi4py", "ray_nodes": "ray"}


def python(*words, **variables):
    """Run a Python that sees our modules and the standard library, and nothing installed."""
    return subprocess.run(
        [sys.executable, "-S", "-B", *words],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(JOBS), "PATH": "/nowhere", **variables},
        timeout=60,
    )


def test_modules_import_with_the_standard_library_alone():
    code = (
        f"import importlib, sys\nfor name in {MODULES}: importlib.import_module(name)\n"
        "foreign = [m for m in sys.modules if m.split('.')[0] not in sys.stdlib_module_names"
        " and not m.startswith(('sunk_jobs', '__'))]\n"
        "print(sorted(foreign))"
    )
    done = python("-c", code)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("program", [*PROGRAMS, "allreduce", "rank_order"])
def test_program_explains_itself(program):
    done = python("-m", f"sunk_jobs.{program}", "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: sunk_jobs.{program}")
    assert done.stderr == ""


@pytest.mark.parametrize("program", [*PROGRAMS, "torchrun"])
@pytest.mark.parametrize("words", [(), ("--selftest",)])
def test_program_without_its_library_says_so_and_must_not_be_restarted(program, words):
    done = python("-m", f"sunk_jobs.{program}", *words)
    assert done.returncode == exit_codes.DO_NOT_RESTART
    library = LIBRARIES.get(program, "torch")
    assert done.stderr.startswith(f"{program}: No module named {library!r}; ")
    assert done.stdout == ""


@pytest.mark.parametrize(("code", "status"), [(0, 0), (75, 75), (93, 93), (-9, 137), (-15, 143)])
def test_torchrun_ends_as_a_shell_would_say_it(code, status):
    assert torchrun.status_of(code) == status


def test_a_result_is_one_sorted_line():
    row = results.Row(
        collective="all_reduce",
        size_bytes=8,
        elements=2,
        calls=1,
        seconds=1e-06,
        p50_seconds=1e-06,
        p99_seconds=1e-06,
        algbw_gb_per_s=0.008,
        busbw_gb_per_s=0.008,
        slowest_rank=0,
        wrong_elements=0,
    )
    result = results.CollectivesResult(
        schema=results.COLLECTIVES,
        correct=True,
        ranks=2,
        hosts=("a", "b"),
        library="x",
        element_type="float32",
        samples=1,
        reordered=False,
        rows=(row,),
        pairs=None,
        job_id="7",
    )
    line = results.line_of(result)
    assert "\n" not in line
    assert list(json.loads(line)) == sorted(json.loads(line))
    assert json.loads(line)["rows"] == [vars(row)]
