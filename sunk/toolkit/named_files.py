"""Files that a job's parameters name: looked for before the job is submitted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sunk.toolkit.parameters import JobParameters, PlacedParameters
from sunk.toolkit.parameters.many import DataPreparationParameters
from sunk.toolkit.parameters.serving import VllmParameters


def missing_files(parameters: JobParameters) -> Iterator[str]:
    """Yield a remark on each named file that is not on this machine; nodes may well have it.

    Only absolute paths are looked for: others begin where the job runs.
    """
    for field, name in _named(parameters):
        if name.startswith("/") and not Path(name).exists():
            yield f"{field}: {name} is not on this machine; the nodes need it"


def _named(parameters: JobParameters) -> Iterator[tuple[str, str]]:
    if isinstance(parameters, PlacedParameters):
        if parameters.container_image is not None:
            yield "containerImage", parameters.container_image
        for mount in parameters.container_mounts:
            yield "containerMounts", mount.partition(":")[0]
    if isinstance(parameters, VllmParameters) and parameters.api_key_file is not None:
        yield "apiKeyFile", parameters.api_key_file
    if isinstance(parameters, DataPreparationParameters):
        for one in parameters.inputs:
            yield "inputs", one
