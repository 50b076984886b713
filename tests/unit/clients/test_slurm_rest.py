"""Decoding what a real slurmrestd answered, whole and damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.clients.slurm.rest import RestSlurm
from sunk.errors import (
    ConfigError,
    NotFound,
    SunkError,
    Unauthorized,
    UnexpectedReply,
    Unreachable,
)
from sunk.model.slurm import (
    DRAIN,
    AccountName,
    JobId,
    JobState,
    NodeName,
    NodeState,
    UserName,
)

FOLDER = Path(__file__).resolve().parents[2] / "recordings" / "slurmrestd"
SPEC = json.dumps({"paths": {"/slurm/v0.0.42/ping/": {}, "/slurm/v0.0.41/ping/": {}}}).encode()
SECRET = "a.very-secret.token"


def recording(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text())


def content(name: str) -> bytes:
    body = recording(name)["body"]
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def client(answers: dict[str, bytes | Exception], status: int = 200, **options) -> RestSlurm:
    """A client whose server knows these paths (the end of them) and what it offers."""

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.startswith("/openapi"):
            return httpx.Response(200, content=options.get("spec", SPEC))
        for end, body in answers.items():
            if path.endswith(end):
                if isinstance(body, Exception):
                    raise body
                return httpx.Response(status, content=body)
        return httpx.Response(404, content=b"not here")

    warned = options.get("warned", [])
    return RestSlurm(
        base_url="http://slurmrestd",
        token=lambda: SECRET,
        http=httpx.MockTransport(answer),
        on_warning=warned.append,
    )


def test_recorded_nodes_are_read_with_states_and_flags():
    nodes = {str(node.name): node for node in client({"/nodes/": content("nodes")}).nodes()}
    assert sorted(nodes) == ["w1", "w2", "w3"]
    assert nodes["w1"].state is NodeState.IDLE
    assert DRAIN in nodes["w2"].flags
    assert nodes["w2"].reason == "recorded drain"
    assert nodes["w2"].drained is True
    assert (nodes["w3"].cpus, nodes["w3"].real_memory_mib) == (4, 2000)


def test_recorded_node_is_the_one_of_the_list():
    one = client({"/node/w1": content("node")}).node(NodeName("w1"))
    same = next(n for n in client({"/nodes/": content("nodes")}).nodes() if n.name == "w1")
    assert one == same


def test_recorded_jobs_are_read_with_array_and_reason():
    jobs = client({"/jobs/": content("jobs")}).jobs()
    held = [job for job in jobs if job.state is JobState.PENDING]
    assert [job.reason for job in held] == ["JobHeldUser"]
    assert held[0].array_job_id == held[0].job_id
    assert held[0].start_time is None


def test_recorded_job_completed_with_exit_code_0():
    job = client({"/job/1": content("job")}).job(JobId(1))
    assert (job.state, job.exit_code, job.user) == (JobState.COMPLETED, 0, "alice")
    assert job.ended


def test_recorded_history_agrees_with_the_controller():
    (past,) = client({"/job/1": content("history")}).history(JobId(1))
    assert (past.state, past.exit_code, past.account) == (JobState.COMPLETED, 0, "default")


def test_recorded_accounting_is_read():
    server = client(
        {
            "/accounts/": content("accounts"),
            "/users/": content("users"),
            "/associations/": content("associations"),
            "/ping/": content("ping"),
        }
    )
    assert AccountName("default") in {account.name for account in server.accounts()}
    assert UserName("alice") in {user.name for user in server.users()}
    assert ("default", "alice") in {(a.account, a.user) for a in server.associations()}


def test_recorded_ping_names_cluster_and_release():
    ping = client({"/ping/": content("ping")}).ping()
    assert (ping.cluster, ping.controller_up) == ("lab", True)
    assert ping.version.startswith("24.11")


def test_unknown_node_is_not_found_although_the_server_answers_200():
    assert recording("node-unknown")["status"] == 200
    with pytest.raises(NotFound, match="read node nope"):
        client({"/node/nope": content("node-unknown")}).node(NodeName("nope"))


@pytest.mark.parametrize("name", ["node", "job"])
def test_empty_list_where_one_was_asked_for_is_no_answer_and_says_nothing_of_what_is_there(name):
    body = {**json.loads(content(name)), "nodes": [], "jobs": []}
    asked = client({"node/w1": json.dumps(body).encode(), "job/7": json.dumps(body).encode()})
    with pytest.raises(UnexpectedReply, match="asked for one, got 0"):
        asked.node(NodeName("w1")) if name == "node" else asked.job(JobId(7))


def test_unknown_job_is_not_found():
    with pytest.raises(NotFound, match="read job 999999"):
        client({"/job/999999": content("job-unknown")}, status=404).job(JobId(999999))


def test_refused_token_is_unauthorized_and_never_shown():
    with pytest.raises(Unauthorized) as raised:
        client({"/nodes/": content("unauthorized")}, status=401).nodes()
    assert SECRET not in str(raised.value)


def test_empty_list_with_an_error_is_not_an_empty_cluster():
    body = recording("nodes")["body"]
    body["nodes"] = []
    body["errors"] = [
        {"description": "x", "error": "Unable to contact slurm controller", "error_number": 1800}
    ]
    with pytest.raises(SunkError):
        client({"/nodes/": json.dumps(body).encode()}).nodes()


def test_warnings_are_told():
    body = recording("nodes")["body"]
    body["warnings"] = [{"description": "field ignored", "source": "here"}]
    warned: list[str] = []
    client({"/nodes/": json.dumps(body).encode()}, warned=warned).nodes()
    assert any("field ignored" in text for text in warned)


def test_unknown_state_word_is_unknown_and_kept_as_a_flag():
    body = recording("node")["body"]
    body["nodes"][0]["state"] = ["HIBERNATING"]
    node = client({"/node/w1": json.dumps(body).encode()}).node(NodeName("w1"))
    assert node.state is NodeState.UNKNOWN
    assert node.drained is None


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), httpx.ReadError("reset")]
)
def test_no_answer_is_unreachable_and_transient(error):
    with pytest.raises(Unreachable) as raised:
        client({"/nodes/": error}).nodes()
    assert raised.value.transient


def test_server_without_our_version_is_refused_with_what_it_offers():
    spec = json.dumps({"paths": {"/slurm/v0.0.40/ping/": {}, "/slurm/v0.0.41/ping/": {}}}).encode()
    with pytest.raises(ConfigError, match=r"0\.0\.40"):
        client({}, spec=spec).nodes()


READS = {
    "nodes": lambda server: server.nodes(),
    "jobs": lambda server: server.jobs(),
    "partitions": lambda server: server.partitions(),
    "accounts": lambda server: server.accounts(),
    "users": lambda server: server.users(),
    "associations": lambda server: server.associations(),
}


@pytest.mark.parametrize("name", READS)
@given(data=st.data())
def test_truncated_answer_is_an_unexpected_reply(name, data):
    body = content(name)
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(UnexpectedReply):
        READS[name](client({f"/{name}/": body[:cut], "/ping/": content("ping")}))


@pytest.mark.parametrize("name", READS)
@given(data=st.data())
def test_damaged_answer_never_crashes(name, data):
    """One value anywhere in the answer becomes something else: an error of ours, or nothing."""
    body = recording(name)["body"]
    places = list(every_place(body))
    container, key = data.draw(st.sampled_from(places))
    container[key] = data.draw(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just([]))
    )
    server = client({f"/{name}/": json.dumps(body).encode(), "/ping/": content("ping")})
    try:
        READS[name](server)
    except SunkError:
        return


def every_place(value: Any):
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield value, key
        if isinstance(item, (dict, list)):
            yield from every_place(item)


@given(body=st.binary(max_size=200), status=st.sampled_from([200, 400, 404, 500, 502]))
def test_any_bytes_with_any_status_are_an_error_of_ours(body, status):
    with pytest.raises(SunkError):
        client({"/nodes/": body}, status=status).nodes()
