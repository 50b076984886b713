"""Call functions in jobs and wait for what they return."""

from sunk.toolkit.executor.executor import CallExecutor
from sunk.toolkit.executor.future import Future

__all__ = ["CallExecutor", "Future"]
