"""What a cluster allows, from what Slurm's commands print; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sunk.errors import InputError
from sunk.model.limits import AssociationLimits, ClusterSnapshot, Limits, Qos
from sunk.render.profile_detect import SlurmSays, detect
from sunk.render.slurm_texts import minutes, number, read_table, tres, words
from sunk_jobs.placement import slurm_topology

_ACCOUNTS = "sacctmgr show associations"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountingSays:
    """Texts of ``sacctmgr --parsable2 show``; None: nobody asked.

    Attributes:
        qos: ``show qos``, in the columns of `sunk.clients.slurm.cli_texts`.
        associations: ``show associations``, the same.
        users: ``show users``.
    """

    qos: str | None = None
    associations: str | None = None
    users: str | None = None


def snapshot(said: SlurmSays, accounting: AccountingSays) -> ClusterSnapshot:
    """Return what the texts say; associations are those of the cluster that slurmctld is.

    Raises:
        InputError: a text is not what it should be.
    """
    profile = detect(said)
    return ClusterSnapshot(
        profile=profile,
        qos=None if accounting.qos is None else _qos(accounting.qos),
        associations=None
        if accounting.associations is None
        else _associations(accounting.associations, profile.cluster),
        blocks=tuple(len(block.nodes) for block in slurm_topology.read(said.topology).blocks),
        default_accounts=None if accounting.users is None else _users(accounting.users),
    )


def _field(row: Mapping[str, str], name: str, source: str) -> str:
    if name not in row:
        raise InputError(f"read {source}: no column {name}; there are {', '.join(row)}")
    return row[name]


def _qos(text: str) -> tuple[Qos, ...]:
    source = "sacctmgr show qos"
    found = []
    for row in read_table(text, source=source):
        group = tres(_field(row, "GrpTRES", source))
        # A job that exceeds what a user gets can never start either.
        for name, most in tres(_field(row, "MaxTRESPU", source)).items():
            group[name] = min(most, group.get(name, most))
        limits = Limits(
            max_minutes=minutes(_field(row, "MaxWall", source)),
            max_tres=tres(_field(row, "MaxTRES", source)),
            min_tres=tres(_field(row, "MinTRES", source)),
            group_tres=group,
            max_submit=number(_field(row, "MaxSubmitPU", source)),
        )
        flags = frozenset(words(_field(row, "Flags", source)))
        found.append(Qos(name=_field(row, "Name", source), limits=limits, flags=flags))
    return tuple(found)


def _associations(text: str, cluster: str) -> tuple[AssociationLimits, ...]:
    return tuple(
        AssociationLimits(
            account=_field(row, "Account", _ACCOUNTS),
            user=_field(row, "User", _ACCOUNTS),
            partition=_field(row, "Partition", _ACCOUNTS),
            parent=_field(row, "ParentName", _ACCOUNTS),
            qos=words(_field(row, "QOS", _ACCOUNTS)),
            default_qos=_field(row, "Def QOS", _ACCOUNTS),
            limits=Limits(
                max_minutes=minutes(_field(row, "MaxWall", _ACCOUNTS)),
                max_tres=tres(_field(row, "MaxTRES", _ACCOUNTS)),
                group_tres=tres(_field(row, "GrpTRES", _ACCOUNTS)),
                max_submit=number(_field(row, "MaxSubmit", _ACCOUNTS)),
            ),
        )
        for row in read_table(text, source=_ACCOUNTS)
        if _field(row, "Cluster", _ACCOUNTS) == cluster
    )


def _users(text: str) -> dict[str, str]:
    source = "sacctmgr show users"
    return {
        _field(row, "User", source): _field(row, "Def Acct", source)
        for row in read_table(text, source=source)
    }
