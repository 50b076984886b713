"""Slurm's accounting over `sacctmgr` and `sacct`: the half of the client that asks slurmdbd.

sacctmgr says "nothing added" both for what is there already and for what cannot be, so writes are
read back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from sunk.clients.slurm import rest_v0042_accounting as wire
from sunk.clients.slurm.cli_command import Commands
from sunk.clients.slurm.cli_errors import SYSTEM, refusal
from sunk.clients.slurm.names import checked_name
from sunk.errors import NotFound, Rejected, clip
from sunk.model.slurm import (
    Account,
    AdminLevel,
    Association,
    ClusterName,
    Job,
    JobId,
    Ping,
    SlurmUser,
    UserName,
)

_NOTHING_DONE = (
    "Already existing",
    "Nothing added",
    "Nothing modified",
    "didn't affect anything",
    "aren't associated with",
)
"""How sacctmgr says that it changed nothing: because it is so already, or cannot be so."""


class CliAccounting(ABC):
    """The verbs of `SlurmClient` that slurmdbd answers; `CliSlurm` adds the others."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._cluster: ClusterName | None = None

    @abstractmethod
    def ping(self) -> Ping:
        """Return the cluster's name, among others."""

    def accounts(self) -> tuple[Account, ...]:
        """Return every account, sorted by name."""
        words = ("sacctmgr", "show", "accounts")
        reply = self._commands.read(words, wire.AccountsReply, what="list accounts")
        found = (account.to_model() for account in reply.accounts)
        return tuple(sorted(found, key=lambda account: account.name))

    def users(self) -> tuple[SlurmUser, ...]:
        """Return every user, sorted by name."""
        words = ("sacctmgr", "show", "users", "withassoc")
        reply = self._commands.read(words, wire.UsersReply, what="list users")
        return tuple(sorted((user.to_model() for user in reply.users), key=lambda user: user.name))

    def user(self, name: UserName) -> SlurmUser:
        """Return one user."""
        what = f"read user {checked_name(name, 'user')}"
        words = ("sacctmgr", "show", "users", "withassoc", "where", f"name={name}")
        reply = self._commands.read(words, wire.UsersReply, what=what)
        found = [user.to_model() for user in reply.users if user.name == name]
        if not found:
            raise NotFound(f"{what}: there is none of that name", system=SYSTEM)
        return found[0]

    def associations(self) -> tuple[Association, ...]:
        """Return every association, sorted."""
        words = ("sacctmgr", "show", "associations")
        reply = self._commands.read(words, wire.AssociationsReply, what="list associations")
        return tuple(sorted(association.to_model() for association in reply.associations))

    def put_account(self, account: Account) -> None:
        """Make an account and its association on this cluster exist, under the root account."""
        name = checked_name(account.name, "account").lower()
        what = f"create account {account.name}"
        cluster = self._cluster_name()
        said = self._change(
            ("add", "account", name, f"cluster={cluster}"),
            (
                f"description={_quoted(account.description)}",
                f"organization={_quoted(account.organization)}",
            ),
            what=what,
        )
        self._require_association(Association(cluster=cluster, account=account.name), what, said)

    def put_user(self, user: SlurmUser) -> None:
        """Make a user exist with this default account and level."""
        what = f"create user {checked_name(user.name, 'user')}"
        cluster = self._cluster_name()
        settings = []
        if user.default_account is not None:
            account = checked_name(user.default_account, "account").lower()
            said = self._change(
                ("add", "user", user.name, f"account={account}", f"cluster={cluster}"), what=what
            )
            wanted = Association(cluster=cluster, account=user.default_account, user=user.name)
            self._require_association(wanted, what, said)
            settings.append(f"defaultaccount={account}")
        if user.admin_level is not AdminLevel.NOT_SET:
            settings.append(f"adminlevel={user.admin_level.value}")
        if settings:
            where = ("modify", "user", "where", f"name={user.name}", f"cluster={cluster}")
            said = self._change((*where, "set"), settings, what=what)
            self._require_user(user, what, said)

    def put_association(self, association: Association) -> None:
        """Make a user's association exist."""
        account = checked_name(association.account, "account").lower()
        user = checked_name(association.user, "user")
        cluster = checked_name(association.cluster, "cluster")
        what = f"associate user {user} with account {account}"
        words = ["add", "user", user, f"account={account}", f"cluster={cluster}"]
        if association.partition:
            words.append(f"partition={checked_name(association.partition, 'partition')}")
        said = self._change(words, what=what)
        self._require_association(association, what, said)

    def history(self, job_id: JobId) -> tuple[Job, ...]:
        """Return what slurmdbd knows about a job, oldest first."""
        what = f"read job {job_id} from the accounting"
        words = ("sacct", "--allusers", "--duplicates", "--allocations", f"--jobs={int(job_id)}")
        reply = self._commands.read(words, wire.HistoryReply, what=what)
        if not reply.jobs:
            raise NotFound(f"{what}: slurmdbd has no such job", system=SYSTEM)
        found = (job.to_model() for job in reply.jobs)
        return tuple(sorted(found, key=lambda job: (job.submit_time or 0, job.job_id)))

    def _change(self, words: Sequence[str], settings: Sequence[str] = (), *, what: str) -> str:
        """Change slurmdbd and return what sacctmgr says; the caller reads back what came of it."""
        argv = ("sacctmgr", "--immediate", *words, *settings)
        done = self._commands.start(argv, what=what)
        if done.status != 0 and not any(text in done.stdout for text in _NOTHING_DONE):
            raise refusal(done, what, "sacctmgr")
        return done.stdout

    def _cluster_name(self) -> ClusterName:
        if self._cluster is None:
            self._cluster = self.ping().cluster
        return self._cluster

    def _require_association(self, wanted: Association, what: str, said: str) -> None:
        for found in self.associations():
            if found.account.lower() == wanted.account.lower() and (
                found.cluster,
                found.user,
                found.partition,
            ) == (wanted.cluster, wanted.user, wanted.partition):
                return
        raise Rejected(
            f"{what}: no association came of it; sacctmgr says {clip(said)!r}",
            system=SYSTEM,
            hint="check that the account, the user and the cluster exist: sacctmgr show assoc",
        )

    def _require_user(self, wanted: SlurmUser, what: str, said: str) -> None:
        try:
            found = self.user(wanted.name)
        except NotFound as exc:
            raise Rejected(
                f"{what}: sacctmgr makes no user without an account",
                system=SYSTEM,
                hint="name a default account",
            ) from exc
        default = wanted.default_account
        if (default is not None and found.default_account != default.lower()) or (
            wanted.admin_level not in (AdminLevel.NOT_SET, found.admin_level)
        ):
            raise Rejected(f"{what}: sacctmgr says {clip(said)!r}", system=SYSTEM)


def _quoted(text: str) -> str:
    """Return text for sacctmgr, with backticks for quotes as it stores them: one would end it."""
    flat = text.replace('"', "`").replace("'", "`")
    return f'"{flat}"'
