from __future__ import annotations

import itertools
from dataclasses import fields, replace
from typing import Any

import paramiko
import pytest

from sunk.errors import InputError
from sunk.model.cluster import SlurmCluster
from sunk.render.keygen import generate_keys
from sunk.render.keys import ClusterKeys, keys_from_secrets
from sunk.render.kube import render_objects
from tests.support.render import fixed_keys


def secrets_of(keys: ClusterKeys) -> list[Any]:
    objects = render_objects(SlurmCluster(name="lab"), keys)
    return [dict(one) for one in objects if one["kind"] == "Secret"]


def test_keys_come_from_the_given_source_alone() -> None:
    def source() -> Any:
        counter = itertools.count(1)
        return lambda size: bytes([next(counter)]) * size

    first, second = generate_keys(source()), generate_keys(source())

    # OpenSSH's private key form holds random padding of its own: compare what it means.
    assert replace(first, ssh_host_key=second.ssh_host_key) == second
    assert (first.slurm_key, first.jwt_key) == (b"\2" * 1024, b"\3" * 32)
    assert first.database_password == "04" * 16


def test_generated_keys_differ_every_time() -> None:
    first, second = generate_keys(), generate_keys()

    for field in fields(ClusterKeys):
        assert getattr(first, field.name) != getattr(second, field.name)


def test_host_key_is_the_private_half_of_its_public_one(tmp_path: Any) -> None:
    keys = generate_keys()
    path = tmp_path / "key"
    path.write_bytes(keys.ssh_host_key)

    private = paramiko.Ed25519Key.from_private_key_file(str(path))

    assert f"ssh-ed25519 {private.get_base64()}" == keys.ssh_host_public_key


def test_keys_come_back_from_the_applied_secrets() -> None:
    keys = generate_keys()

    assert keys_from_secrets(secrets_of(keys)) == keys


def test_missing_secret_is_named() -> None:
    remaining = [one for one in secrets_of(fixed_keys()) if one["metadata"]["name"] != "slurm-jwt"]

    with pytest.raises(InputError, match=r"read key jwt_hs256\.key of Secret slurm-jwt: missing"):
        keys_from_secrets(remaining)


def test_no_secret_shows_in_a_repr_or_an_error() -> None:
    keys = replace(fixed_keys(), slurm_key=b"S" * 1024, jwt_key=b"J" * 32)
    assert "SSSS" not in repr(keys)
    assert "JJJJ" not in repr(keys)
    assert keys.database_password not in repr(keys).replace(keys.ssh_host_public_key, "")

    with pytest.raises(InputError) as caught:
        replace(keys, database_password="short'secret")
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slurm_key", b"x" * 255),
        ("jwt_key", b"x" * 31),
        ("database_password", "has spaces and 'quotes'"),
        ("database_password", "x" * 15),
        ("database_password", "x" * 20 + "\n"),
        ("ssh_host_key", b"ssh-ed25519 AAAA"),
        ("ssh_host_public_key", "ssh-ed25519 AAAA\nssh-ed25519 BBBB"),
    ],
)
def test_unusable_key_is_refused(field: str, value: object) -> None:
    with pytest.raises(InputError, match="take "):
        replace(fixed_keys(), **{field: value})
