"""Maps of rates for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from sunk.cli.lazy import Later
from sunk.cli.output import say

if TYPE_CHECKING:
    from sunk_fabric.active import heat
    from sunk_fabric.active.heat import HeatMap
else:
    heat = Later("sunk_fabric.active.heat")

HOSTS_MOST = 48
"""A map of more is wider than terminals are; it can be drawn."""
_STYLES = {
    "darkred": "white on dark_red",
    "crimson": "white on red",
    "orangered": "black on dark_orange3",
    "orange": "black on orange1",
    "khaki": "black on khaki1",
    "seagreen": "white on dark_green",
}


def print_map(one: HeatMap) -> None:
    """Print a map on stdout: hundredths of what was to be expected, senders as rows."""
    if len(one.hosts) > HOSTS_MOST:
        say(f"a map of {len(one.hosts)} hosts is too wide for a terminal; draw it with --svg")
        return
    width = max((len(host) for host in one.hosts), default=0)
    console = Console()
    if not console.is_terminal:
        # A pipe has no width: never fold or cut what another program will read.
        console = Console(width=10_000)
    title = f"% of what was to be expected, from row to column {one.rail}".rstrip()
    console.print(Text(title, style="bold"))
    console.print(Text(" " * width + "".join(f"{at:>4}" for at in range(len(one.hosts)))))
    for at, sender in enumerate(one.hosts):
        if at in one.breaks:
            console.print()
        line = Text(f"{sender:<{width}}")
        for receiver in one.hosts:
            line.append_text(_cell(one, sender, receiver))
        console.print(line.append(f" {at}"))


def _cell(one: HeatMap, sender: str, receiver: str) -> Text:
    share = one.shares.get((sender, receiver))
    mark = "!" if (sender, receiver) in one.marked else " "
    if sender == receiver:
        return Text("   -", style="dim")
    if share is not None:
        return Text(f"{mark}{min(share, 9.99) * 100:3.0f}", style=_STYLES[heat.colour(share)])
    tried = (sender, receiver) in one.missing
    return Text(f"{mark}  x", style="black on grey62") if tried else Text("   .", style="dim")
