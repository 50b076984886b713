"""Runs of one program with reductions in the network and without: what is run, and its cost; pure.

Runs are in the order on, off, off, on, so that what drifts with time concerns both sides alike.
NCCL's log goes to standard error, apart from the table.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sunk.errors import InputError
from sunk.model.hostlist import fold
from sunk_fabric.active.sharp_sides import OFF, ON, Program
from sunk_fabric.active.tools import BASE_PORT

LEAST_BYTES = 8 * 2**20
"""Smaller messages are NCCL's LL protocols, which no network reduces."""
MOST_OSU_BYTES = 64 * 2**20
"""Its buffers must fit the memory that it allows itself, 512 MiB."""
RUNS = ((ON, ""), (OFF, ""), (OFF, "-2"), (ON, "-2"))
"""Side and the end of its name."""
DEFAULT_GPUS = 8
DEFAULT_MINUTES = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SharpRun:
    """One run.

    Attributes:
        name: ``sharp-on``, ``sharp-off-2``.
        words: of each host's task.
        output: format of what it prints.
        errors: format of what stands in standard error and tells its way; empty where what it
            prints tells that too.
    """

    name: str
    words: tuple[str, ...]
    output: str
    errors: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SharpPlan:
    """What will be run.

    Attributes:
        program: what reduces.
        hosts: one task on each.
        mpi: how tasks find each other, a word of ``srun --mpi``.
        runs: in their order.
        run_seconds: longest time of one.
        price_per_node_hour: None when nobody said.
        currency: of the price.
    """

    program: Program
    hosts: tuple[str, ...]
    mpi: str
    runs: tuple[SharpRun, ...]
    run_seconds: float
    price_per_node_hour: float | None = None
    currency: str = ""

    @property
    def minutes(self) -> float:
        """Return the longest time of all."""
        return len(self.runs) * self.run_seconds / 60

    @property
    def node_hours(self) -> float:
        """Return hosts x time."""
        return self.minutes / 60 * len(self.hosts)

    @property
    def cost(self) -> float | None:
        """Return what that costs; nothing without a price."""
        price = self.price_per_node_hour
        return None if price is None else self.node_hours * price


@dataclass(frozen=True, slots=True, kw_only=True)
class SharpRequest:
    """What somebody wants compared.

    Attributes:
        program: what reduces.
        hosts: where.
        gpus_per_host: of each.
        total_bytes: largest message.
        minutes: longest time of all.
        python: what runs our own programs on hosts.
        price_per_node_hour: None when nobody said.
        currency: of the price.
    """

    program: Program
    hosts: tuple[str, ...]
    gpus_per_host: int = DEFAULT_GPUS
    total_bytes: int = 2**30
    minutes: float = DEFAULT_MINUTES
    python: str = "python3"
    price_per_node_hour: float | None = None
    currency: str = ""


_NCCL: Mapping[str, str] = {
    "NCCL_DEBUG": "INFO",
    "NCCL_DEBUG_SUBSYS": "INIT,ENV,NET,GRAPH,TUNING,NVLS,COLL",
    "NCCL_DEBUG_FILE": "/dev/stderr",
}
_HCOLL: Mapping[str, str] = {"OMPI_MCA_coll_hcoll_enable": "1", "SHARP_COLL_LOG_LEVEL": "3"}
_SIDES: Mapping[str, tuple[Mapping[str, str], Mapping[str, str]]] = {
    ON: (
        {"NCCL_COLLNET_ENABLE": "1"},
        {"HCOLL_ENABLE_SHARP": "3", "SHARP_COLL_ENABLE_SAT": "1"},
    ),
    OFF: ({"NCCL_COLLNET_ENABLE": "0"}, {"HCOLL_ENABLE_SHARP": "0"}),
}
"""Side -> variables of NCCL, of HCOLL."""


def plan(request: SharpRequest) -> SharpPlan:
    """Return the runs of a request.

    Raises:
        InputError: there are not two hosts, or no size is large enough.
    """
    if len(request.hosts) < 2:
        raise InputError(
            f"compare SHARP on {fold(request.hosts) or 'no host'}: nothing is reduced between hosts"
            " with fewer than two",
            hint="name two hosts and more",
        )
    if request.total_bytes < LEAST_BYTES:
        raise InputError(
            f"compare SHARP up to {request.total_bytes} bytes: {LEAST_BYTES} is the smallest size",
            hint="name more with --megabytes",
        )
    form = _FORMS[request.program]
    runs = tuple(
        SharpRun(
            name=f"{side}{end}",
            words=("env", *_variables(side, form), *_words(request)),
            output=form.output,
            errors=form.errors,
        )
        for side, end in RUNS
    )
    return SharpPlan(
        program=request.program,
        hosts=request.hosts,
        mpi=form.mpi,
        runs=runs,
        run_seconds=request.minutes * 60 / len(runs),
        price_per_node_hour=request.price_per_node_hour,
        currency=request.currency,
    )


@dataclass(frozen=True, slots=True)
class _Form:
    output: str
    errors: str = "nccl_log"
    mpi: str = "pmix"


_FORMS: Mapping[Program, _Form] = {
    Program.ALL_REDUCE_PERF: _Form("nccl_tests"),
    Program.TORCH: _Form("collectives", mpi="none"),
    Program.OSU_ALLREDUCE: _Form("osu", errors=""),
}


def _variables(side: str, form: _Form) -> tuple[str, ...]:
    nccl, hcoll = _SIDES[side]
    chosen = {**_NCCL, **nccl} if form.errors else {**_HCOLL, **hcoll}
    return tuple(f"{name}={value}" for name, value in sorted(chosen.items()))


def _words(request: SharpRequest) -> tuple[str, ...]:
    gpus, largest = str(request.gpus_per_host), str(request.total_bytes)
    match request.program:
        case Program.ALL_REDUCE_PERF:
            sizes = ("-b", str(LEAST_BYTES), "-e", largest, "-f", "2")
            return ("all_reduce_perf", *sizes, "-g", gpus)
        case Program.OSU_ALLREDUCE:
            most = min(request.total_bytes, MOST_OSU_BYTES)
            return ("osu_allreduce", "-f", "-m", f"4:{most}")
        case Program.TORCH:
            meet = f"--rdzv-endpoint={request.hosts[0]}:{BASE_PORT}"
            nodes = (f"--nnodes={len(request.hosts)}", f"--nproc-per-node={gpus}")
            launch = ("-m", "sunk_jobs.torchrun", *nodes, "--rdzv-backend=c10d", meet)
            steps = f"--sizes={','.join(str(one) for one in _sizes(request.total_bytes))}"
            program = ("-m", "sunk_jobs.torch_collectives", "--collectives=all_reduce", steps)
            return (request.python, *launch, *program)


def _sizes(largest: int) -> tuple[int, ...]:
    found = []
    size = LEAST_BYTES
    while size <= largest:
        found.append(size)
        size *= 2
    return tuple(found)


def statement(made: SharpPlan) -> Mapping[str, Any]:
    """Return a plan in plain types; names carry their units."""
    return {
        "program": str(made.program),
        "hosts": fold(made.hosts),
        "host_count": len(made.hosts),
        "runs": [{"name": one.name, "command": shlex.join(one.words)} for one in made.runs],
        "run_seconds_at_most": round(made.run_seconds, 1),
        "minutes_at_most": round(made.minutes, 2),
        "node_hours_at_most": round(made.node_hours, 3),
        "cost_at_most": None if made.cost is None else round(made.cost, 2),
        "currency": made.currency,
    }


def lines(made: SharpPlan) -> tuple[str, ...]:
    """Return a plan in words."""
    cost = "" if made.cost is None else f", {made.cost:.2f} {made.currency}"
    return (
        f"SHARP on and off with {made.program}: {len(made.hosts)} hosts, {len(made.runs)} runs",
        f"at most {made.minutes:.1f} minutes, {made.node_hours:.2f} node-hours{cost}",
        *(f"{one.name}: {shlex.join(one.words)}" for one in made.runs),
    )
