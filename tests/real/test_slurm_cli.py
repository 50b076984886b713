"""The client over Slurm's commands against real daemons, beyond the contract."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import httpx
import pytest

from sunk.clients.slurm.cli import CliSlurm
from sunk.clients.slurm.cli_errors import NUMBERS
from sunk.clients.slurm.rest import RestSlurm
from sunk.clients.slurm.runners import PodRunner
from sunk.clients.slurm.token import TokenSource
from sunk.errors import EnvironmentFault, InputError, RemoteError, Unreachable
from sunk.model.hostlist import expand, fold
from sunk.model.slurm import Account, AccountName, Job, JobId, NodeName, SlurmUser, UserName
from tests.contract.slurm_harness import CliHarness, fresh, quick
from tests.support.slurm_namespace import SlurmNamespace

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

HOSTILE_NAMES = (
    "a|b",
    "line\nbreak",
    "return\rhere",
    "last_update_time=1 records=0\n",
    "unit\x1fseparator\ttab",
    "ümläut 名前",
    "100%j 'quoted' \"twice\" \\back",
    "--partition=nosuch",
    "n" * 900,
)


@pytest.fixture
def harness(slurm_namespace: SlurmNamespace) -> CliHarness:
    made = CliHarness(slurm_namespace)
    made.tidy()
    return made


@pytest.fixture
def rest(slurm_namespace: SlurmNamespace):
    client = RestSlurm(
        base_url="http://slurmrestd",
        token=TokenSource(slurm_namespace.jwt_key, user="root"),
        http=httpx.HTTPTransport(uds=str(slurm_namespace.socket)),
    )
    yield client
    client.close()


def unreachable(namespace: SlurmNamespace) -> CliSlurm:
    """A client whose slurm.conf leads to ports where nobody listens."""
    conf = namespace.path("/etc/slurm/slurm.conf").read_text()
    conf = conf.replace("AuthType", "SlurmctldPort=3\nMessageTimeout=2\nAuthType", 1)
    conf = conf.replace("AccountingStorageHost", "AccountingStoragePort=4\nAccountingStorageHost")
    namespace.path("/tmp/nobody.conf").write_text(conf)
    return CliSlurm(namespace.runner(), variables={"SLURM_CONF": "/tmp/nobody.conf"})


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_job_of_any_name_reads_the_same_in_the_list_alone_and_over_rest(harness, rest, name):
    job_id = harness.client("alice").submit(replace(quick(hold=True), name=name))
    alone = harness.client().job(job_id)
    assert alone.name == name
    assert {job.job_id: job for job in harness.client().jobs()}[job_id] == alone
    assert rest.job(job_id) == alone


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"array": "0-3%2", "hold": True}, id="array"),
        pytest.param({"array": "0-1"}, id="tasks of an array"),
        pytest.param({"stdout_path": "/tmp/%A-%a-%j-%u-%x-%%.out", "hold": True}, id="pattern"),
        pytest.param({"stdout_path": "/tmp/%5j-%N.out", "hold": True}, id="odd pattern"),
        pytest.param({"tasks": 5, "nodes": "2-3", "hold": True}, id="tasks on nodes"),
        pytest.param({"partition": "main,all", "hold": True}, id="two partitions"),
    ],
)
def test_list_of_all_jobs_says_what_rest_says(harness, rest, settings):
    harness.client("alice").submit(quick(**settings))
    harness.until(lambda: all(job.ended or job.reason == "JobHeldUser" for job in rest.jobs()))

    assert differing(harness.client(), rest) == []


def in_order(job: Job) -> Job:
    return replace(job, nodes=fold(sorted(expand(job.nodes))))


def differing(client: CliSlurm, rest: RestSlurm) -> list[tuple[JobId, str, object, object]]:
    """Return the fields of jobs that the clients read differently; all must be at rest.

    Not the order of a job's nodes, which squeue sorts.
    """
    theirs = {job.job_id: in_order(job) for job in rest.jobs()}
    ours = [in_order(job) for job in client.jobs()]
    assert [job.job_id for job in ours] == sorted(theirs)
    return [
        (job.job_id, field.name, getattr(job, field.name), other)
        for job in ours
        for field in fields(Job)
        if (other := getattr(theirs[job.job_id], field.name)) != getattr(job, field.name)
    ]


def test_other_lists_say_what_rest_says(harness, rest):
    client = harness.client()
    client.drain(NodeName("w2"), "two\nlines State=IDLE 'x' \"")
    assert client.nodes() == rest.nodes()
    assert client.partitions() == rest.partitions()
    assert client.accounts() == rest.accounts()
    assert client.users() == rest.users()
    assert client.associations() == rest.associations()


def test_history_says_what_rest_says(harness, rest):
    job_id = harness.client("alice").submit(quick())
    harness.until(lambda: harness.client().history(job_id)[-1].end_time)
    assert harness.client().history(job_id) == rest.history(job_id)


@pytest.mark.parametrize("reason", ['"', '""', "\"x'", "a=b State=IDLE", "x\ny", "-x"])
def test_reason_arrives_as_it_was_given(harness, reason):
    harness.client().drain(NodeName("w1"), reason)
    assert harness.client().node(NodeName("w1")).reason == reason


def test_job_gets_its_variables_and_script_to_the_letter(harness, slurm_namespace):
    environment = {"PATH": "/usr/bin:/bin", "ODD": "a=b, 'c' \"d\"\n$HOME ü", "EMPTY": ""}
    script = "#!/usr/bin/python3\nimport json, os\nprint(json.dumps(dict(os.environ)))\n"
    job = quick(environment=environment, stdout_path="/tmp/%j.json")
    client = harness.client("alice")
    job_id = client.submit(replace(job, script=script))
    harness.until(lambda: client.job(job_id).ended)
    seen = json.loads(slurm_namespace.path(f"/tmp/{job_id}.json").read_text())
    assert {name: seen[name] for name in environment} == environment


class PodOfTheNamespace:
    """Runs what is to run in a container inside the namespace instead."""

    def __init__(self, namespace: SlurmNamespace, user: str) -> None:
        self._run = namespace.runner(user)

    def execute(self, pod, namespace, argv, *, container=None, within_seconds=30.0):
        return self._run(argv, timeout_seconds=within_seconds)


def over_a_pod(namespace: SlurmNamespace, user: str) -> CliSlurm:
    kube = PodOfTheNamespace(namespace, user)
    return CliSlurm(PodRunner(kube, namespace="slurm", pod="login-0"))


def test_script_that_travels_as_an_argument_runs_to_the_letter(harness, slurm_namespace):
    script = "#!/bin/sh\nprintf '%s' 'ü \\ \"$HOME\"' \n"
    job = replace(quick(stdout_path="/tmp/%j.out"), script=script)
    client = over_a_pod(slurm_namespace, "alice")
    job_id = client.submit(job)
    harness.until(lambda: client.job(job_id).ended)
    assert slurm_namespace.path(f"/tmp/{job_id}.out").read_text() == 'ü \\ "$HOME"'


def test_slurm_user_is_an_administrator(harness, slurm_namespace):
    client = over_a_pod(slurm_namespace, "slurm")
    client.drain(NodeName("w1"), "test")
    assert client.node(NodeName("w1")).drained
    name = AccountName(fresh("account"))
    client.put_account(Account(name=name))
    assert name in [account.name for account in client.accounts()]
    client.reconfigure()


def test_variables_of_the_caller_change_nothing(harness, slurm_namespace):
    harness.client("alice").submit(quick(hold=True))
    wanted = harness.client().jobs()
    inside = slurm_namespace.runner()

    def in_a_shell_of_somebody(argv, *, timeout_seconds, input_text=""):
        odd = ("env", "SQUEUE_STATES=RUNNING", "SQUEUE_SORT=n", "SLURM_CLUSTERS=nosuch")
        return inside((*odd, *argv), timeout_seconds=timeout_seconds, input_text=input_text)

    assert CliSlurm(in_a_shell_of_somebody).jobs() == wanted


def test_every_verb_says_that_nobody_answers(harness, slurm_namespace):
    client = unreachable(slurm_namespace)
    node, job = NodeName("w1"), JobId(1)
    verbs = {
        "nodes": client.nodes,
        "node": lambda: client.node(node),
        "drain": lambda: client.drain(node, "test"),
        "delete_node": lambda: client.delete_node(node),
        "partitions": client.partitions,
        "jobs": client.jobs,
        "job": lambda: client.job(job),
        "submit": lambda: client.submit(quick(environment={"PATH": "/usr/bin", "HOME": "/tmp"})),
        "cancel": lambda: client.cancel(job),
        "requeue": lambda: client.requeue(job),
        "reconfigure": client.reconfigure,
        "accounts": client.accounts,
        "users": client.users,
        "user": lambda: client.user(UserName("alice")),
        "associations": client.associations,
        "put_account": lambda: client.put_account(Account(name=AccountName("x"))),
        "put_user": lambda: client.put_user(
            SlurmUser(name=UserName("x"), default_account=AccountName("lab"))
        ),
        "history": lambda: client.history(job),
    }
    raised = {}
    for name, verb in verbs.items():
        with pytest.raises(RemoteError) as caught:
            verb()
        raised[name] = caught.type
    assert raised == dict.fromkeys(verbs, Unreachable)
    assert client.ping().controller_up is False


def test_missing_sack_socket_is_unreachable(harness, slurm_namespace):
    sockets = [f"/run/{name}/sack.socket" for name in ("slurm", "slurmctld", "slurmdbd")]
    for path in sockets:
        slurm_namespace.path(path).rename(slurm_namespace.path(f"{path}.away"))
    try:
        for verb in (harness.client().nodes, harness.client().jobs, harness.client().users):
            with pytest.raises(Unreachable, match="sack"):
                verb()
    finally:
        for path in sockets:
            slurm_namespace.path(f"{path}.away").rename(slurm_namespace.path(path))


def test_missing_command_is_named(slurm_namespace):
    client = CliSlurm(slurm_namespace.runner(), variables={"PATH": "/nosuch"})
    with pytest.raises(EnvironmentFault, match="squeue"):
        client.jobs()


def test_texts_of_errors_are_those_of_this_slurm(slurm_namespace):
    script = (
        "import ctypes, glob, json, sys\n"
        "(path,) = glob.glob('/usr/lib/*/slurm-wlm/libslurmfull.so')\n"
        "library = ctypes.CDLL(path)\n"
        "library.slurm_strerror.restype = ctypes.c_char_p\n"
        "print(json.dumps({library.slurm_strerror(n).decode(): n for n in json.load(sys.stdin)}))\n"
    )
    said = slurm_namespace.output(
        "python3", "-c", script, input_text=json.dumps(sorted(NUMBERS.values()))
    )
    assert json.loads(said) == NUMBERS


def test_description_is_stored_as_sacctmgr_does_it_in_lower_case_with_backticks_for_quotes(harness):
    name = AccountName(fresh("account"))
    harness.client().put_account(Account(name=name, description="O'Brien's \"lab\" a=b, c"))
    (made,) = [account for account in harness.client().accounts() if account.name == name]
    assert (made.description, made.organization) == ("o`brien`s `lab` a=b, c", "")


def test_nul_in_a_value_is_refused(harness):
    with pytest.raises(InputError, match="NUL"):
        harness.client().drain(NodeName("w1"), "a\0b")
