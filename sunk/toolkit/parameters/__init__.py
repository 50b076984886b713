"""What each job template takes: typed, with units, limits and their sources."""

from sunk.toolkit.parameters.base import (
    JobParameters,
    NodeParameters,
    PlacedParameters,
    SavingParameters,
)
from sunk.toolkit.parameters.kinds import Duration, Memory, VariableName, Word
from sunk.toolkit.parameters.reading import validated

__all__ = [
    "Duration",
    "JobParameters",
    "Memory",
    "NodeParameters",
    "PlacedParameters",
    "SavingParameters",
    "VariableName",
    "Word",
    "validated",
]
