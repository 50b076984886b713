"""What the contract suite needs beside the client: who plays the users, and how time passes."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

import httpx

from sunk.clients.slurm.cli import CliSlurm
from sunk.clients.slurm.memory import MemoryCluster, MemorySlurm
from sunk.clients.slurm.native import NativeSlurm
from sunk.clients.slurm.protocol import SlurmClient
from sunk.clients.slurm.rest import RestSlurm
from sunk.clients.slurm.token import TokenSource
from sunk.model.slurm import (
    Account,
    AccountName,
    JobSubmission,
    NodeName,
    NodeState,
    SlurmNode,
    SlurmUser,
    UserName,
)
from tests.support.eventually import eventually
from tests.support.pyslurm_stand_in import StandIn
from tests.support.slurm_namespace import ALICE, SlurmNamespace
from tests.support.slurm_texts import ADDRESS

NODES = (NodeName("w1"), NodeName("w2"), NodeName("w3"))
"""Every harness has these idle nodes with four CPUs each at the start of a test."""

_numbers = itertools.count(1)


class Harness(Protocol):
    """One implementation under test. User `alice` may submit, `stranger` has no association."""

    def client(self, user: str = "root") -> SlurmClient: ...

    def until(self, predicate: Callable[[], object], within_seconds: float = 20) -> None: ...


def fresh(prefix: str) -> str:
    """Return a name that no other test uses: the real cluster is shared."""
    return f"{prefix}{next(_numbers)}"


def quick(**settings: object) -> JobSubmission:
    """Return a job that ends at once with success."""
    return _job("quick", "true", settings)


def sleeper(**settings: object) -> JobSubmission:
    """Return a job that runs for longer than a test."""
    return _job("sleeper", "sleep 300", settings)


def _job(name: str, command: str, settings: dict[str, object]) -> JobSubmission:
    return JobSubmission(
        script=f"#!/bin/sh\n{command}\n", name=name, working_directory="/tmp", **settings
    )


def _let_alice_submit(admin: SlurmClient) -> None:
    account = AccountName("lab")
    admin.put_account(Account(name=account, description="lab", organization="lab"))
    admin.put_user(SlurmUser(name=UserName(ALICE.name), default_account=account))


class MemoryHarness:
    """The cluster in memory; waiting lets its time pass."""

    def __init__(self) -> None:
        self.world = MemoryCluster(
            nodes=[
                SlurmNode(
                    name=name,
                    state=NodeState.IDLE,
                    flags=frozenset({"DYNAMIC_NORM"}),
                    cpus=4,
                    real_memory_mib=2000,
                    features=("worker",),
                    address=ADDRESS,
                )
                for name in NODES
            ],
            partitions=("main", "all"),
            job_seconds={"sleeper": 300},
        )
        _let_alice_submit(self.client())

    def client(self, user: str = "root") -> SlurmClient:
        return MemorySlurm(self.world, user)

    def until(self, predicate: Callable[[], object], within_seconds: float = 20) -> None:
        for _ in range(int(within_seconds)):
            if predicate():
                return
            self.world.advance()
        assert predicate()


class RealHarness(ABC):
    """The real Slurm of the session, put back to idle nodes and no jobs."""

    def __init__(self, namespace: SlurmNamespace) -> None:
        self.namespace = namespace

    @abstractmethod
    def client(self, user: str = "root") -> SlurmClient: ...

    def until(self, predicate: Callable[[], object], within_seconds: float = 20) -> None:
        eventually(predicate, within_seconds)

    @abstractmethod
    def close(self) -> None: ...

    def tidy(self) -> None:
        """Put the shared cluster back to how every test finds it."""
        admin = self.client()
        for job in admin.jobs():
            if not job.ended:
                admin.cancel(job.job_id)
        self.until(lambda: all(job.ended for job in admin.jobs()))
        nodes = {node.name: node for node in admin.nodes()}
        for name in NODES:
            if name not in nodes:
                self.namespace.halt(f"slurmd-{name}")
                self.namespace.start_node(name)
            elif nodes[name].drain or nodes[name].state is NodeState.DOWN:
                admin.resume(name)
        self.until(lambda: self._idle(admin), 30)
        _let_alice_submit(admin)

    def _idle(self, admin: SlurmClient) -> bool:
        nodes = admin.nodes()
        return tuple(node.name for node in nodes) == NODES and all(
            node.state is NodeState.IDLE and node.flags == {"DYNAMIC_NORM"} for node in nodes
        )


class RestHarness(RealHarness):
    """Over slurmrestd."""

    def __init__(self, namespace: SlurmNamespace) -> None:
        super().__init__(namespace)
        self._clients: dict[str, RestSlurm] = {}

    def client(self, user: str = "root") -> RestSlurm:
        if user not in self._clients:
            self._clients[user] = RestSlurm(
                base_url="http://slurm",
                token=TokenSource(self.namespace.jwt_key, user=user),
                http=httpx.HTTPTransport(uds=str(self.namespace.socket)),
                on_warning=_fail_on_warning,
            )
        return self._clients[user]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


class CliHarness(RealHarness):
    """Over Slurm's commands, run inside the namespace."""

    def client(self, user: str = "root") -> CliSlurm:
        return CliSlurm(self.namespace.runner(user), on_warning=_fail_on_command_warning)

    def close(self) -> None:
        pass  # a command leaves nothing open


class NativeHarness(RealHarness):
    """Over pyslurm's names: a stand-in for the module, in front of the real Slurm."""

    def client(self, user: str = "root") -> NativeSlurm:
        runner = self.namespace.runner(user)
        return NativeSlurm(StandIn(CliSlurm(runner)), runner, on_warning=_fail_on_command_warning)

    def close(self) -> None:
        pass  # nothing is kept open


def _fail_on_warning(text: str) -> None:
    # A job that cannot start at once (held, drained nodes) is answered with a warning; every other
    # one means that slurmrestd ignored something that we sent.
    assert "slurm_submit_batch_job()" in text, text


def _fail_on_command_warning(text: str) -> None:
    raise AssertionError(text)
