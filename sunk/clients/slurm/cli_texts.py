"""What Slurm's commands print for people, asked for whole and kept as text.

`scontrol show topology` and `scontrol show config` have no JSON in 24.11. What the texts mean is
the business of `sunk.render`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sunk.clients.slurm.cli_command import TIMEOUT_SECONDS, Commands
from sunk.clients.slurm.runners import Runner
from sunk.clients.slurm.transport import log_warning

QOS_COLUMNS = (
    *("Name", "MaxWall", "MaxTRES", "MaxTRESPU", "MaxSubmitPU", "GrpTRES", "MinTRES"),
    "Flags",
)
ASSOCIATION_COLUMNS = (
    *("Cluster", "Account", "User", "Partition", "QOS", "DefaultQOS", "MaxWall", "MaxTRES"),
    *("MaxSubmit", "GrpTRES", "ParentName"),
)


class SlurmTexts:
    """Reads texts as the user that the commands run as.

    Args:
        runner: where the commands run.
        variables: set for every command: SLURM_CONF where it is not the default. Nothing else of
            the environment reaches them: SLURM_TOPO_LEN would cut every line.
        timeout_seconds: time limit of each command.
        on_warning: told about every warning.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        variables: Mapping[str, str] | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        on_warning: Callable[[str], None] = log_warning,
    ) -> None:
        self._commands = Commands(
            runner,
            variables=variables or {},
            timeout_seconds=timeout_seconds,
            on_warning=on_warning,
        )

    def topology(self) -> str:
        """Return what ``scontrol show topology`` prints."""
        return self._commands.run(("scontrol", "show", "topology"), what="read the topology")

    def configuration(self) -> str:
        """Return what ``scontrol show config`` prints."""
        return self._commands.run(("scontrol", "show", "config"), what="read the configuration")

    def partitions(self) -> str:
        """Return what ``scontrol --all --oneliner show partition`` prints."""
        words = ("scontrol", "--all", "--oneliner", "show", "partition")
        return self._commands.run(words, what="read the partitions")

    def nodes(self) -> str:
        """Return what ``scontrol --all --oneliner show node`` prints."""
        words = ("scontrol", "--all", "--oneliner", "show", "node")
        return self._commands.run(words, what="read the nodes")

    def sbatch_help(self) -> str:
        """Return what ``sbatch --help`` prints: the options that this release knows."""
        return self._commands.run(("sbatch", "--help"), what="read sbatch's options")

    def qos(self) -> str:
        """Return the limits of every QOS, in the columns of `QOS_COLUMNS`."""
        return self._accounting("qos", QOS_COLUMNS, "read the QOS")

    def associations(self) -> str:
        """Return the limits of every association, in the columns of `ASSOCIATION_COLUMNS`."""
        return self._accounting("associations", ASSOCIATION_COLUMNS, "read the associations")

    def users(self) -> str:
        """Return the default account of every user."""
        return self._accounting("users", ("User", "DefaultAccount"), "read the users")

    def _accounting(self, what: str, columns: tuple[str, ...], doing: str) -> str:
        # Parsable, and with the header: its order is the proof of which column is which.
        words = ("sacctmgr", "--parsable2", "show", what, f"format={','.join(columns)}")
        return self._commands.run(words, what=doing)
