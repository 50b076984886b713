"""Words, times and sizes as people write them in job files."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import StringConstraints

# sbatch(1): "Acceptable time formats"; hours, minutes and seconds below their carry.
_TIME = re.compile(r"(?:\d{1,4}-\d{1,2}(?::[0-5]\d){0,2}|\d{1,6}(?::[0-5]\d){0,2}|UNLIMITED)")
_CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"

_WORD = r"^[A-Za-z0-9_][A-Za-z0-9_.+:@-]*$"
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
_DURATION = f"^{_TIME.pattern}$"
_MEMORY = r"^\d{1,9}[KMGT]?$"
_AFTER = r"after(?:any|ok|notok|corr)?(?::\d+(?:_\d+)?(?:\+\d+)?)+"
_DEPENDENCY = rf"^(?:singleton|(?:{_AFTER})(?:[,?]{_AFTER})*)$"
_SIZE = r"^[1-9]\d{0,8}[KMG]?$"
_IMAGE = r"^(?:/[^\x00]{1,1023}|.{1,400}@sha256:[0-9a-f]{64})$"
_MOUNT = rf"^/[^:,{_CONTROL}]{{0,1023}}:/[^:,{_CONTROL}]{{0,1023}}(?::r[ow])?$"

Word = Annotated[str, StringConstraints(pattern=_WORD, max_length=64)]
"""A name in Slurm: job, partition, account, QOS."""
VariableName = Annotated[str, StringConstraints(pattern=_VARIABLE)]
Duration = Annotated[str, StringConstraints(pattern=_DURATION)]
Memory = Annotated[str, StringConstraints(pattern=_MEMORY)]
Dependency = Annotated[str, StringConstraints(pattern=_DEPENDENCY, max_length=1000)]
"""``--dependency`` of sbatch."""
Size = Annotated[str, StringConstraints(pattern=_SIZE)]
"""Bytes as nccl-tests take them."""
ImageFile = Annotated[str, StringConstraints(pattern=_IMAGE)]
"""A container image that cannot change: a file, or a name with a digest."""
Mount = Annotated[str, StringConstraints(pattern=_MOUNT)]
"""``SOURCE:TARGET`` or ``SOURCE:TARGET:ro``, as pyxis and apptainer take it."""

SPOKEN = {
    _WORD: "a word: letters, digits and _ . + : @ -, the first a letter, a digit or _",
    _VARIABLE: "a name: letters, digits and _, the first no digit",
    _DURATION: "a time: minutes, MM:SS, HH:MM:SS, D-HH, D-HH:MM, D-HH:MM:SS or UNLIMITED",
    _MEMORY: "an amount of memory: a whole number of MiB, or one with K, M, G or T",
    _DEPENDENCY: "a dependency: singleton, or afterok, afterany, afternotok, aftercorr or after "
    "with numbers of jobs, as afterok:17:18",
    _SIZE: "a number of bytes, or one with K, M or G",
    _IMAGE: "an image: the path of a file, or NAME@sha256:DIGEST",
    _MOUNT: "a mount: SOURCE:TARGET or SOURCE:TARGET:ro, both from the root",
}
"""What a text of each of these forms is, for people."""
