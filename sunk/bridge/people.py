"""Users and accounts of a Slurm cluster: settled once, and again whenever they change."""

from __future__ import annotations

from sunk.bridge.observe import SlurmOf
from sunk.clients.slurm.accounts import apply_accounts, observe_accounts
from sunk.errors import RemoteError
from sunk.model.cluster import SlurmCluster, User
from sunk.model.storage import ExternalDatabase
from sunk.plan.accounts import plan_accounts

RETRY_SECONDS = 2.0
"""slurmdbd registers its cluster a moment after slurmctld connects; until then it refuses."""
AGAIN_SECONDS = 300.0
"""What somebody removed by hand is made again after at most this long."""


class People:
    """Makes accounts, users and associations as described; removes none."""

    def __init__(self) -> None:
        self._done_for: tuple[tuple[User, ...], ExternalDatabase | None] | None = None
        self._at = float("-inf")
        self._why_not = "users and accounts were not looked at yet"

    def settle(self, cluster: SlurmCluster | None, slurm: SlurmOf, now: float) -> str:
        """Return why users and accounts are not as described yet, or nothing.

        Args:
            cluster: the description; None leaves everything as it is.
            slurm: gives the client.
            now: seconds of a clock that never goes back.
        """
        if cluster is None:
            return ""
        wanted = (cluster.users, cluster.database.external)  # another database knows nobody
        settled = self._done_for == wanted and not self._why_not
        if now - self._at < (AGAIN_SECONDS if settled else RETRY_SECONDS):
            return self._why_not
        self._at = now
        try:
            client = slurm()
            observed = observe_accounts(client)
            apply_accounts(client, plan_accounts(cluster.users, observed))
        except RemoteError as exc:
            self._why_not = exc.message
            return self._why_not
        self._done_for = wanted
        self._why_not = "" if observed.complete else "slurmdbd's answer is not complete"
        return self._why_not
