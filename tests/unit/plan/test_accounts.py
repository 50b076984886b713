from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sunk.model.cluster import User
from sunk.model.slurm import (
    Account,
    AccountName,
    Association,
    ClusterName,
    ObservedAccounts,
    SlurmUser,
    UserName,
)
from sunk.plan.accounts import plan_accounts
from sunk.plan.actions import AccountsAction, CreateAccount, CreateAssociation, CreateUser

HERE = ClusterName("lab")
names = st.sampled_from(["ann", "bob", "cy", "dee"])
accounts = st.sampled_from(["default", "Physics", "bio"])


@st.composite
def described(draw) -> tuple[User, ...]:
    chosen = draw(st.lists(names, unique=True, max_size=4))
    return tuple(
        User(name=name, uid=2000 + at, account=draw(accounts), admin=draw(st.booleans()))
        for at, name in enumerate(chosen)
    )


@st.composite
def observations(draw) -> ObservedAccounts:
    known = draw(st.sets(accounts.map(str.lower)))
    people = draw(st.sets(names))
    return ObservedAccounts(
        cluster=HERE,
        accounts=tuple(Account(name=AccountName(name)) for name in sorted(known)),
        users=tuple(SlurmUser(name=UserName(name)) for name in sorted(people)),
        associations=tuple(
            Association(cluster=HERE, account=AccountName(account), user=user)
            for account in sorted(known)
            for user in ["", *sorted(draw(st.sets(st.sampled_from(sorted(people)))))]
        )
        if people
        else tuple(Association(cluster=HERE, account=AccountName(a)) for a in sorted(known)),
    )


def after(world: ObservedAccounts, action: AccountsAction) -> ObservedAccounts:
    """The world after one action, as slurmdbd would have it."""
    match action:
        case CreateAccount(account=account):
            made = Association(cluster=HERE, account=account.name)
            return replace(
                world,
                accounts=tuple({a.name: a for a in (*world.accounts, account)}.values()),
                associations=(*world.associations, made),
            )
        case CreateUser(user=user):
            assert user.default_account is not None
            made = Association(cluster=HERE, account=user.default_account, user=user.name)
            return replace(
                world,
                users=(*world.users, user),
                associations=(*world.associations, made),
            )
        case CreateAssociation(association=association):
            return replace(world, associations=(*world.associations, association))


@given(users=described(), world=observations())
def test_plan_converges(users, world):
    for action in plan_accounts(users, world):
        world = after(world, action)
    assert plan_accounts(users, world) == ()
    have = {(a.account, a.user) for a in world.associations}
    assert {(user.account.lower(), user.name) for user in users} <= have


@given(users=described(), world=observations())
def test_stopping_after_any_action_refers_to_nothing_missing(users, world):
    for action in plan_accounts(users, world):
        accounts_here = {a.account for a in world.associations if not a.user}
        people = {user.name for user in world.users}
        match action:
            case CreateUser(user=user):
                assert user.default_account in accounts_here
            case CreateAssociation(association=association):
                assert association.account in accounts_here
                assert association.user in people
        world = after(world, action)


@given(users=described(), world=observations())
def test_plan_only_adds_what_was_described(users, world):
    wanted = {user.name for user in users}
    for action in plan_accounts(users, world):
        match action:
            case CreateAccount(account=account):
                assert account.name in {user.account.lower() for user in users}
            case CreateUser(user=user):
                assert user.name in wanted
                assert user.name not in {known.name for known in world.users}
            case CreateAssociation(association=association):
                assert association.user in wanted


@given(users=described(), world=observations())
def test_plan_is_the_same_in_any_order(users, world):
    turned = replace(
        world,
        accounts=world.accounts[::-1],
        users=world.users[::-1],
        associations=world.associations[::-1],
    )
    assert plan_accounts(users, world) == plan_accounts(users[::-1], turned)


@given(users=described(), world=observations())
def test_nothing_is_planned_on_an_incomplete_reading(users, world):
    assert plan_accounts(users, replace(world, complete=False)) == ()
