"""What the lint rules claim about Slurm is what the real one does with the bad examples.

The answers are kept beside the examples and quoted on the page of the rules; `make golden` with
this file rewrites them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sunk.clients.slurm.site import read_site
from sunk.toolkit.lint.directives import read_directives
from sunk.toolkit.lint.facts import ClusterFacts, facts_from_scontrol
from sunk.toolkit.lint.options import SBATCH, Takes
from sunk.toolkit.lint.rules import RULES
from tests.contract.slurm_harness import CliHarness
from tests.support.eventually import eventually
from tests.support.golden import check_generated, rewrites
from tests.support.lint_rules import SAID, examples_of, said, save_said
from tests.support.slurm_namespace import ALICE, SlurmNamespace

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

FOLDER = "/tmp/claims"
CLAIMING = tuple(rule for rule in RULES if "claims" in examples_of(rule).document)
RUN_SECONDS = 240
_OVER = re.compile(r"JobState=(COMPLETED|FAILED|TIMEOUT|CANCELLED|OUT_OF_MEMORY|NODE_FAIL)")


@pytest.fixture(scope="module")
def slurm(slurm_namespace: SlurmNamespace) -> SlurmNamespace:
    CliHarness(slurm_namespace).tidy()
    slurm_namespace.run("mkdir", "-p", FOLDER)
    slurm_namespace.run("chown", ALICE.name, FOLDER)
    return slurm_namespace


def submit(slurm: SlurmNamespace, script: bytes, *words: str) -> tuple[int, str, str]:
    slurm.path(f"{FOLDER}/job.sbatch").write_bytes(script)
    done = slurm.run("sbatch", *words, "job.sbatch", user=ALICE.name, check=False, cwd=FOLDER)
    return done.status, done.stdout.strip(), done.stderr.strip()


STATIC = (
    "GresTypes=gpu\nTopologyPlugin=topology/{plugin}\n"
    "NodeName=g[1-32] NodeAddr=10.99.2.[1-32] CPUs=16 RealMemory=2000 Gres=gpu:8 Feature=worker\n"
)
TOPOLOGIES = {
    "tree": "SwitchName=l1 Nodes=g[1-16]\nSwitchName=l2 Nodes=g[17-32]\n"
    "SwitchName=s Switches=l[1-2]\n",
    "block": "BlockName=b1 Nodes=g[1-16]\nBlockName=b2 Nodes=g[17-32]\nBlockSizes=16,32\n",
}
"""Clusters of nodes that never answer: what is asked of them is judged all the same."""


@pytest.fixture(scope="module")
def clusters(
    slurm: SlurmNamespace, slurm_rootfs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, SlurmNamespace]]:
    """The cluster of each name; the one without a name runs jobs."""
    with ExitStack() as running:
        found = {"": slurm}
        for name, topology in TOPOLOGIES.items():
            found[name] = SlurmNamespace(
                rootfs=slurm_rootfs,
                folder=tmp_path_factory.mktemp(name),
                nodes=(),
                more_conf=STATIC.format(plugin=name),
                files={
                    "topology.conf": topology,
                    "gres.conf": "NodeName=g[1-32] Name=gpu Count=8\n",
                },
            )
            found[name].start()
            running.callback(found[name].stop)
            found[name].let_submit(ALICE)
            found[name].run("mkdir", "-p", "-m", "777", FOLDER)
        yield found


class Claim:
    """One claim of one rule, under way."""

    def __init__(self, clusters: Mapping[str, SlurmNamespace], rule: str, number: int) -> None:
        self.document: dict[str, Any] = examples_of(rule).document["claims"][number]
        self.how: str = self.document["how"]
        self._slurm = clusters[self.document.get("cluster", "")]
        self._log = f"{FOLDER}/{rule}-{number}.log"
        text = self.document.get("script")
        script = examples_of(rule).script(self.document.get("example", "bad"))
        self._script = script if text is None else str(text).encode()
        self._job = ""
        self._answer: list[str] = []

    def start(self) -> None:
        words = ["--parsable"]
        if self.how in {"held", "stored"}:
            words.append("--hold")
        if self.how == "run" and b"--output" not in self._script:
            words.append(f"--output={self._log}")
        if self.how == "run" and b"--mem" not in self._script:
            words.append("--mem=100")
        status, self._job, errors = submit(self._slurm, self._script, *words)
        assert (status != 0) == (self.how == "refused"), f"{self.document}: {status} {errors}"
        self._answer = errors.splitlines()

    def finish(self) -> dict[str, Any]:
        lines = self._answer
        if self.how == "stored":
            lines = self._stored()
        elif self.how == "run":
            eventually(self._is_over, RUN_SECONDS, what=f"the end of {self.document}")
            lines = [*self._written(), *self._fields()]
        elif self.how == "held":
            lines = self._fields()
        if self.how in {"stored", "held"}:
            self._slurm.run("scancel", self._job)
        return {"how": self.how, "said": [told for line in lines if (told := _steady(line))]}

    def _show(self) -> list[str]:
        return self._slurm.output("scontrol", "--oneliner", "show", "job", self._job).splitlines()

    def _is_over(self) -> bool:
        restarts = f" Restarts={self.document.get('restarts', 0)} "
        return all(_OVER.search(record) and restarts in record for record in self._show())

    def _fields(self) -> list[str]:
        shows = self.document["shows"]
        found = [
            " ".join(word for word in record.split() if word.partition("=")[0] in shows)
            for record in self._show()
        ]
        return sorted(found)

    def _written(self) -> list[str]:
        log = self._slurm.path(self._log)
        lines = log.read_text().splitlines() if log.exists() else []
        return sorted(lines) if "any_order" in self.document else lines

    def _stored(self) -> list[str]:
        words = ("scontrol", "write", "batch_script", self._job, "-")
        return self._slurm.run(*words, user=ALICE.name).stdout.splitlines()


def _steady(line: str) -> str:
    """Return a line without what differs from run to run: which node, which job, when."""
    line = re.sub(r"\bw[1-3]\b", "w1", line.rstrip())
    return re.sub(r"\bJOB \d+ ON (\S+) CANCELLED AT \S+", r"JOB N ON \1 CANCELLED AT TIME", line)


@pytest.fixture(scope="module")
def answers(clusters: dict[str, SlurmNamespace]) -> dict[str, list[dict[str, Any]]]:
    """What Slurm does with every example; the jobs run side by side."""
    claims = {
        rule: [Claim(clusters, rule, n) for n in range(len(examples_of(rule).document["claims"]))]
        for rule in CLAIMING
    }
    for some in claims.values():
        for claim in some:
            claim.start()
    return {rule: [claim.finish() for claim in some] for rule, some in claims.items()}


@pytest.fixture(scope="module")
def answers_text(answers: dict[str, list[dict[str, Any]]], slurm: SlurmNamespace) -> str:
    """The answers as they are kept; if they are to be written, no test has read what is kept."""
    text = save_said(slurm.output("sbatch", "--version").split()[-1], answers)
    if rewrites():
        check_generated(SAID, text)
    return text


def test_answers_are_those_that_the_page_quotes(answers_text):
    check_generated(SAID, answers_text)


@pytest.mark.parametrize("rule", CLAIMING)
@pytest.mark.usefixtures("answers_text")
def test_slurm_does_with_the_bad_example_what_the_rule_claims(answers, rule):
    assert answers[rule] == said()[rule]


LINES = (
    *('-J "a b"', "-J 'a b'", r"-J a\ b", '-J a"b c"d', r'-J "a\"b"', r"-J 'a\'b'", "-J a#b"),
    *('-J "a#b"', r"-J a\#b", '-J "a" "b"', '-J ""', "-J a\\", r'-J "a\\b"', "--job-name= x"),
    *("-Ja -Jb", "-J=a", '--job-name="a b"c', '-J "a # b" #c', '-J a"', "-J é名", "-J x -"),
    *("-J x --", "-J x -- -N2", "-J x '' --nonsense", "-J x -y", "-J x --nodes", "-J x -Hs"),
    *("-J x --requeue=yes", "-J x --nod=2", "-J x --job=y", "-J x --cpus-per=2", "-J x word"),
    *("-J x --open=append", "--exclusive -J x", "-J x --exclusive user", "-J x\t-N1\v-c1"),
)


@pytest.mark.parametrize("line", LINES)
def test_directive_line_is_read_as_sbatch_reads_it(slurm, line):
    script = f"#!/bin/bash\n#SBATCH {line}\ntrue\n"
    status, job, _ = submit(slurm, script.encode(), "--parsable", "--hold")
    ours = read_directives(script.splitlines())
    assert bool(ours.faults) == (status != 0)
    if status == 0:
        name = slurm.output("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%j")
        slurm.run("scancel", job)
        assert ours.value("job-name") == name.rstrip("\n")


def getopt_faults(slurm: SlurmNamespace, text: str) -> str:
    """Return what getopt says of an option; the next one ends sbatch before it submits."""
    _, _, errors = submit(slurm, f"#!/bin/bash\n#SBATCH {text} --no-such-option\n".encode())
    wanted = ("unrecognized option", "ambiguous", "doesn't allow", "requires an argument")
    lines = [line for line in errors.splitlines() if any(one in line for one in wanted)]
    return "\n".join(line for line in lines if "--no-such-option" not in line)


@pytest.mark.parametrize("name", sorted(one for one in SBATCH if SBATCH[one].since is None))
def test_option_is_one_of_sbatch_and_takes_what_we_think(slurm, name):
    form = SBATCH[name]
    assert getopt_faults(slurm, f"--{name}" + ("=1" if form.takes is Takes.REQUIRED else "")) == ""
    if form.takes is Takes.NONE:
        assert "doesn't allow an argument" in getopt_faults(slurm, f"--{name}=1")
    if form.takes is Takes.OPTIONAL:
        assert getopt_faults(slurm, f"--{name}=1") == ""
    if form.letter:
        value = "1" if form.takes is Takes.REQUIRED else ""
        assert getopt_faults(slurm, f"-{form.letter}{value}") == ""


def test_option_of_a_later_release_is_refused(slurm):
    later: Iterator[str] = (one for one in SBATCH if SBATCH[one].since is not None)
    for name in later:
        assert f"unrecognized option '--{name}'" in getopt_faults(slurm, f"--{name}")


def test_facts_are_those_of_the_running_cluster(slurm):
    site = read_site(slurm.runner(ALICE.name))
    facts = facts_from_scontrol(
        site.config, site.partitions, site.nodes, site.topology, site.sbatch_help
    )
    assert {"nodes", "time", "gres"} <= set(facts.sbatch_options)
    assert replace(facts, sbatch_options=()) == ClusterFacts(
        release=(24, 11),
        topology_plugin="topology/default",
        max_array_size=1001,
        mpi_default="none",
        job_file_append=False,
        select_parameters=("CR_CORE_MEMORY",),
        default_partition="main",
        node_names=("w1", "w2", "w3"),
    )
