"""Every template's script, run by a real Slurm as an ordinary user.

Where the application cannot run here a recording stub stands for it, and for nothing else: what it
was given, on every rank, is compared whole. The cluster has no GPUs: the lines that ask for them
are taken out of the one script that cannot do without.
"""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest

from sunk.assess.verdict import Verdict
from sunk.clients.slurm.commands import SlurmCommands
from sunk.model.hostlist import expand
from sunk.model.slurm import JobId
from sunk.toolkit.follow import completed, follow_array
from sunk.toolkit.job_file import read_job
from sunk.toolkit.proving import account_of
from sunk.toolkit.run_evidence import evidence_of
from sunk.toolkit.script import render_job
from tests.contract.slurm_harness import CliHarness
from tests.support import recording_stub
from tests.support.eventually import eventually
from tests.support.golden import check_golden
from tests.support.slurm_namespace import ALICE, SlurmNamespace
from tests.support.slurm_texts import PATH
from tests.support.template_jobs import ENDS, ROOT, RUN_SECONDS, Job

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

STUBS = "/tmp/stubs"
STUBBED = f"environment={{PATH: '{STUBS}:{PATH}'}}"
ALL = ["nodes=3", "memoryPerNode=500", STUBBED]


@pytest.fixture(scope="module")
def slurm(slurm_namespace: SlurmNamespace) -> SlurmNamespace:
    CliHarness(slurm_namespace).tidy()
    slurm_namespace.run("mkdir", "-p", ROOT, STUBS)
    slurm_namespace.run("chown", ALICE.name, ROOT)
    for name in (*recording_stub.PROGRAMS, "rank"):
        stub = slurm_namespace.path(f"{STUBS}/{name}")
        stub.write_bytes(Path(recording_stub.__file__).read_bytes())
        stub.chmod(0o755)
    return slurm_namespace


STUB_JOBS = {
    "nccl-tests": ["tasksPerNode=2", "gpusPerNode=2", "mpiPlugin=none", "maxBytes=1M"],
    "torch-bandwidth": ["processesPerNode=2"],
    "torchrun-ddp": ["processesPerNode=2"],
    "fsdp2": ["processesPerNode=2", "program=[train.py, --name, \"two 'words' $(id)\"]"],
    "deepspeed": ["processesPerNode=2", "globalBatch=12"],
    "megatron": ["processesPerNode=2", "tensorParallel=2", "pipelineParallel=3"],
    "ray": ["program=[sh, -c, 'echo the driver ran on node $NODE_RANK']"],
    "vllm": ["processesPerNode=2", "options=[--max-model-len, 4096]"],
}


TASKS = ["launcher=srun", "processesPerNode=2", "cpusPerTask=2"]


def test_every_rank_that_srun_starts_gets_what_the_golden_file_says(slurm):
    words = [*ALL, *TASKS, "runOptions=false", f"program=[{STUBS}/rank, --name, \"two 'words'\"]"]
    job = Job(slurm, "fsdp2", *words).finished()
    text = json.dumps(job.recorded(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    check_golden("stub/fsdp2.srun.json", text)


@pytest.mark.parametrize("template", STUB_JOBS)
def test_every_rank_of_the_application_gets_what_the_golden_file_says(slurm, template):
    words = [*ALL, *STUB_JOBS[template]]
    job = Job(slurm, template, *words).finished()
    text = json.dumps(job.recorded(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    check_golden(f"stub/{template}.json", text)


def test_ray_driver_runs_once_where_rank_0_is(slurm):
    job = Job(slurm, "ray", *ALL, *STUB_JOBS["ray"]).finished()
    assert job.log().splitlines()[-1] == "the driver ran on node 0"
    assert job.log().count("the driver ran") == 1


def test_vllm_endpoint_is_announced_while_it_serves_and_gone_after(slurm):
    job = Job(slurm, "vllm", *ALL, *STUB_JOBS["vllm"]).finished()
    lines = job.log("logs/0.0.log").splitlines()
    told = json.loads(lines[-1])
    assert told["url"] == "http://10.99.0.1:8000"
    assert told["job"] == job.number
    assert not (job.folder / "endpoint.json").exists()


def test_nccl_tests_without_mpi_are_not_believed(slurm):
    words = [*ALL, *STUB_JOBS["nccl-tests"]]
    words[words.index(STUBBED)] = STUBBED.replace("{", "{STUB_ALONE: 'yes', ")
    job = Job(slurm, "nccl-tests", *words)
    assert set(job.ended().values()) == {"FAILED 93:0"}
    assert "ran 1 ranks together, not 6: is it built with MPI=1?" in job.log()


def test_hello_of_every_rank_is_in_the_log_and_no_node_differs(slurm):
    job = Job(slurm, "hello", "nodes=3", "tasksPerNode=2", "memoryPerNode=100").finished()
    *lines, last = job.log().splitlines()
    told = sorted(line.partition(": ")[2].partition(":")[0] for line in lines)
    assert told == [f"hello from rank {rank} of 6 on slurmhost" for rank in range(6)]
    assert json.loads(last) == {
        "schema": "sunk.dev/hello/v1",
        "verdict": "well",
        "ranks": 6,
        "nodes": 3,
        "faults": [],
        "differences": [],
        "unbound": "",
    }
    assert evidence_of(job.folder)["versions"]["slurm"] == "24.11.5"


@pytest.mark.parametrize(("order", "plugin"), [("slurm", "pmix"), ("switches", "none")])
def test_mpi_starts_its_program_on_every_rank(slurm, order, plugin):
    program = "import os; print('rank', os.environ['SLURM_PROCID'], os.environ['SLURMD_NODENAME'])"
    words = ["nodes=3", "tasksPerNode=2", "memoryPerNode=100", f"mpiPlugin={plugin}"]
    job = Job(
        slurm, "mpi", *words, f"rankOrder={order}", f'program=[python3, -c, "{program}"]'
    ).finished()
    found = sorted(line for line in job.log().splitlines() if line.startswith("rank "))
    assert [line.split()[1] for line in found] == [str(number) for number in range(6)]
    if order == "switches":
        assert [line.split()[2] for line in found] == ["w1", "w1", "w2", "w2", "w3", "w3"]
        assert '"verdict": "planned"' in job.log()
        met = evidence_of(job.folder)
        assert [one["node"] for one in met["ranks"].values()] == ["w1", "w2", "w3"]
        assert sorted(met["topology"]["nodes"]) == sorted(met["fabric"]) == ["0", "1", "2"]
        versions = met["versions"]
        assert (versions["slurm"], versions["mpi"].split()[0]) == ("24.11.5", "Open")
        assert (versions["torch"], versions["image"]) == ("absent", {"reference": "absent"})


UNEVEN = """\
#!/bin/bash
/usr/bin/python3 "$@" || exit
if [[ $SLURMD_NODENAME == w2 && $* == *--evidence* ]]; then
  sed -i 's/"kind": "[a-z]*"/"kind": "roce"/' record/fabric.*.w2.json
fi
"""


@pytest.fixture
def uneven(slurm) -> str:
    """Node w2 says that its network is another."""
    stub = slurm.path(f"{STUBS}/uneven/python3")
    stub.parent.mkdir(exist_ok=True)
    stub.write_text(UNEVEN)
    stub.chmod(0o755)
    return f"environment={{PATH: '{STUBS}/uneven:{PATH}'}}"


MPI = ["nodes=3", "memoryPerNode=100", "mpiPlugin=none", "program=[echo, started]"]


def test_nodes_with_different_networks_do_not_start_and_are_named(slurm, uneven):
    job = Job(slurm, "mpi", *MPI, uneven)
    assert set(job.ended().values()) == {"FAILED 3:0"}
    assert 'nodes differ: w2: kind "roce", elsewhere "tcp"' in job.log()
    assert "started" not in job.log()


def test_nodes_with_different_networks_start_when_that_is_wanted(slurm, uneven):
    job = Job(slurm, "mpi", *MPI, uneven, "unevenNodes=warn").finished()
    assert 'nodes differ: w2: kind "roce", elsewhere "tcp"' in job.log()
    assert job.log().count("started") == 3


def test_every_node_keeps_evidence_of_its_network_and_silence_proves_nothing(slurm):
    job = Job(slurm, "mpi", *MPI).finished()
    kinds = {
        file.name: json.loads(file.read_text())["kind"]
        for file in job.folder.glob("record/fabric.*.json")
    }
    assert kinds == {f"fabric.0.w{number}.json": "tcp" for number in (1, 2, 3)}
    assert job.log().count("no RDMA path: collectives go over TCP") == 3
    assert {one.verdict for one in account_of(job.folder).processes} == {Verdict.UNKNOWN}


def test_every_element_of_a_sweep_runs_with_its_settings_and_is_passed_over_when_done(slurm):
    words = ['grid={lr: [0.1, 0.2], name: ["it\'s"]}', "program=[echo, '{name} {lr}']"]
    job = Job(slurm, "array-sweep", "memoryPerNode=100", *words).finished()
    assert [job.log(f"job.{index}.log") for index in (0, 1)] == ["it's 0.1\n", "it's 0.2\n"]
    assert len(list(job.folder.glob("record/versions.0.*.json"))) == 1
    assert evidence_of(job.folder)["versions"]["slurm"] == "24.11.5"
    again = ("sbatch", "--parsable", "job.sbatch")
    job.number = slurm.run(*again, user=ALICE.name, cwd=job.inside).stdout.strip()
    job.finished()
    assert job.log("job.1.log") == "it's 0.2\nelement 1 is done: out/1/done\n"


def test_array_is_followed_to_the_end_of_every_element(slurm):
    words = ["grid={n: [0, 3, 0]}", "program=[sh, -c, 'echo said; exit {n}']", "atOnce=2"]
    job = Job(slurm, "array-sweep", "memoryPerNode=100", *words)

    def run(argv, **_options):
        return slurm.run(*map(str, argv), user=ALICE.name, check=False)

    said: list[str] = []
    logs = lambda index: job.folder / f"job.{index}.log"  # noqa: E731
    last = follow_array(SlurmCommands(run), JobId(int(job.number)), 3, said.append, logs=logs)
    assert [completed(one) for one in last] == [True, False, True]
    ends = sorted(line for line in said if " COMPLETED" in line or " FAILED" in line)
    assert [line.split()[1] for line in ends] == [f"{job.number}_{index}" for index in range(3)]
    assert ends[1].endswith("exit code 3")
    assert sorted(line for line in said if "said" in line) == [f"  {n} | said" for n in range(3)]


def test_shards_are_made_by_many_tasks_and_the_manifest_lists_them(slurm):
    words = ["nodes=3", "tasksPerNode=2", "memoryPerCpu=100", "shards=4"]
    words += ["inputs=[record.json, job.sbatch, inputs.json, sunk_jobs/shards.py]"]
    job = Job(slurm, "data-preparation", *words).finished()
    manifest = json.loads((job.folder / "shards" / "manifest.json").read_text())
    assert [one["name"] for one in manifest["shards"]] == [f"shard-0000{n}" for n in range(4)]
    wanted = (job.folder / "job.sbatch").read_bytes()
    assert (job.folder / "shards" / "shard-00001").read_bytes() == wanted


def test_health_gate_has_a_report_of_every_node(slurm):
    job = Job(slurm, "health-gate", "nodes=3", "memoryPerNode=100", "freeDiskGib=0").finished()
    record = json.loads(job.log().splitlines()[-1])
    assert (record["verdict"], record["nodes"], record["exclude"]) == ("well", 3, "")


def test_health_gate_names_the_nodes_that_are_not_well(slurm):
    job = Job(slurm, "health-gate", "nodes=2", "memoryPerNode=100", "freeDiskGib=100000")
    assert set(job.ended().values()) == {"FAILED 1:0"}
    record = json.loads(job.log().splitlines()[-1])
    assert len(expand(record["exclude"])) == 2


def test_interactive_script_runs_its_program_in_an_allocation_and_gives_it_back(slurm):
    made = read_job("interactive", ["program=[hostname]", "memoryPerNode=100"])
    script = slurm.path(f"{ROOT}/interactive.sh")
    script.write_text(render_job(*made).script)
    script.chmod(script.stat().st_mode | stat.S_IROTH)
    done = slurm.run("bash", f"{ROOT}/interactive.sh", user=ALICE.name)
    assert "slurmhost" in done.stdout
    number = re.search(r"Granted job allocation (\d+)", done.stderr)
    assert number is not None
    shown = ("squeue", "--noheader", "--states=all", f"--jobs={number[1]}", "--format=%T")
    eventually(lambda: slurm.output(*shown).strip() in ENDS, 30)


# --- saves


def saving(status: int, *words: str) -> list[str]:
    """Return parameters of a run whose ranks wait for the save flag, and end with a status then."""
    stubbed = STUBBED.replace("{", f"{{STUB_SAVES: '{status}', ")
    return [
        "nodes=2",
        "memoryPerNode=100",
        "processesPerNode=2",
        "exclusive=false",
        stubbed,
        *words,
    ]


def started(job: Job) -> bool:
    return len(list(job.folder.glob("record/stub.rank.*.0.json"))) == 4


BY_SRUN = ["launcher=srun", "cpusPerTask=2", f"program=[{STUBS}/rank]"]


@pytest.mark.parametrize(("signal", "words"), [("USR1", []), ("TERM", []), ("USR1", BY_SRUN)])
def test_signalled_run_saves_is_requeued_and_ends_well(slurm, signal, words):
    job = Job(slurm, "torchrun-ddp", *saving(75, *words))
    eventually(lambda: started(job), RUN_SECONDS, what="the ranks")
    slurm.run("scancel", f"--signal={signal}", "--batch", job.number, user=ALICE.name)
    eventually((job.folder / "control" / "rc.0").exists, RUN_SECONDS, what="the save")
    eventually((job.folder / "control" / "rc.1").exists, RUN_SECONDS, what="attempt 1")
    job.finished()
    read = {name: job.log(f"control/{name}").strip() for name in ("save.0", "rc.0", "rc.1")}
    assert read == {"save.0": signal, "rc.0": "75", "rc.1": "0"}
    ledger = [json.loads(line) for line in job.log("record/ledger.jsonl").splitlines()]
    assert [(one["attempt"], one["rc"], one["action"]) for one in ledger] == [
        (0, 75, "requeue"),
        (1, 0, "stop"),
    ]
    assert not (job.folder / "control" / "save.1").exists()


def test_chain_goes_on_after_a_save_and_ends_with_the_work(slurm):
    job = Job(slurm, "singleton-chain", *saving(75, "links=3", "name=chain"))
    eventually(lambda: started(job), RUN_SECONDS, what="the ranks")
    slurm.run("scancel", "--signal=USR1", "--batch", job.number, user=ALICE.name)
    first = job.number
    assert set(job.ended().values()) == {"FAILED 75:0"}
    job.number = job.log("record/next.0").strip()
    assert int(job.number) > int(first)
    job.finished()
    job.number = job.log("record/next.1").strip()
    assert [one.split()[0] for one in job.ended().values()] == ["CANCELLED"]


def test_run_that_saved_only_in_part_goes_on_as_a_job_of_its_own_in_the_same_folder(slurm):
    job = Job(slurm, "fsdp2", *saving(76))
    eventually(lambda: started(job), RUN_SECONDS, what="the ranks")
    slurm.run("scancel", "--signal=USR1", "--batch", job.number, user=ALICE.name)
    assert set(job.ended().values()) == {"FAILED 76:0"}
    first, job.number = job.number, job.log("record/successor.0").strip()
    assert job.number != first
    job.finished()
    assert [job.log(f"control/rc.{attempt}").strip() for attempt in (0, 1)] == ["76", "0"]


def test_failure_that_repeats_without_progress_ends_after_two_restarts(slurm):
    program = "program=[-c, 'import sys; sys.exit(3)']"
    job = Job(slurm, "fsdp2", *saving(75)[:-1], "launcher=srun", "cpusPerTask=2", program)
    last = job.folder / "control" / "rc.2"
    eventually(last.exists, RUN_SECONDS, what="the last attempt")
    (end,) = job.ended().values()
    assert end == "FAILED 3:0"
    assert actions(job) == [("other", "requeue"), ("other", "requeue"), ("other", "stop")]
    assert os.path.lexists(job.folder / "record" / "verdict.2")


def test_launcher_that_is_nowhere_is_looked_for_once_more_and_named(slurm):
    job = Job(slurm, "fsdp2", *saving(75)[:-1], f"environment={{PATH: '{PATH}'}}")
    last = job.folder / "control" / "rc.1"
    eventually(last.exists, RUN_SECONDS, what="the last attempt")
    (end,) = job.ended().values()
    assert end.startswith("FAILED ")
    assert actions(job) == [("program not found", "requeue"), ("program not found", "stop")]
    (first, _) = ledger(job)
    assert first["text"].endswith("exec: torchrun: not found")


def ledger(job: Job) -> list[dict]:
    return [json.loads(line) for line in job.log("record/ledger.jsonl").splitlines()]


def actions(job: Job) -> list[tuple[str, str]]:
    return [(one["class"], one["action"]) for one in ledger(job)]
