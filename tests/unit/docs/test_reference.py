"""Reference pages say what the code does: every key, default, limit and code, and none besides."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import StrEnum
from typing import Any

import pytest

from sunk import errors, settings, wellknown
from sunk.cli import exits
from sunk.errors import CommandError, RemoteError, SunkError
from sunk.local import daemons, layout, machine, parameters
from sunk.model.cluster import Images, Login, NodeSet, Partition, SlurmCluster, User, UsersFrom
from sunk.model.file_form import camel
from sunk.model.overlay import (
    Capabilities,
    Component,
    EnvSource,
    EnvVar,
    KeyRef,
    PodOverlay,
    PodSecurityContext,
    Resources,
    Security,
    Sidecar,
    SidecarPort,
    SidecarSecurity,
    Sysctl,
    Toleration,
    TopologySpread,
)
from sunk.model.storage import Claim, Database, ExternalDatabase, Storage
from sunk.model.volumes import ClaimVolume, EmptyDir, HostPath, Untyped, Volume, VolumeMount
from sunk.render.checks import problems
from sunk.render.slurm_keys import MERGED_KEYS
from sunk.toolkit.catalogue import TEMPLATES
from tests.support import job_tables
from tests.support.pages import DOCS, ROOT, tables

REFERENCE = DOCS / "reference"

# --- the cluster description

PODS = (
    *(Component, PodOverlay, Resources, Toleration, TopologySpread, Volume, EmptyDir, HostPath),
    *(ClaimVolume, VolumeMount, EnvVar, EnvSource, KeyRef, Security, Capabilities),
    *(PodSecurityContext, Sysctl, Sidecar, SidecarPort, SidecarSecurity),
)
DESCRIBED = (
    SlurmCluster,
    User,
    UsersFrom,
    Partition,
    Images,
    Storage,
    Claim,
    Database,
    ExternalDatabase,
    Login,
    NodeSet,
    *PODS,
)
RESOURCES = (SlurmCluster, NodeSet)
"""Kinds of documents: their fields stand below metadata or spec."""


def key_of(owner: type, field: Field[Any]) -> str:
    name = camel(field.name)
    if owner not in RESOURCES:
        return f"`{name}`"
    return f"`metadata.{name}`" if name in {"name", "namespace"} else f"`spec.{name}`"


def type_of(owner: type, field: Field[Any]) -> str:
    if field.name in quantities(owner):
        return "quantity"
    return type_words(typing.get_type_hints(owner)[field.name])


def type_words(kind: Any) -> str:
    if isinstance(kind, types.UnionType):
        (kind,) = set(typing.get_args(kind)) - {types.NoneType}
    if kind == Untyped:
        return "Kubernetes' own"
    origin = typing.get_origin(kind)
    if origin is tuple:
        return f"list of {type_words(typing.get_args(kind)[0])}"
    if origin is Mapping:
        return f"mapping of {type_words(typing.get_args(kind)[1])}"
    if is_dataclass(kind):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    if issubclass(kind, StrEnum):
        return "text"
    return {str: "text", int: "number", bool: "true or false"}[kind]


def quantities(owner: type) -> set[str]:
    """Return the fields whose text must be a quantity, where there are any: what the check says."""
    if owner not in {NodeSet, Claim, EmptyDir}:
        return set()
    texts = {name for name, kind in typing.get_type_hints(owner).items() if is_text(kind)}
    return {name for name in texts if any(refused_as_quantity(owner, name))}


def is_text(kind: Any) -> bool:
    return kind is str or set(typing.get_args(kind)) == {str, types.NoneType}


def refused_as_quantity(owner: type, name: str) -> Iterator[bool]:
    wrong: dict[str, Any] = {"name": "w", "size": "1Gi", name: "x y"}
    part = owner(**{one.name: wrong[one.name] for one in fields(owner) if one.name in wrong})
    login = Login()
    if owner is EmptyDir:
        login = Login(pod=PodOverlay(volumes=(Volume(name="v", empty_dir=part),)))
    cluster = SlurmCluster(
        name="c",
        login=login,
        node_sets=(part,) if owner is NodeSet else (),
        storage=Storage(home=part) if owner is Claim else Storage(),
    )
    return (problem.allowed.startswith("a quantity") for problem in problems(cluster))


def default_of(field: Field[Any]) -> str | None:
    """Return the cell of a default; nothing when words have to say what absence means."""
    if field.default is MISSING and field.default_factory is MISSING:
        return "required"
    value = field.default if field.default_factory is MISSING else field.default_factory()
    if value is None or value in ((), {}):
        return None
    if is_dataclass(value):
        changed = {
            f.name: getattr(value, f.name)
            for f in fields(value)
            if f.default is MISSING and f.default_factory is MISSING
        }
        return "`{" + ", ".join(f"{camel(k)}: {v}" for k, v in changed.items()) + "}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


@pytest.mark.parametrize("owner", DESCRIBED, ids=lambda one: one.__name__)
def test_description_names_every_key_with_type_and_default(owner):
    rows = {row["key"]: row for row in tables(REFERENCE / "description.md")[owner.__name__]}
    wanted = {
        key_of(owner, field): (type_of(owner, field), default_of(field))
        for field in fields(owner)
        if (owner, field.name) != (SlurmCluster, "node_sets")  # documents of their own
    }
    envelope = {"`apiVersion`", "`kind`"} if owner in RESOURCES else set()
    if owner is NodeSet:
        envelope.add("`metadata.namespace`")
    assert set(rows) == set(wanted) | envelope
    for key, (kind, default) in wanted.items():
        row = rows[key]
        assert row["type"] == kind, key
        if default is None:
            assert row["default"] not in {"", "required"}, key
        else:
            assert row["default"] == default, key
        assert row["meaning"], key


def test_description_has_a_table_for_each_class_and_no_other():
    assert set(tables(REFERENCE / "description.md")) == {one.__name__ for one in DESCRIBED}


def test_description_names_the_lists_that_are_merged():
    page = (REFERENCE / "description.md").read_text()
    assert ", ".join(sorted(MERGED_KEYS)) in " ".join(page.split())


# --- job templates


@pytest.mark.parametrize("heading", job_tables.FAMILIES)
def test_parameters_that_templates_share_are_those_of_their_forms(heading):
    wanted = job_tables.rows(job_tables.FAMILIES[heading])
    assert tables(REFERENCE / "jobs.md")[heading] == wanted


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda one: one.name)
def test_template_has_its_own_parameters_on_the_page(template):
    assert tables(REFERENCE / "jobs.md")[template.name] == job_tables.rows(template.form)


def test_page_of_jobs_lists_the_templates_and_on_what_they_were_run():
    rows = tables(REFERENCE / "jobs.md")["Job files and templates"]
    wanted = [
        {"template": f"`{one.name}`", "what it runs": one.summary, "tried on": str(one.tried)}
        for one in TEMPLATES
    ]
    assert rows == wanted


# --- exit codes, errors


def test_exit_codes_are_those_of_the_command():
    codes = {value for name, value in vars(exits).items() if name.isupper()}
    rows = tables(REFERENCE / "errors.md")["Exit codes"]
    assert [int(row["code"]) for row in rows] == sorted(codes)


def test_every_error_is_listed_with_its_code():
    kinds = {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, SunkError)
    }
    rows = tables(REFERENCE / "errors.md")["Errors"]
    wanted = {f"`{name}`": str(exits.code_for(made(kind))) for name, kind in kinds.items()}
    assert {row["error"]: row["code"] for row in rows} == wanted


def made(kind: type[SunkError]) -> SunkError:
    if issubclass(kind, RemoteError):
        return kind("x", system="s")
    return CommandError("x") if issubclass(kind, CommandError) else kind("x")


# --- places


def variables_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![A-Z_])SUNK_[A-Z_]*[A-Z]", text))


def test_variables_are_those_that_settings_read():
    source = (ROOT / "sunk" / "settings.py").read_text()
    rows = tables(REFERENCE / "places.md")["Variables"]
    assert {row["variable"].strip("`") for row in rows} == variables_in(source)


def test_nothing_else_of_ours_reads_a_variable():
    """The mark of helper processes is no setting: sunk gives it to them, nobody else."""
    used = {
        name for file in (ROOT / "sunk").rglob("*.py") for name in variables_in(file.read_text())
    }
    assert used - {daemons.MARK} == variables_in((ROOT / "sunk" / "settings.py").read_text())


def test_variables_of_make_are_those_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    read = set(re.findall(r"^([A-Z_]+) \?=", makefile, flags=re.MULTILINE))
    read |= set(re.findall(r"\$\(if \$\(([A-Z_]+)\)", makefile))
    rows = tables(REFERENCE / "places.md")["Variables of make"]
    assert {row["variable"].strip("`") for row in rows} == read


@pytest.mark.parametrize(
    "fact",
    [
        str(settings.DEFAULT_STATE_FOLDER),
        str(settings.DEFAULT_CACHE_FOLDER),
        str(machine.LEDGER_FOLDER),
        f"127.0.0.1:{parameters.FIRST_API_PORT}",
        f"127.0.0.1:{parameters.FIRST_SSH_PORT}",
        layout.CLUSTER_ADDRESS,
        layout.POD_RANGE,
        layout.SERVICE_RANGE,
        layout.DNS_SERVICE_ADDRESS,
        f"port {layout.API_PORT}",
        f"NodePort {layout.LOGIN_NODE_PORT}",
        layout.Node(number=1).address,
        *(f"`{name.replace('/', '.')}`" for name in machine.SYSCTLS),
    ],
)
def test_place_address_or_port_is_the_one_in_the_code(fact):
    assert fact in (REFERENCE / "places.md").read_text()


def test_ports_of_the_daemons_are_those_in_the_code():
    rows = tables(REFERENCE / "places.md")["In the namespace of a Slurm cluster"]
    ports = {name: value for name, value in vars(wellknown).items() if name.endswith("_PORT")}
    spelled = {"MARIADB_PORT": "MariaDB", "SSH_PORT": "sshd, at its Service"}
    wanted = {
        spelled.get(name, name.removesuffix("_PORT").lower()): value
        for name, value in ports.items()
    }
    assert {row["daemon"]: int(row["port"]) for row in rows} == wanted
