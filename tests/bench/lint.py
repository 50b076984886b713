"""What linting costs."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sunk.toolkit.lint.engine import lint_bytes
from tests.bench.figure import Figure
from tests.support.lint_rules import SCRIPTS

_COUNT = 1000


def figures() -> Iterator[Figure]:
    """CPU time of many scripts such as people write; reading the files is not in it."""
    texts = [file.read_bytes() for file in SCRIPTS]
    for text in texts:
        lint_bytes("job.sbatch", text)
    start = time.process_time()
    for number in range(_COUNT):
        lint_bytes("job.sbatch", texts[number % len(texts)])
    yield Figure("CPU of linting 1,000 scripts", time.process_time() - start, 5, "s")
