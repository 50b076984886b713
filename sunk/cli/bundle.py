"""``sunk bundle``: all that an install needs, for sites without a way out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli.lazy import Later
from sunk.cli.options import CacheOption, local_settings
from sunk.cli.output import Form, OutputOption, show
from sunk.cli.progress import reporting

if TYPE_CHECKING:
    from sunk.wiring import bundle as wiring
else:
    wiring = Later("sunk.wiring.bundle")

app = typer.Typer(rich_markup_mode="markdown", add_completion=False)


@app.command()
def bundle(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The archive to write: sunk.tar.")],
    output: OutputOption = Form.TABLE,
    cache_dir: CacheOption = None,
) -> None:
    """Write one tar archive with all that a site without a way out needs for an install.

    In it: container images, the Helm chart with the custom resource definitions, Python wheels of
    `sunk` and what it imports, job templates, SHA256SUMS, and INSTALL.md, which says what to type.
    The same sources give the same bytes. Builds what is missing first, as `sunk local software`
    does; takes a few minutes then, and some seconds later.

    Touches: Debian packages (apt-get), the cache, FILE.

    Exit codes: 0 written; 3 this machine lacks something; 4 a download or build failed.

    For example:

    - `sunk bundle sunk.tar`
    - `sunk bundle sunk.tar --output json`
    """
    with reporting() as reporter:
        made = wiring.write(file, local_settings(None, cache_dir), reporter)
    show(made, output)
