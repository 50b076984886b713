"""What a login node has: Slurm through its own commands."""

from __future__ import annotations

import os

from sunk.clients.slurm.cli_texts import SlurmTexts
from sunk.clients.slurm.commands import SlurmCommands
from sunk.clients.slurm.runners import ProcessRunner
from sunk.clients.slurm.site import SiteText, read_site
from sunk.render.profile_detect import SlurmSays
from sunk.render.slurm_texts import read_configuration
from sunk.render.snapshot import AccountingSays


def slurm_commands() -> SlurmCommands:
    """Return Slurm through this machine's own commands."""
    return SlurmCommands(environment=lambda: tuple(os.environ))


def slurm_texts() -> SlurmTexts:
    """Return Slurm's texts through this machine's own commands."""
    variables = {name: os.environ[name] for name in ("SLURM_CONF",) if name in os.environ}
    return SlurmTexts(ProcessRunner(), variables=variables)


def slurm_says() -> SlurmSays:
    """Return slurmctld's texts, read now."""
    texts = slurm_texts()
    return SlurmSays(
        configuration=texts.configuration(),
        partitions=texts.partitions(),
        topology=texts.topology(),
        nodes=texts.nodes(),
    )


def accounting_says() -> AccountingSays:
    """Return slurmdbd's texts, read now."""
    texts = slurm_texts()
    return AccountingSays(qos=texts.qos(), associations=texts.associations(), users=texts.users())


def cluster_name() -> str:
    """Return ClusterName of the Slurm at hand.

    Raises:
        RemoteError: the controller does not answer.
        InputError: its answer is not what it should be.
    """
    said = slurm_texts().configuration()
    return read_configuration(said, source="scontrol show config")["ClusterName"]


def site_text() -> SiteText:
    """Return what this machine's Slurm commands say of the cluster.

    Raises:
        RemoteError: the controller does not answer.
        EnvironmentFault: this machine has no Slurm commands.
    """
    return read_site(ProcessRunner())
