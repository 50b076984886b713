"""``sunk local software``: what local clusters need, installed, built or downloaded."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli.lazy import Later
from sunk.cli.options import CacheOption, local_settings
from sunk.cli.output import Form, OutputOption, show
from sunk.cli.progress import reporting

if TYPE_CHECKING:
    from sunk.local.software.gather import Software as LocalSoftware
    from sunk.wiring import local as wiring
else:
    wiring = Later("sunk.wiring.local")


class Software(StrEnum):
    """What `sunk local software` can make beside what every local cluster needs."""

    FABRIC = "fabric"
    RAY = "ray"
    TORCH = "torch"


def software(
    what: Annotated[
        list[Software] | None,
        typer.Argument(
            metavar="[WHAT]...",
            help="`torch`: the torch environment too (2.3 GB to download, 5.2 GB on disk); `ray`: "
            "the Ray environment too (80 MB, 270 MB); "
            "`fabric`: tools and simulator of InfiniBand fabrics, which no cluster needs (150 MB).",
        ),
    ] = None,
    output: OutputOption = Form.TABLE,
    cache_dir: CacheOption = None,
) -> None:
    """Install, build or download everything the local cluster needs, and say where it lies.

    The first step of `sunk local up`, alone: minutes the first time, then about a second. Starts
    no cluster. With `torch` or `ray` it also makes the Python environment that such programs of
    jobs run in, for the images' Python; clusters do without until it is there. `fabric`, when
    nothing else is asked for, makes nothing of the cluster's: a root file system with ibsim, opensm
    and infiniband-diags, to try `sunk fabric` without hardware.

    Touches: Debian packages (apt-get) and the cache.

    Exit codes: 0 all there; 2 no such thing to make; 3 this machine lacks something; 4 a download
    or build failed.

    For example:

    - `sunk local software`
    - `sunk local software torch`
    - `sunk local software ray`
    - `sunk local software fabric`
    """
    settings = local_settings(None, cache_dir)
    rows: list[dict[str, str]] = []
    with reporting() as reporter:
        if what != [Software.FABRIC]:
            found = wiring.ensure_software(settings, reporter)
            rows += _software_rows(found)
            for name in sorted(wiring.ENVIRONMENTS.keys() & set(what or ())):
                made = wiring.ensure_environment(
                    settings, wiring.ENVIRONMENTS[name], found, reporter
                )
                rows.append({"name": name, "version": made.version, "path": str(made.folder)})
        if what and Software.FABRIC in what:
            tools = wiring.ensure_fabric_tools(settings, reporter)
            rows.append({"name": "fabric", "version": tools.version, "path": str(tools.rootfs)})
    show(rows, output, ("name", "version", "path"))


def _software_rows(found: LocalSoftware) -> list[dict[str, str]]:
    return [
        {"name": "kubernetes", "version": found.kube.version, "path": str(found.kube.apiserver)},
        {"name": "coredns", "version": "", "path": str(found.coredns)},
        {"name": "helm", "version": "", "path": str(found.helm)},
        *({"name": i.name, "version": i.digest, "path": str(i.layout)} for i in found.images),
    ]
