"""Words, times and sizes as people write them in job files."""

from __future__ import annotations

import re
from typing import Annotated, get_args

from pydantic import StringConstraints

# sbatch(1): "Acceptable time formats"; hours, minutes and seconds below their carry.
_TIME = re.compile(r"(?:\d{1,4}-\d{1,2}(?::[0-5]\d){0,2}|\d{1,6}(?::[0-5]\d){0,2}|UNLIMITED)")
_CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+:@-]*$", max_length=64)]
"""A name in Slurm: job, partition, account, QOS."""
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Duration = Annotated[str, StringConstraints(pattern="^" + _TIME.pattern + "$")]
Memory = Annotated[str, StringConstraints(pattern=r"^\d{1,9}[KMGT]?$")]
Dependency = Annotated[
    str,
    StringConstraints(
        pattern=r"^(?:singleton|(?:after(?:any|ok|notok|corr)?(?::\d+(?:_\d+)?(?:\+\d+)?)+)"
        r"(?:[,?]after(?:any|ok|notok|corr)?(?::\d+(?:_\d+)?(?:\+\d+)?)+)*)$",
        max_length=1000,
    ),
]
"""``--dependency`` of sbatch."""
Size = Annotated[str, StringConstraints(pattern=r"^[1-9]\d{0,8}[KMG]?$")]
"""Bytes as nccl-tests take them."""
ImageFile = Annotated[
    str, StringConstraints(pattern=r"^(?:/[^\x00]{1,1023}|.{1,400}@sha256:[0-9a-f]{64})$")
]
"""A container image that cannot change: a file, or a name with a digest."""
Mount = Annotated[
    str,
    StringConstraints(
        pattern=rf"^/[^:,{_CONTROL}]{{0,1023}}:/[^:,{_CONTROL}]{{0,1023}}(?::r[ow])?$"
    ),
]
"""``SOURCE:TARGET`` or ``SOURCE:TARGET:ro``, as pyxis and apptainer take it."""
Mask = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{1,8}$")]
"""Bits of a number, as nccl-tests take them."""
NoOption = Annotated[str, StringConstraints(pattern=r"^[^\x00-]")]
"""A word that no program takes for one of its options."""
AbsolutePath = Annotated[str, StringConstraints(pattern=r"^/[^\x00]{1,1023}$")]

IN_WORDS = {
    Word: "a name of letters, digits and _ . + : @ -, beginning with a letter, a digit or _",
    VariableName: "a name of letters, digits and _, not beginning with a digit",
    Duration: "minutes, MM:SS, HH:MM:SS, D-HH, D-HH:MM, D-HH:MM:SS or UNLIMITED",
    Memory: "a whole number of MiB, or one with suffix K, M, G or T",
    Dependency: "singleton, or after, afterany, afterok, afternotok or aftercorr and the numbers of"
    " jobs, such as afterany:17:18",
    Size: "a whole number of bytes, or one with suffix K, M or G",
    ImageFile: "the absolute path of an image, or a name with its digest: NAME@sha256:...",
    Mount: "SOURCE:TARGET or SOURCE:TARGET:ro, absolute paths without comma and colon",
    Mask: "0x and up to eight hexadecimal digits",
    NoOption: "a text that does not begin with -",
    AbsolutePath: "an absolute path",
}
"""What each kind takes, for errors: nobody reads a regular expression for help."""


def in_words(pattern: str) -> str | None:
    """Return what texts of a pattern are, in words; None for one that is no kind's."""
    return next((words for kind, words in IN_WORDS.items() if _pattern(kind) == pattern), None)


def _pattern(kind: object) -> object:
    (constraints,) = get_args(kind)[1:]
    return constraints.pattern
