"""What users do, on the real thing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sunk.errors import Rejected, Unauthorized
from sunk.model.kube import POD
from sunk.model.slurm import JobState
from sunk_validation.demo import run_demo
from tests.support.cluster import RunningSite, reporter
from tests.support.eventually import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


def processes_called(cmdline: str) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if (folder / "cmdline").read_bytes().decode(errors="replace").startswith(cmdline):
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def test_demo_job_is_right_on_both_kubernetes_nodes(site: RunningSite):
    said: list[str] = []
    with site.login() as ssh:
        result = run_demo(ssh, site.kube, site.site.cluster, reporter(), said.append)
    assert result.result["correct"] is True
    assert result.result["ranks"] == 4
    assert result.kube_nodes == ("node1", "node2")
    assert f"job {result.job_id} COMPLETED" in "\n".join(said)
    assert "COMPLETED" in result.screens[f"sacct -j {result.job_id}"]


def test_workers_are_spread_evenly_over_the_kubernetes_nodes(site: RunningSite):
    places = [site.pod(f"w-{number}").node for number in range(4)]
    assert sorted(map(str, places)) == ["node1", "node1", "node2", "node2"]


def test_slurm_promises_what_the_pods_limits_allow(site: RunningSite):
    pod = site.kube.get(POD, "w-0", site.namespace)
    limits = pod["spec"]["containers"][0]["resources"]["limits"]
    assert (limits["cpu"], limits["memory"]) == ("1", "1Gi")
    for node in site.slurm.nodes():
        assert (node.cpus, node.real_memory_mib) == (1, 1024 - 128)


def test_first_job_says_where_it_runs(site: RunningSite):
    done = site.run("sunk", "job", "submit", "hello", "--set", "nodes=2", "--follow")
    assert done.status == 0, done.stderr
    assert "hello from rank 1 of 2 on w-" in done.stderr


def test_failed_job_is_exit_code_1_and_says_so(site: RunningSite):
    job = site.submit("exit 3")
    done = site.run("sunk", "job", "follow", str(job))
    assert done.status == 1
    assert f"job {job} FAILED" in done.stdout
    assert "exit code 3" in done.stdout


def test_script_that_slurm_refuses_is_one_clear_error(site: RunningSite):
    done = site.run("sunk", "job", "submit", "hello", "--set", "partition=nope")
    assert done.status == 4
    assert "invalid partition specified" in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_following_a_job_that_was_never_there_ends_with_an_error(site: RunningSite):
    done = site.run("sunk", "job", "follow", "999999", within_seconds=120)
    assert done.status == 4
    assert "neither slurmctld nor slurmdbd knows it" in done.stderr


def test_users_have_the_same_ids_on_login_and_workers(site: RunningSite):
    here = site.run("id", "-u").stdout.strip()
    there = site.run("srun", "--nodelist=w-0", "id", "-u").stdout.strip()
    assert (here, there) == ("2001", "2001")


def test_home_is_shared_by_login_and_workers_of_both_nodes(site: RunningSite):
    site.run("bash", "-c", "echo shared > ~/token")
    done = site.run("srun", "-N4", "cat", "/home/alice/token")
    assert done.stdout.split() == ["shared"] * 4


@pytest.mark.parametrize(
    "option", ["--export=NONE", "--export=ALL,COLOUR=red", "--export=COLOUR=red", "--get-user-env"]
)
def test_worker_survives_a_job_that_wants_the_users_own_environment(site: RunningSite, option: str):
    restarts = {name: site.pod(name).restarts for name in ("w-0", "w-1", "w-2", "w-3")}
    script = "echo home=$HOME shell=$SHELL colour=${COLOUR:-none}; command -v srun"
    job = site.submit(script, "--no-requeue", option)
    done = eventually(lambda: (one := site.slurm.job(job)).ended and one, 60)
    assert (done.state, done.exit_code) == (JobState.COMPLETED, 0)
    colour = "red" if "COLOUR" in option else "none"
    wanted = f"home=/home/alice shell=/bin/bash colour={colour}\n/usr/bin/srun\n"
    assert site.run("cat", f"/home/alice/{job}.log").stdout == wanted
    assert {name: site.pod(name).restarts for name in restarts} == restarts


def resolve(site: RunningSite, name: str) -> str:
    """Return the address of a name as a daemon sees it, or the resolver's word for the failure."""
    program = (
        "import socket, sys\n"
        "try: print(socket.gethostbyname(sys.argv[1]))\n"
        "except socket.gaierror as exc: print({v: k for k, v in vars(socket).items()"
        " if k.startswith('EAI_')}[exc.errno])"
    )
    words = ["python3", "-c", program, name]
    done = site.kube.execute("slurmctld-0", site.namespace, words, container="slurmctld")
    return done.stdout.strip()


def test_names_of_the_cluster_resolve_and_others_are_unknown_not_waited_for(site: RunningSite):
    assert resolve(site, "slurmdbd-0.slurmdbd") == site.pod("slurmdbd-0").ip
    # EAI_AGAIN is what makes daemons wait and try again.
    assert resolve(site, "nowhere.example.org") == "EAI_NONAME"


def test_user_without_an_association_is_refused(site: RunningSite):
    done = site.kube.execute(
        "slurmctld-0",
        site.namespace,
        ["sbatch", "--wrap", "true", "--account=nobody", "--chdir=/tmp"],
        container="slurmctld",
    )
    assert done.status != 0
    assert "Invalid account" in done.stderr


def test_another_users_key_or_host_key_is_refused(site: RunningSite, tmp_path: Path):
    from dataclasses import replace

    from sunk.clients.ssh import Ssh
    from sunk.local import access

    port = site.local.parameters().ssh_port
    right = access.login_target("alice", "127.0.0.1", port, site.site.user_key, site.site.keys)
    stranger = access.ensure_user_key(tmp_path / "stranger")
    with (
        pytest.raises(Unauthorized, match="the key was refused"),
        Ssh(replace(right, key_file=stranger.private_file)),
    ):
        pass
    other_host = " ".join(stranger.public.split()[:2])
    with pytest.raises(Unauthorized, match="another key"), Ssh(replace(right, host_key=other_host)):
        pass


def test_cancelled_job_is_gone_and_its_process_dead(site: RunningSite):
    job = site.submit("exec sleep 987654")
    eventually(lambda: site.slurm.job(job).state is JobState.RUNNING, 30)
    eventually(lambda: processes_called("sleep\0987654"), 30)
    site.slurm.cancel(job)
    eventually(lambda: site.slurm.job(job).state is JobState.CANCELLED, 30)
    eventually(lambda: not processes_called("sleep\0987654"), 30)


def test_privileged_pod_is_refused_where_the_workers_live(site: RunningSite):
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "rogue", "namespace": site.namespace},
        "spec": {
            "containers": [
                {
                    "name": "c",
                    "image": "sunk.dev/pause:local",
                    "securityContext": {"privileged": True},
                }
            ]
        },
    }
    with pytest.raises((Rejected, Unauthorized), match="PodSecurity"):
        site.kube.create(pod)


def test_audit_log_tells_who_changed_what(site: RunningSite):
    events = [json.loads(line) for line in site.local.layout.audit_log.read_text().splitlines()]
    bridge = f"system:serviceaccount:{site.namespace}:sunk-bridge"

    def touched(user: str, verb: str, resource: str) -> set[str]:
        return {
            event["objectRef"].get("name", "")
            for event in events
            if (event["user"]["username"], event["verb"]) == (user, verb)
            and event.get("objectRef", {}).get("resource") == resource
        }

    assert touched("admin", "patch", "nodesets") >= {"w"}
    assert touched(bridge, "patch", "statefulsets") >= {"slurmctld", "mariadb"}
    assert touched(bridge, "create", "pods") >= {"w-0", "w-1", "w-2", "w-3"}


def test_command_line_knows_the_cluster(site: RunningSite):
    sunk = Path(sys.executable).parent / "sunk"
    done = subprocess.run(
        [sunk, "local", "status", "--name", "tests", "--output", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    states = {part["name"]: part["state"] for part in json.loads(done.stdout)}
    assert states["apiserver"] == "running"
    assert (states["node1"], states["node2"]) == ("ready", "ready")
    shown = subprocess.run(
        [sunk, "local", "ssh", "--name", "tests", "sinfo --noheader --format='%D %T'"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.split() == ["4", "idle"]
