"""Helper processes that need a concrete client: ``python -m sunk.wiring serve-volumes …``."""

from __future__ import annotations

import sys
from pathlib import Path

from sunk.errors import SunkError
from sunk.local import volumes
from sunk.local.diary import Diary
from sunk.wiring import clients


def main(words: list[str]) -> None:
    """Run one helper until it is killed."""
    match words:
        case ["serve-volumes", kubeconfig, folder, sign]:
            kube = clients.connect_kube(Path(kubeconfig))
            volumes.serve(kube, Path(folder), Diary(sys.stderr), Path(sign).touch)
        case _:
            raise SystemExit("usage: python -m sunk.wiring serve-volumes KUBECONFIG FOLDER SIGN")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SunkError as error:
        sys.exit(error.message)
