"""Find the data that ships with the code: `templates/` and `deploy/`.

In a wheel they lie under ``sunk/_data``; in a checkout at the repository's root.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_folder(name: str) -> Path:
    """Return the folder `name` (``templates`` or ``deploy``) of this installation.

    Raises:
        FileNotFoundError: the installation lacks it, which is a packaging bug.
    """
    for candidate in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"data folder {name!r} is not part of this installation of sunk")
