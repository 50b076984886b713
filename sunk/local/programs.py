"""A cluster's own hold on its programs: the cache may forget what a running cluster still needs."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
from pathlib import Path

from sunk.local.software.gather import KubePrograms


def keep_programs(folder: Path, programs: KubePrograms) -> KubePrograms:
    """Return the programs as hard links in `folder` (copies on another file system).

    Names stay: the multi-call program goes by the name that it is called by.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = {
        field.name: _keep(folder, getattr(programs, field.name))
        for field in dataclasses.fields(programs)
        if field.name != "version"
    }
    return KubePrograms(version=programs.version, **kept)


def _keep(folder: Path, program: Path) -> Path:
    source, target = program.resolve(), folder / program.name
    if target.exists() and target.samefile(source):
        return target
    draft = folder / f".{program.name}.draft"
    draft.unlink(missing_ok=True)
    try:
        os.link(source, draft)
    except OSError as exc:
        if exc.errno != errno.EXDEV:
            raise
        shutil.copy2(source, draft)
    # A rename, because a running program's file cannot be written to.
    draft.rename(target)
    return target
