"""Slurm over slurmrestd: one verb, one request (two where Slurm's own answer cannot be trusted).

Transport and errors are in `transport`, the wire of each data_parser version in a module of its
own; today that is `rest_v0042` alone, which Slurm 24.11 and 26.05 both speak.

24.11 answers 200 to an association with an account or a user that does not exist, and 304 both
for "exists already" and for "cannot be added", so writes to slurmdbd are read back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote

import httpx

from sunk.clients.slurm import codes
from sunk.clients.slurm import rest_v0042 as wire
from sunk.clients.slurm import rest_v0042_accounting as wire_accounting
from sunk.clients.slurm.names import checked_name, checked_reason
from sunk.clients.slurm.transport import SYSTEM, TIMEOUT_SECONDS, Transport, log_warning
from sunk.errors import ConfigError, NotFound, Rejected, UnexpectedReply, clip
from sunk.model.slurm import (
    Account,
    Association,
    ClusterName,
    Job,
    JobId,
    JobSubmission,
    Listing,
    NodeName,
    Partition,
    Ping,
    SlurmNode,
    SlurmUser,
    UserName,
)

SUPPORTED = (wire.VERSION,)
"""data_parser versions that we speak, oldest first."""

T = TypeVar("T")


class RestSlurm:
    """Implements `sunk.clients.slurm.protocol.SlurmClient` as the token's user.

    Args:
        base_url: where slurmrestd is: ``http://slurmrestd:6820``, or the path of a Kubernetes
            service proxy.
        token: returns the token for the next request; `sunk.clients.slurm.token.TokenSource`.
        http: the httpx transport; ``httpx.HTTPTransport(uds=...)`` for a unix socket.
        timeout_seconds: time limit of each request.
        on_warning: told about every warning in an answer.
    """

    def __init__(
        self,
        *,
        base_url: str,
        token: Callable[[], str],
        http: httpx.BaseTransport | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        on_warning: Callable[[str], None] = log_warning,
    ) -> None:
        self._transport = Transport(
            base_url=base_url,
            token=token,
            http=http,
            timeout_seconds=timeout_seconds,
            on_warning=on_warning,
        )
        self._version: str | None = None
        self._cluster: ClusterName | None = None

    def close(self) -> None:
        """Close the kept connections."""
        self._transport.close()

    def data_parser(self) -> str:
        """Return the data_parser version in use; asks the server once.

        Raises:
            ConfigError: the server speaks none of ours.
        """
        if self._version is None:
            offered = self._transport.data_parsers()
            common = [version for version in SUPPORTED if version in offered]
            if not common:
                raise ConfigError(
                    "choose the version of Slurm's REST API: the server offers "
                    f"{', '.join(offered) or 'none'}, sunk speaks {', '.join(SUPPORTED)}",
                    hint="use Slurm 24.11 or later and load data_parser/v0.0.42 in slurmrestd",
                )
            self._version = common[-1]
        return self._version

    # --- slurmctld -----------------------------------------------------------------------------

    def ping(self) -> Ping:
        """Return release, cluster name and whether slurmctld answers."""
        reply = self._get("slurm", "ping/", wire.PingReply, what="ping slurmctld")
        return Ping(
            version=reply.meta.slurm.release,
            cluster=ClusterName(reply.meta.slurm.cluster),
            controller_up=any(entry.pinged == "UP" for entry in reply.pings),
        )

    def nodes(self) -> tuple[SlurmNode, ...]:
        """Return every node, sorted by name."""
        return _listed(self.nodes_since(0), "list nodes").items

    def nodes_since(self, as_of: int) -> Listing[SlurmNode] | None:
        """Return every node if any changed at or after `as_of`, else None."""
        what = "list nodes"
        try:
            reply = self._read("slurm", "nodes/", wire.NodesReply, what=what, as_of=as_of)
        except Rejected:
            # 24.11 asks for partitions with the same time, and takes "no partition changed" for an
            # error. Nodes did change then: a request without a time tells how.
            if not as_of:
                raise
            reply = self._read("slurm", "nodes/", wire.NodesReply, what=what, as_of=0)
        if reply is None:
            return None
        nodes = sorted((node.to_model() for node in reply.nodes), key=lambda node: node.name)
        return Listing(items=tuple(nodes), as_of=reply.last_update.value() or 0)

    def node(self, name: NodeName) -> SlurmNode:
        """Return one node."""
        what = f"read node {checked_name(name, 'node')}"
        reply = self._get("slurm", f"node/{name}", wire.NodesReply, what=what, lookup=True)
        return _only(reply.nodes, what).to_model()

    def drain(self, name: NodeName, reason: str) -> None:
        """Set the drain flag."""
        self._update_node(name, "DRAIN", f"drain node {name}", reason)

    def resume(self, name: NodeName) -> None:
        """Lift drain and down."""
        self._update_node(name, "RESUME", f"resume node {name}")

    def set_down(self, name: NodeName, reason: str) -> None:
        """Set the node DOWN at once."""
        self._update_node(name, "DOWN", f"set node {name} down", reason)

    def delete_node(self, name: NodeName) -> None:
        """Delete a dynamic node's record."""
        what = f"delete node {checked_name(name, 'node')}"
        self._call("DELETE", "slurm", f"node/{name}", wire.Written, what=what)

    def partitions(self) -> tuple[Partition, ...]:
        """Return every partition, sorted by name."""
        what = "list partitions"
        reply = self._get("slurm", "partitions/", wire.PartitionsReply, what=what)
        found = (partition.to_model() for partition in reply.partitions)
        return tuple(sorted(found, key=lambda partition: partition.name))

    def jobs(self) -> tuple[Job, ...]:
        """Return the jobs that slurmctld remembers, sorted by id."""
        return _listed(self.jobs_since(0), "list jobs").items

    def jobs_since(self, as_of: int) -> Listing[Job] | None:
        """Return every job if any changed at or after `as_of`, else None."""
        reply = self._read("slurm", "jobs/", wire.JobsReply, what="list jobs", as_of=as_of)
        # 24.11 answers 200 with an empty list and a warning where nodes are answered with 304.
        if reply is None or any(
            str(entry.get("description")).startswith("No job changes since")
            for entry in reply.warnings
        ):
            return None
        jobs = sorted((job.to_model() for job in reply.jobs), key=lambda job: job.job_id)
        return Listing(items=tuple(jobs), as_of=reply.last_update.value() or 0)

    def job(self, job_id: JobId) -> Job:
        """Return a job that slurmctld remembers."""
        what = f"read job {job_id}"
        reply = self._get("slurm", f"job/{int(job_id)}", wire.JobsReply, what=what, lookup=True)
        # The number of an array brings the records of its tasks too.
        own = [job for job in reply.jobs if job.job_id == job_id]
        return _only(own or reply.jobs[:1], what).to_model()

    def submit(self, submission: JobSubmission) -> JobId:
        """Submit a batch job as the token's user."""
        what = f"submit job {clip(submission.name, 60)}"
        body = wire.submission_body(submission)
        try:
            reply = self._call(
                "POST", "slurm", "job/submit", wire.SubmitReply, what=what, body=body
            )
        except NotFound as exc:
            # A node that the job asks for does not exist: the request is what is wrong.
            raise Rejected(exc.message, system=SYSTEM, hint=exc.hint) from exc
        return JobId(reply.job_id)

    def cancel(self, job_id: JobId) -> None:
        """End a job."""
        what = f"cancel job {job_id}"
        reply = self._call("DELETE", "slurm", f"job/{int(job_id)}", wire.KillReply, what=what)
        for status in reply.status:
            code = status.error.code
            if code not in (0, codes.ALREADY_DONE):
                raise codes.error_class(code)(
                    f"{what}: {clip(status.error.string)} (Slurm error {code})", system=SYSTEM
                )

    # --- slurmdbd ------------------------------------------------------------------------------

    def accounts(self) -> tuple[Account, ...]:
        """Return every account, sorted by name."""
        what = "list accounts"
        reply = self._get("slurmdb", "accounts/", wire_accounting.AccountsReply, what=what)
        found = (account.to_model() for account in reply.accounts)
        return tuple(sorted(found, key=lambda account: account.name))

    def users(self) -> tuple[SlurmUser, ...]:
        """Return every user, sorted by name."""
        # The flag must stand without a value: 24.11 refuses "true" and then leaves default
        # accounts empty.
        what = "list users"
        reply = self._get("slurmdb", "users/?with_assocs", wire_accounting.UsersReply, what=what)
        return tuple(sorted((user.to_model() for user in reply.users), key=lambda user: user.name))

    def user(self, name: UserName) -> SlurmUser:
        """Return one user."""
        what = f"read user {checked_name(name, 'user')}"
        reply = self._get(
            "slurmdb", f"user/{name}?with_assocs", wire_accounting.UsersReply, what=what
        )
        if not reply.users:
            # slurmdbd has no other way to say so.
            raise NotFound(f"{what}: there is none of that name", system=SYSTEM)
        return _only(reply.users, what).to_model()

    def associations(self) -> tuple[Association, ...]:
        """Return every association, sorted."""
        what = "list associations"
        reply = self._get("slurmdb", "associations/", wire_accounting.AssociationsReply, what=what)
        return tuple(sorted(association.to_model() for association in reply.associations))

    def put_account(self, account: Account) -> None:
        """Make an account and its association on this cluster exist, under the root account."""
        what = f"create account {checked_name(account.name, 'account')}"
        condition = {"accounts": [account.name.lower()], "clusters": [self._cluster_name()]}
        described = {"description": account.description, "organization": account.organization}
        body = {"association_condition": condition, "account": described}
        self._write("accounts_association/", body, what)
        self._require_association(
            Association(cluster=self._cluster_name(), account=account.name), what
        )

    def put_user(self, user: SlurmUser) -> None:
        """Make a user exist with this default account and level."""
        what = f"create user {checked_name(user.name, 'user')}"
        wanted: dict[str, object] = {
            "name": user.name,
            "administrator_level": [user.admin_level.value],
        }
        if user.default_account is not None:
            account = checked_name(user.default_account, "account").lower()
            condition = {
                "accounts": [account],
                "clusters": [self._cluster_name()],
                "users": [user.name],
            }
            settings = {"adminlevel": [user.admin_level.value], "defaultaccount": account}
            body = {"association_condition": condition, "user": settings}
            self._write("users_association/", body, what)
            self._require_association(
                Association(
                    cluster=self._cluster_name(), account=user.default_account, user=user.name
                ),
                what,
            )
            wanted["default"] = {"account": account}
        # Sets what the request above leaves alone when the user exists already.
        self._write("users/", {"users": [wanted]}, what)

    def put_association(self, association: Association) -> None:
        """Make a user's association exist."""
        account = checked_name(association.account, "account").lower()
        user = checked_name(association.user, "user")
        what = f"associate user {user} with account {account}"
        # Not POST associations/: that makes a dangling record for a user who does not exist.
        condition = {
            "accounts": [account],
            "clusters": [association.cluster],
            "users": [user],
        }
        if association.partition:
            # An empty list here would make 24.11 add nothing.
            condition["partitions"] = [association.partition]
        self._write("users_association/", {"association_condition": condition, "user": {}}, what)
        self._require_association(association, what)

    def history(self, job_id: JobId) -> tuple[Job, ...]:
        """Return what slurmdbd knows about a job, oldest first."""
        what = f"read job {job_id} from the accounting"
        reply = self._get("slurmdb", f"job/{int(job_id)}", wire_accounting.HistoryReply, what=what)
        if not reply.jobs:
            raise NotFound(f"{what}: slurmdbd has no such job", system=SYSTEM)
        found = (job.to_model() for job in reply.jobs)
        return tuple(sorted(found, key=lambda job: (job.submit_time or 0, job.job_id)))

    # --- plumbing ------------------------------------------------------------------------------

    def _update_node(
        self, name: NodeName, state: str, what: str, reason: str | None = None
    ) -> None:
        body: dict[str, object] = {"state": [state]}
        if reason is not None:
            body["reason"] = checked_reason(reason, what)
        path = f"node/{checked_name(name, 'node')}"
        self._call("POST", "slurm", path, wire.Written, what=what, body=body)

    def _cluster_name(self) -> ClusterName:
        if self._cluster is None:
            self._cluster = self.ping().cluster
        return self._cluster

    def _require_association(self, wanted: Association, what: str) -> None:
        for found in self.associations():
            if found.account.lower() == wanted.account.lower() and (
                found.cluster,
                found.user,
                found.partition,
            ) == (wanted.cluster, wanted.user, wanted.partition):
                return
        raise Rejected(
            f"{what}: Slurm took the request but made no association",
            system=SYSTEM,
            hint="check that the account, the user and the cluster exist: sacctmgr show assoc",
        )

    def _path(self, service: str, path: str) -> str:
        return f"/{service}/v{self.data_parser()}/{quote(path, safe='/?_=&.-')}"

    def _read(self, service: str, path: str, answer: type[T], *, what: str, as_of: int) -> T | None:
        params = {"update_time": str(as_of)} if as_of else None
        return self._transport.call(
            "GET", self._path(service, path), answer, what=what, params=params
        )

    def _get(
        self, service: str, path: str, answer: type[T], *, what: str, lookup: bool = False
    ) -> T:
        reply = self._transport.call(
            "GET", self._path(service, path), answer, what=what, lookup=lookup
        )
        return _listed(reply, what)

    def _call(
        self,
        method: str,
        service: str,
        path: str,
        answer: type[T],
        *,
        what: str,
        body: object = None,
    ) -> T:
        reply = self._transport.call(
            method, self._path(service, path), answer, what=what, body=body
        )
        return _listed(reply, what)

    def _write(self, path: str, body: object, what: str) -> None:
        """Change slurmdbd; "nothing changed" is fine, the caller reads back."""
        self._transport.call(
            "POST", self._path("slurmdb", path), wire.Written, what=what, body=body
        )


def _listed(reply: T | None, what: str) -> T:
    if reply is None:
        raise UnexpectedReply(f"{what}: HTTP 304 to an unconditional request", system=SYSTEM)
    return reply


def _only(found: list[T], what: str) -> T:
    """Return the one that was asked for.

    slurmctld says with an error that it has none; an empty list without one is no answer.
    """
    if len(found) != 1:
        raise UnexpectedReply(f"{what}: asked for one, got {len(found)}", system=SYSTEM)
    return found[0]
