"""Accounting, the same over every client of Slurm; and our planner against it."""

from __future__ import annotations

import pytest

from sunk.clients.slurm.accounts import apply_accounts, observe_accounts
from sunk.errors import InputError, NotFound, Rejected, Unauthorized
from sunk.model.cluster import User
from sunk.model.slurm import (
    Account,
    AccountName,
    AdminLevel,
    Association,
    ClusterName,
    SlurmUser,
    UserName,
)
from sunk.plan.accounts import plan_accounts
from tests.contract.slurm_harness import Harness, fresh

LAB = ClusterName("lab")


def an_account(slurm: Harness) -> Account:
    name = fresh("account")
    account = Account(name=AccountName(name), description=f"about {name}", organization="test")
    slurm.client().put_account(account)
    return account


def test_new_account_is_listed_with_its_association_under_root(slurm: Harness) -> None:
    account = an_account(slurm)

    assert account in slurm.client().accounts()
    wanted = Association(cluster=LAB, account=account.name, parent_account="root")
    assert wanted in slurm.client().associations()


def test_account_put_again_stays_as_it_is(slurm: Harness) -> None:
    account = an_account(slurm)
    before = slurm.client().accounts()
    slurm.client().put_account(Account(name=account.name, description="other"))

    assert slurm.client().accounts() == before


def test_account_is_stored_in_lower_case(slurm: Harness) -> None:
    name = fresh("Mixed")
    slurm.client().put_account(Account(name=AccountName(name)))

    assert name.lower() in [account.name for account in slurm.client().accounts()]


def test_new_user_has_default_account_level_and_association(slurm: Harness) -> None:
    account = an_account(slurm).name
    user = SlurmUser(
        name=UserName(fresh("user")), default_account=account, admin_level=AdminLevel.OPERATOR
    )
    slurm.client().put_user(user)

    assert slurm.client().user(user.name) == user
    assert user in slurm.client().users()
    wanted = Association(cluster=LAB, account=account, user=user.name)
    assert wanted in slurm.client().associations()


def test_user_put_again_gets_the_new_level_and_default_account(slurm: Harness) -> None:
    first, second = an_account(slurm).name, an_account(slurm).name
    name = UserName(fresh("user"))
    slurm.client().put_user(SlurmUser(name=name, default_account=first))
    changed = SlurmUser(name=name, default_account=second, admin_level=AdminLevel.ADMINISTRATOR)
    slurm.client().put_user(changed)

    assert slurm.client().user(name) == changed


def test_user_with_an_unknown_default_account_is_rejected(slurm: Harness) -> None:
    name = UserName(fresh("user"))

    with pytest.raises(Rejected, match=name):
        slurm.client().put_user(SlurmUser(name=name, default_account=AccountName("nosuch")))
    with pytest.raises(NotFound, match=name):
        slurm.client().user(name)


def test_second_association_keeps_the_default_account(slurm: Harness) -> None:
    first, second = an_account(slurm).name, an_account(slurm).name
    name = UserName(fresh("user"))
    slurm.client().put_user(SlurmUser(name=name, default_account=first))
    association = Association(cluster=LAB, account=second, user=name)
    slurm.client().put_association(association)

    assert association in slurm.client().associations()
    assert slurm.client().user(name).default_account == first


def test_association_of_an_unknown_user_makes_the_user(slurm: Harness) -> None:
    account = an_account(slurm).name
    name = UserName(fresh("user"))
    slurm.client().put_association(Association(cluster=LAB, account=account, user=name))

    assert slurm.client().user(name) == SlurmUser(name=name, default_account=account)


@pytest.mark.parametrize(
    ("cluster", "account"), [("lab", "nosuch"), ("nosuch", "lab")], ids=["account", "cluster"]
)
def test_association_with_something_unknown_is_rejected(
    slurm: Harness, cluster: str, account: str
) -> None:
    association = Association(
        cluster=ClusterName(cluster), account=AccountName(account), user="alice"
    )
    with pytest.raises(Rejected):
        slurm.client().put_association(association)


def test_a_person_may_not_change_the_accounting(slurm: Harness) -> None:
    name = fresh("account")
    with pytest.raises(Unauthorized, match=name):
        slurm.client("stranger").put_account(Account(name=AccountName(name)))

    assert name not in [account.name for account in slurm.client().accounts()]


def test_name_that_would_need_quoting_is_refused(slurm: Harness) -> None:
    with pytest.raises(InputError):
        slurm.client().put_account(Account(name=AccountName("a,b")))
    with pytest.raises(InputError):
        slurm.client().put_user(SlurmUser(name=UserName("a b")))


def test_planned_users_are_complete_after_one_pass(slurm: Harness) -> None:
    shared, lone = fresh("team"), fresh("team")
    users = (
        User(name=fresh("user"), uid=3001, account=shared, admin=True),
        User(name=fresh("user"), uid=3002, account=shared),
        User(name=fresh("user"), uid=3003, account=lone.upper()),
    )
    client = slurm.client()
    actions = plan_accounts(users, observe_accounts(client))
    apply_accounts(client, actions)

    assert len(actions) == 5
    assert plan_accounts(users, observe_accounts(client)) == ()
