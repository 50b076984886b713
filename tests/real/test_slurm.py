"""The Slurm client against real daemons, beyond the contract."""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sunk.clients.slurm.rest import RestSlurm
from sunk.clients.slurm.token import TokenSource, mint_token
from sunk.errors import Unauthorized, Unreachable
from sunk.model.hostlist import expand, fold
from tests.support.slurm_namespace import SlurmNamespace

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


@pytest.fixture
def connect(slurm_namespace: SlurmNamespace):
    made: list[RestSlurm] = []

    def client(token=None) -> RestSlurm:
        made.append(
            RestSlurm(
                base_url="http://slurmrestd",
                token=token or TokenSource(slurm_namespace.jwt_key, user="root"),
                http=httpx.HTTPTransport(uds=str(slurm_namespace.socket)),
            )
        )
        return made[-1]

    yield client
    for one in made:
        one.close()


@contextmanager
def _collecting_refused_sockets() -> Iterator[None]:
    """Let go of what httpcore leaves: the socket of a refused unix connection is never closed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


def test_version_is_found_by_asking(connect):
    assert connect().data_parser() == "0.0.42"


def test_expired_token_is_unauthorized(connect, slurm_namespace):
    then = int(time.time()) - 1000
    old = mint_token(slurm_namespace.jwt_key, user="root", lifetime_seconds=10, now_seconds=then)
    with pytest.raises(Unauthorized):
        connect(lambda: old).nodes()


def test_token_signed_with_another_key_is_unauthorized(connect):
    with pytest.raises(Unauthorized):
        connect(TokenSource(b"x" * 32, user="root")).nodes()


def test_stopped_slurmrestd_is_unreachable_and_works_again_after(connect, slurm_namespace):
    client = connect()
    assert len(client.nodes()) == 3
    slurm_namespace.halt("slurmrestd")
    try:
        with _collecting_refused_sockets(), pytest.raises(Unreachable):
            client.nodes()
    finally:
        slurm_namespace.start_rest()
    assert len(connect().nodes()) == 3


@pytest.mark.parametrize(
    "text",
    ["w1", "w[1-3]", "gpu-[01-03,7]", "r[1-2]n[01-02]", "w-[2,0]", "a1,b[2-3]", "a[09-11]"],
)
def test_hostlist_expands_as_scontrol_does(slurm_namespace, text):
    theirs = slurm_namespace.output("scontrol", "show", "hostnames", text).split()
    assert list(expand(text)) == theirs


def test_folded_names_are_read_by_scontrol(slurm_namespace):
    @settings(max_examples=15, deadline=None)
    @given(
        st.sets(st.from_regex(r"[a-z]{1,3}-?[0-9]{1,3}", fullmatch=True), min_size=1, max_size=12)
    )
    def agree(names):
        theirs = slurm_namespace.output("scontrol", "show", "hostnames", fold(names)).split()
        assert set(theirs) == names

    agree()
