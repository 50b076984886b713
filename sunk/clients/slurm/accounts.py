"""Observe Slurm's accounting, and apply what `sunk.plan.accounts` planned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from sunk.clients.slurm.protocol import SlurmClient
from sunk.model.slurm import ObservedAccounts
from sunk.plan.actions import AccountsAction, CreateAccount, CreateAssociation, CreateUser


def observe_accounts(client: SlurmClient) -> ObservedAccounts:
    """Return all that slurmdbd has, read in three requests.

    Raises:
        RemoteError: one of them failed; a partial answer is never returned.
    """
    return ObservedAccounts(
        cluster=client.ping().cluster,
        accounts=client.accounts(),
        users=client.users(),
        associations=client.associations(),
    )


def apply_accounts(client: SlurmClient, actions: Iterable[AccountsAction]) -> None:
    """Do the actions in their order; stops at the first error, which leaves a legal state.

    Raises:
        RemoteError: an action was refused or could not be sent.
    """
    for action in actions:
        match action:
            case CreateAccount(account=account):
                client.put_account(account)
            case CreateUser(user=user):
                client.put_user(user)
            case CreateAssociation(association=association):
                client.put_association(association)
            case _:
                assert_never(action)
