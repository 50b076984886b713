"""Which accounts, users and associations are missing in Slurm's accounting.

Only adds. Whatever exists already stays as it is, also where it differs from the description:
records of slurmdbd carry no mark of who made them, so another level or default account may be
somebody's wish.
"""

from __future__ import annotations

from sunk.model.cluster import User
from sunk.model.slurm import (
    Account,
    AccountName,
    AdminLevel,
    Association,
    ObservedAccounts,
    SlurmUser,
    UserName,
)
from sunk.plan.actions import AccountsAction, CreateAccount, CreateAssociation, CreateUser


def plan_accounts(
    users: tuple[User, ...], observed: ObservedAccounts
) -> tuple[AccountsAction, ...]:
    """Return what to create so that every user can submit jobs to the own account.

    Accounts come before users and users before associations, so stopping after any action leaves
    nothing that refers to something missing. Names of accounts are compared, and created, in
    lower case, as Slurm does. Nothing is planned on an incomplete observation.

    Args:
        users: the people described.
        observed: what slurmdbd has.
    """
    if not observed.complete:
        return ()
    return (
        *_missing_accounts(users, observed),
        *_missing_users(users, observed),
        *_missing_associations(users, observed),
    )


def _missing_accounts(
    users: tuple[User, ...], observed: ObservedAccounts
) -> tuple[CreateAccount, ...]:
    known = {account.name.lower() for account in observed.accounts}
    # An account may exist for another cluster only; then its association here is what is missing.
    here = {
        association.account.lower()
        for association in observed.associations
        if association.cluster == observed.cluster and not association.user
    }
    missing = sorted({user.account.lower() for user in users} - (known & here))
    return tuple(
        CreateAccount(account=Account(name=AccountName(name), description=name, organization=name))
        for name in missing
    )


def _missing_users(users: tuple[User, ...], observed: ObservedAccounts) -> tuple[CreateUser, ...]:
    known = {user.name for user in observed.users}
    return tuple(
        CreateUser(
            user=SlurmUser(
                name=UserName(user.name),
                default_account=AccountName(user.account.lower()),
                admin_level=AdminLevel.ADMINISTRATOR if user.admin else AdminLevel.NONE,
            )
        )
        for user in sorted(users, key=lambda user: user.name)
        if user.name not in known
    )


def _missing_associations(
    users: tuple[User, ...], observed: ObservedAccounts
) -> tuple[CreateAssociation, ...]:
    known = {user.name for user in observed.users}
    have = {
        (association.account.lower(), association.user)
        for association in observed.associations
        if association.cluster == observed.cluster and not association.partition
    }
    return tuple(
        CreateAssociation(
            association=Association(
                cluster=observed.cluster, account=AccountName(user.account.lower()), user=user.name
            )
        )
        for user in sorted(users, key=lambda user: user.name)
        # A missing user's association comes with the user.
        if user.name in known and (user.account.lower(), user.name) not in have
    )
