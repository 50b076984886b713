"""Builders and strategies for the tests of sunk.render."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sunk.model.cluster import Images, Login, NodeSet, Partition, PartitionState, SlurmCluster, User
from sunk.model.storage import Claim, Storage
from sunk.render.forms import DAEMON_NAMES, SYSTEM_USERS
from sunk.render.keys import ClusterKeys
from sunk.render.slurm_keys import (
    _FREE_KEYS,
    _FREE_PARTITION_KEYS,
    MERGED_KEYS,
    RESERVED_KEYS,
    RESERVED_PARTITION_KEYS,
)
from tests.support import examples as counts

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "render"
REPOSITORY = Path(__file__).resolve().parents[2]
# Without MaxNodeCount, which bounds the replicas.
FREE_KEYS = sorted((_FREE_KEYS | MERGED_KEYS) - {"MaxNodeCount"})
FREE_PARTITION_KEYS = sorted(_FREE_PARTITION_KEYS)
ALL_RESERVED = sorted(RESERVED_KEYS)
ALL_RESERVED_PARTITION = sorted(RESERVED_PARTITION_KEYS)

SSH_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8mQ0e0m5v1u6X8mYB0ZbQ2W5m7m3sV9G3d0l8kQqQk alice@lab"
)


def for_all(*values: Any, examples: int = 50, **named: Any) -> Callable[[Any], Any]:
    """Hypothesis' given without a wall clock: a busy machine is no failure."""

    def wrap(test: Any) -> Any:
        calm = settings(
            deadline=None,
            max_examples=counts.examples(examples),
            suppress_health_check=[HealthCheck.too_slow],
        )
        return calm(given(*values, **named)(test))

    return wrap


def fixed_keys(mark: str = "k") -> ClusterKeys:
    """Keys that are the same in every run; `mark` (one character) makes other ones."""
    return ClusterKeys(
        slurm_key=mark.encode() * 1024,
        jwt_key=mark.encode() * 32,
        database_password=mark * 32,
        ssh_host_key=b"-----BEGIN OPENSSH " + b"PRIVATE KEY-----\n" + mark.encode() * 70 + b"\n",
        ssh_host_public_key="ssh-ed25519 " + mark * 68,
    )


labels = st.from_regex(r"[a-z](?:[a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
node_set_names = labels.filter(lambda name: name not in DAEMON_NAMES)
user_names = st.from_regex(r"[a-z_][a-z0-9_-]{0,31}", fullmatch=True).filter(
    lambda name: name not in SYSTEM_USERS
)
conf_values = st.text(
    alphabet=st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\"#\\'`"),
    min_size=1,
    max_size=40,
).filter(lambda text: text == text.strip())
partition_values = st.from_regex(r"[A-Za-z0-9_,:./-]{1,30}", fullmatch=True)
sizes = st.sampled_from(["1Gi", "10Gi", "500M", "1.5Ti", "1e9", "2000000000"])
times = st.sampled_from(["UNLIMITED", "60", "1:00:00", "1-00:00:00", "2-12", "30:00"])
classes = st.none() | labels
ssh_keys = st.sampled_from([SSH_KEY, SSH_KEY.replace("alice", "it's $HOME `x`")])
cpu_pairs = st.sampled_from([("1", None), ("2500m", "50m"), ("64", "1"), ("1.5", "1500m")])
memory_triples = st.sampled_from(
    [("1Gi", "128Mi", None), ("2000Mi", "0.5Gi", "64Mi"), ("1e10", "1M", "1Gi")]
)


@st.composite
def node_sets(draw: st.DrawFn, name: str) -> NodeSet:
    cpu, cpu_request = draw(cpu_pairs)
    memory, overhead, memory_request = draw(memory_triples)
    return NodeSet(
        name=name,
        replicas=draw(st.integers(0, 1000)),
        cpu=cpu,
        memory=memory,
        memory_overhead=overhead,
        gpus=draw(st.integers(0, 64)),
        gpu_resource=draw(st.sampled_from(["nvidia.com/gpu", "example.org/card.v2"])),
        # Upper case, so that they never are another node set's name.
        features=tuple(
            draw(st.lists(st.from_regex(r"[A-Z][A-Z0-9_-]{0,5}", fullmatch=True), max_size=3))
        ),
        cpu_request=cpu_request,
        memory_request=memory_request,
    )


@st.composite
def users(draw: st.DrawFn) -> tuple[User, ...]:
    names = draw(st.lists(user_names, unique=True, max_size=4))
    uids = draw(
        st.lists(st.integers(1000, 60000), unique=True, min_size=len(names), max_size=len(names))
    )
    return tuple(
        User(
            name=name,
            uid=uid,
            gid=draw(st.none() | st.integers(1000, 60000)),
            ssh_keys=tuple(draw(st.lists(ssh_keys, max_size=2))),
            account=draw(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,8}", fullmatch=True)),
            admin=draw(st.booleans()),
            shell=draw(st.sampled_from(["/bin/bash", "/usr/bin/zsh"])),
        )
        for name, uid in zip(names, uids, strict=True)
    )


@st.composite
def partitions(draw: st.DrawFn, sets: list[str]) -> tuple[Partition, ...]:
    names = draw(st.lists(labels.filter(lambda name: name != "default"), unique=True, max_size=3))
    chosen = draw(st.none() | st.sampled_from(names)) if names else None
    return tuple(
        Partition(
            name=name,
            node_sets=tuple(draw(st.lists(st.sampled_from(sets), unique=True))) if sets else (),
            default=name == chosen,
            state=draw(st.sampled_from(PartitionState)),
            max_time=draw(times),
            parameters=draw(
                st.dictionaries(st.sampled_from(FREE_PARTITION_KEYS), partition_values, max_size=3)
            ),
        )
        for name in names
    )


@st.composite
def clusters(draw: st.DrawFn) -> SlurmCluster:
    """Valid clusters."""
    sets = draw(st.lists(node_set_names, unique=True, max_size=3))
    login = draw(
        st.sampled_from(
            [
                Login(),
                Login(service_type="NodePort", node_port=30022),
                Login(service_type="NodePort"),
            ]
        )
    )
    return SlurmCluster(
        name=draw(labels),
        namespace=draw(labels),
        images=Images(
            slurm=draw(st.sampled_from(["sunk.dev/slurm:local", "host:5000/a/b@sha256:00ff"])),
            pull_policy=draw(st.sampled_from(["Always", "IfNotPresent", "Never"])),
            pull_secrets=tuple(draw(st.lists(labels, unique=True, max_size=2))),
        ),
        users=draw(users()),
        partitions=draw(partitions(sets)),
        node_sets=tuple(draw(node_sets(name)) for name in sets),
        storage=Storage(
            home=Claim(size=draw(sizes), storage_class=draw(classes)),
            state=Claim(size=draw(sizes), storage_class=draw(classes)),
            database=Claim(size=draw(sizes), storage_class=draw(classes)),
        ),
        login=login,
        slurm_conf=draw(st.dictionaries(st.sampled_from(FREE_KEYS), conf_values, max_size=4)),
    )


def parse_slurm_conf(text: str) -> list[list[tuple[str, str]]]:
    """Read slurm.conf as Slurm does: each line a list of keys and values.

    Written apart from the renderer: comments first (a # counts inside quotes as well), then words
    of Key=Value where a value in double quotes may hold spaces.
    """
    lines = []
    for raw in text.split("\n"):
        line = raw.split("#", 1)[0]
        assert not line.endswith("\\"), "a backslash would join this line with the next"
        pairs = []
        while line.strip():
            line = line.lstrip()
            key, equals, rest = line.partition("=")
            assert equals, f"no key before {line!r}"
            assert key.isalnum(), f"strange key {key!r}"
            if rest.startswith('"'):
                value, quote, line = rest[1:].partition('"')
                assert quote, f"quote never closed in {raw!r}"
            else:
                value, _, line = rest.partition(" ")
            pairs.append((key, value))
        if pairs:
            lines.append(pairs)
    return lines
