"""What accounts and QOS allow a job: rights, and limits that would keep it waiting for ever; pure.

A limit of one job, and a limit of a whole group that one job alone exceeds, can never be met; what
other jobs use up is no business of this check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sunk.assess.presubmit_answers import answer, blocked, skip, unknown
from sunk.assess.verdict import Finding
from sunk.model.limits import AssociationLimits, ClusterSnapshot, JobRequest, Limits, Qos
from sunk.model.profile import ProfilePartition

_READ = "sacctmgr show associations and show qos list them"
OVER_PARTITION_QOS = "OverPartQOS"
"""Flag of a QOS: its limits win over those of the partition's QOS."""
ACCOUNTS_MAX = 100
"""Most accounts above each other: a circle would have no end."""


def account_of(request: JobRequest, snapshot: ClusterSnapshot) -> str | None:
    """Return the account that a job is charged to; None when that is not known."""
    if request.account is not None or snapshot.default_accounts is None:
        return request.account
    return snapshot.default_accounts.get(request.user)


def association_of(
    request: JobRequest, snapshot: ClusterSnapshot, partition: ProfilePartition
) -> AssociationLimits | None:
    """Return the user's association: that of the partition before that of all partitions."""
    account = account_of(request, snapshot)
    found = [
        one
        for one in snapshot.associations or ()
        if one.user == request.user
        and one.account == account
        and one.partition in ("", partition.name)
    ]
    return max(found, key=lambda one: one.partition, default=None)


def qos_of(
    request: JobRequest, snapshot: ClusterSnapshot, partition: ProfilePartition
) -> str | None:
    """Return the QOS that a job gets; None when that is not known."""
    if request.qos is not None:
        return request.qos
    association = association_of(request, snapshot, partition)
    if association is None:
        return None
    if association.default_qos:
        return association.default_qos
    # Of several without a default Slurm takes `normal` where it is allowed.
    return "normal" if "normal" in association.qos else None


def undecided(
    check: str, request: JobRequest, snapshot: ClusterSnapshot, partition: ProfilePartition
) -> Finding | None:
    """Return why the job's QOS or association is not known; None when both are.

    When the facts are there, and there simply is no such association, the check is blocked by the
    one that says so.
    """
    if association_of(request, snapshot, partition) is None:
        if snapshot.associations is not None and account_of(request, snapshot) is not None:
            return blocked(check, f"{request.user} has no such association")
        return unknown(check, "the association of the job", "name the account in the job")
    if qos_of(request, snapshot, partition) is None:
        return unknown(check, "the QOS that the job gets", "name one in the job")
    return None


def check_association(
    request: JobRequest, snapshot: ClusterSnapshot, partition: ProfilePartition
) -> Finding:
    """Return whether the user may charge the account."""
    check = "presubmit.association"
    if "associations" not in snapshot.profile.slurm.enforce:
        return skip(check, "Slurm enforces no associations")
    if snapshot.associations is None:
        return unknown(check, "who may charge what", _READ)
    account = account_of(request, snapshot)
    if account is None:
        return unknown(check, f"the default account of {request.user}", "name one in the job")
    fine = f"{request.user} may charge {account}"
    found = association_of(request, snapshot, partition)
    own = sorted({one.account for one in snapshot.associations if one.user == request.user})
    return answer(
        check,
        "" if found is not None else f"{request.user} may not charge account {account}",
        fine,
        f"accounts of {request.user}: {', '.join(own) or 'none'}",
    )


def check_qos(
    request: JobRequest, snapshot: ClusterSnapshot, partition: ProfilePartition
) -> Finding:
    """Return whether the association may use the QOS."""
    check = "presubmit.qos"
    if "qos" not in snapshot.profile.slurm.enforce:
        return skip(check, "Slurm enforces no QOS")
    if snapshot.qos is None or snapshot.associations is None:
        return unknown(check, "which QOS there are, and who may use them", _READ)
    if why := undecided(check, request, snapshot, partition):
        return why
    name = qos_of(request, snapshot, partition)
    known = [one.name for one in snapshot.qos]
    if name not in known:
        return answer(check, f"there is no QOS {name}", "", f"QOS: {', '.join(known)}")
    association = association_of(request, snapshot, partition)
    allowed = () if association is None else {*association.qos, association.default_qos}
    return answer(
        check,
        f"{request.user} may not use QOS {name}" if name not in allowed else "",
        f"{request.user} may use QOS {name}",
        f"allowed: {', '.join(sorted(one for one in allowed if one)) or 'none'}",
    )


def check_limits(
    request: JobRequest, snapshot: ClusterSnapshot, partition: ProfilePartition
) -> Finding:
    """Return whether QOS and accounts let the job start.

    Of the partition's QOS, the job's QOS and the association, the first that sets a limit decides
    (resource_limits.shtml). Limits of a whole group hold for every account above as well, unless
    a QOS sets the same one. The database has given each association what it inherits.
    """
    check = "presubmit.limits"
    if "limits" not in snapshot.profile.slurm.enforce:
        return skip(check, "Slurm enforces no limits")
    if snapshot.qos is None or snapshot.associations is None:
        return unknown(check, "the limits of QOS and accounts", _READ)
    if why := undecided(check, request, snapshot, partition):
        return why
    association = association_of(request, snapshot, partition)
    name = qos_of(request, snapshot, partition)
    assert association is not None
    assert name is not None
    if qos_named(name, snapshot) is None:
        return blocked(check, f"there is no QOS {name}")
    qos = _qos_in_order(name, partition, snapshot.qos)
    sources = [(f"QOS {one.name}", one.limits) for one in qos]
    accounts = [(_spoken(one), one.limits) for one in _chain(association, snapshot)]
    fault = next(_faults(request, sources, accounts, exclusive=partition.exclusive), "")
    return answer(
        check,
        fault,
        f"within the limits of QOS {name} and account {association.account}",
        "ask for less, or for another QOS or account",
    )


def qos_named(name: str | None, snapshot: ClusterSnapshot) -> Qos | None:
    """Return a QOS, None when there is none of that name or the QOS are not known."""
    return next((one for one in snapshot.qos or () if one.name == name), None)


def _qos_in_order(name: str, partition: ProfilePartition, known: tuple[Qos, ...]) -> list[Qos]:
    """Return the QOS that set limits, the one that decides first."""
    by_name = {one.name: one for one in known}
    names = [partition.partition_qos, name]
    if name in by_name and OVER_PARTITION_QOS in by_name[name].flags:
        names.reverse()
    return [by_name[one] for one in dict.fromkeys(names) if one is not None and one in by_name]


def _spoken(one: AssociationLimits) -> str:
    return f"user {one.user} in {one.account}" if one.user else f"account {one.account}"


def _chain(
    association: AssociationLimits, snapshot: ClusterSnapshot
) -> Iterator[AssociationLimits]:
    """Yield an association, its account's own, and those of the accounts above."""
    yield association
    own = {one.account: one for one in snapshot.associations or () if not one.user}
    name = association.account
    for _ in range(ACCOUNTS_MAX):
        if name not in own:
            return
        yield own[name]
        name = own[name].parent


_Source = tuple[str, Limits]
"""Whose limits, and the limits."""


def _faults(
    request: JobRequest, qos: list[_Source], accounts: list[_Source], *, exclusive: bool
) -> Iterator[str]:
    """Yield each limit that the job exceeds for certain."""
    sources = [*qos, *accounts[:1]]
    wanted = request.time_minutes or 0
    whose, most = _first(sources, lambda limits: limits.max_minutes)
    if most is not None and wanted > most:
        yield f"{whose}: {wanted} minutes, and the longest job has {most}"
    whose, most = _first(sources, lambda limits: limits.max_submit)
    if most is not None and request.array_tasks > most:
        yield f"{whose}: {request.array_tasks} array tasks, and a user queues {most}"
    for name, amount in request.tres.items():
        yield from _tres_faults(name, amount, qos, accounts)
    # An exclusive job counts whole nodes, and memory that it does not name is the node's to say.
    certain = ("node", "gres/gpu") if exclusive else ("cpu", "node", "gres/gpu")
    for name in certain:
        yield from _least_fault(name, request.tres.get(name, 0), qos)


def _least_fault(name: str, amount: int, qos: list[_Source]) -> Iterator[str]:
    whose, least = _first(qos, lambda limits: limits.min_tres.get(name))
    if least is not None and amount < least:
        yield f"{whose}: {amount} {name}, and a job has at least {least}"


def _tres_faults(
    name: str, amount: int, qos: list[_Source], accounts: list[_Source]
) -> Iterator[str]:
    sources = [*qos, *accounts[:1]]
    whose, most = _first(sources, lambda limits: limits.max_tres.get(name))
    if most is not None and amount > most:
        yield f"{whose}: {amount} {name}, and a job gets {most}"
    by_qos = [one for one in qos if name in one[1].group_tres][:1]
    for who, limits in by_qos or accounts:
        group = limits.group_tres.get(name)
        if group is not None and amount > group:
            yield f"{who}: {amount} {name}, and all jobs together have {group}"


def _first(sources: list[_Source], limit: Callable[[Limits], int | None]) -> tuple[str, int | None]:
    """Return who sets a limit first, and the limit."""
    for whose, limits in sources:
        if (most := limit(limits)) is not None:
            return whose, most
    return "", None
