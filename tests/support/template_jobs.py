"""Jobs of a real Slurm, run from a template's script by an ordinary user."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

from sunk.toolkit.directives import LOG_FILE
from sunk.toolkit.job_file import read_job
from sunk.toolkit.runs import make_run
from sunk.toolkit.script import render_job
from tests.support.eventually import eventually
from tests.support.slurm_namespace import ALICE, SlurmNamespace

ROOT = "/tmp/runs"
RUN_SECONDS = 120
SLURM_VARIABLES = frozenset(
    {"SLURM_DISTRIBUTION", "SLURM_LOCALID", "SLURM_NNODES", "SLURM_NODEID", "SLURM_NTASKS"}
    | {"SLURM_PROCID", "SLURM_CPUS_PER_TASK", "SLURMD_NODENAME", "SLURM_HOSTFILE"}
)
OTHERS = frozenset(
    {"ENVIRONMENT", "HOSTNAME", "LOGNAME", "OLDPWD", "SHLVL", "_", "USER", "LC_CTYPE"}
)
RECORD = re.compile(
    r"^JobId=(?P<id>\d+).* JobState=(?P<state>\S+) .*ExitCode=(?P<code>\d+:\d+) ", re.DOTALL
)
ENDS = {"COMPLETED", "FAILED", "TIMEOUT", "CANCELLED", "OUT_OF_MEMORY", "NODE_FAIL"}


def natural(name: str) -> list[object]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


class Job:
    """One run of a template."""

    def __init__(
        self,
        slurm: SlurmNamespace,
        template: str,
        *words: str,
        root: str = ROOT,
        change: Callable[[str], str] = lambda script: script,
    ) -> None:
        self._slurm = slurm
        made = read_job(template, words)
        job = render_job(*made)
        run = make_run(slurm.path(root), *made, job, datetime.now(tz=UTC))
        self.folder = run.folder
        self.inside = f"{root}/{run.folder.name}"
        script = re.sub(r"^#SBATCH --gpus-per-node=.*\n", "", job.script, flags=re.MULTILINE)
        run.script.write_text(change(script.replace(" --gpu-bind=none", "")))
        slurm.run("chown", "-R", ALICE.name, self.inside)
        words = ("sbatch", "--parsable", f"--chdir={self.inside}", f"{self.inside}/job.sbatch")
        self.number = slurm.run(*words, user=ALICE.name, cwd=self.inside).stdout.strip()

    def states(self) -> dict[str, str]:
        """Return state and exit code of each element and of jobs of the same name after it."""
        words = ("scontrol", "--oneliner", "show", "job", self.number)
        return {
            found["id"]: f"{found['state']} {found['code']}"
            for line in self._slurm.output(*words).splitlines()
            if (found := RECORD.search(line))
        }

    def ended(self, within_seconds: float = RUN_SECONDS) -> dict[str, str]:
        """Wait for the end and return the states then."""

        def over() -> dict[str, str] | None:
            now = self.states()
            return now if now and all(one.split()[0] in ENDS for one in now.values()) else None

        found: dict[str, str] = eventually(over, within_seconds, what=f"the end in {self.folder}")
        return found

    def log(self, name: str = LOG_FILE) -> str:
        return (self.folder / name).read_text()

    def finished(self, within_seconds: float = RUN_SECONDS) -> Job:
        """Wait for the end, which has to be a good one."""
        states = self.ended(within_seconds)
        assert set(states.values()) == {"COMPLETED 0:0"}, self.everything(states)
        return self

    def everything(self, states: object) -> str:
        logs = sorted([*self.folder.glob("*.log"), *self.folder.glob("logs/*")])
        return f"{states}\n" + "\n".join(f"--- {one.name}\n{one.read_text()}" for one in logs)

    def recorded(self) -> list[dict]:
        """Return what the stubs were given, by program and rank, without what changes."""
        files = sorted(self.folder.glob("record/stub.*.json"), key=lambda one: natural(one.name))
        return [self._steady(json.loads(file.read_text())) for file in files]

    def _steady(self, raw: dict) -> dict:
        port = str(61001 + (int(self.number) + int(raw["environment"]["ATTEMPT"])) % 4000)
        names = {self.inside: "RUN", f"ray.{self.number}": "ray.JOB", port: "PORT"}

        def plain(text: str) -> str:
            for value, name in names.items():
                text = text.replace(value, name)
            return text

        kept = {
            name: plain(value)
            for name, value in raw["environment"].items()
            if name in SLURM_VARIABLES
            or not (name.startswith(("SLURM", "SRUN", "SBATCH", "PMI", "TMP")) or name in OTHERS)
        }
        # sysfs here is the machine's, whose network devices have names of their own.
        if "NCCL_SOCKET_IFNAME" in kept:
            kept["NCCL_SOCKET_IFNAME"] = "=DEVICE"
        # Which node has which of Slurm's numbers is Slurm's business; ranks are ours.
        if "SLURM_HOSTFILE" not in kept:
            for name in ("SLURM_NODEID", "SLURM_PROCID"):
                kept.pop(name, None)
        words = [plain(word) for word in raw["argv"]]
        return {"program": raw["program"], "argv": words, "environment": kept}
