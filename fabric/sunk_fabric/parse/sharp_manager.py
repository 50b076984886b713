"""systemctl is-active sharp_am: whether the aggregation manager runs on a host."""

from __future__ import annotations

from sunk_fabric.parse.text import Content, Parsed, Reader

STATES = frozenset(
    {"active", "reloading", "inactive", "failed", "activating", "deactivating", "unknown"}
)


def parse(content: Content) -> Parsed[str]:
    """Return the state of the service; anything but one of systemd's words is damage."""
    reader = Reader(content)
    found: list[str] = []
    for line in reader:
        if line.strip() in STATES:
            found.append(line.strip())
        else:
            reader.unknown(line)
    if len(found) != 1:
        reader.damaged(f"{len(found)} lines tell a state")
    return reader.outcome(found[0] if found else "")
