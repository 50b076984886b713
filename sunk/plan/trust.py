"""Whether a list from another system is believed: a fold over readings, without a clock.

A list may be wrong though the answer was fine: a server that was just restarted has not heard of
everybody, one that lost its state has forgotten them, a proxy may answer in its place. Such a
reading is suspect, and is believed only when a second one, some seconds later, agrees with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sunk.model.workers import Trust

_NO_READING = "it was not read yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One attempt to list something.

    Attributes:
        at: when, in seconds of one clock.
        names: what was there; empty when the attempt failed.
        failure: why it failed; empty when it did not.
        run: which run of the server answered, another one after each restart; empty when that is
            not known.
        server_time: the server's own time of what it says, in seconds since the epoch; None when it
            does not say.
    """

    at: float
    names: frozenset[str] = frozenset()
    failure: str = ""
    run: str = ""
    server_time: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What makes a reading suspect or old.

    Attributes:
        oldest_seconds: a reading older than this is not believed.
        agree_seconds: how much later a reading must be that confirms a suspect one.
        lost_share: a list is suddenly short when more than this share of names is gone at once.
        lost_least: and more than this many.
    """

    oldest_seconds: float = 60.0
    agree_seconds: float = 5.0
    lost_share: float = 0.2
    lost_least: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What is believed, and what is in doubt; the state of the fold.

    Attributes:
        believed: the last reading that was believed.
        suspect: the first of the readings that wait to be confirmed.
        failure: why the last attempt failed.
        doubt: why `suspect` is not believed.
    """

    believed: Reading | None = None
    suspect: Reading | None = None
    failure: str = ""
    doubt: str = ""


def learn(before: Belief, reading: Reading, limits: Limits) -> Belief:
    """Return the belief after one more reading."""
    if reading.failure:
        return Belief(
            believed=before.believed,
            suspect=before.suspect,
            failure=reading.failure,
            doubt=before.doubt,
        )
    doubt = _doubt(before.believed, reading, limits)
    if not doubt:
        return Belief(believed=reading)
    suspect = before.suspect
    if suspect is None or not _agree(suspect, reading, limits):
        return Belief(believed=before.believed, suspect=reading, doubt=doubt)
    if reading.at - suspect.at >= limits.agree_seconds:
        return Belief(believed=reading)
    return Belief(believed=before.believed, suspect=suspect, doubt=doubt)


def trust(belief: Belief, now: float, limits: Limits) -> Trust:
    """Return whether what is believed may be acted on."""
    if belief.believed is None:
        first = belief.suspect is not None and not belief.failure
        return Trust(why_not=belief.failure or belief.doubt or _NO_READING, first=first)
    if belief.doubt:
        return Trust(why_not=belief.doubt)
    if belief.failure:
        return Trust(why_not=belief.failure)
    age = now - belief.believed.at
    if age > limits.oldest_seconds:
        return Trust(why_not=f"the last reading is {age:.0f} s old")
    return Trust()


def _doubt(believed: Reading | None, reading: Reading, limits: Limits) -> str:
    if believed is None:
        # The first list of all has nothing to be compared with: one more must agree.
        return "it was read once only"
    if _restarted(believed, reading):
        return "the server was restarted"
    if _earlier(reading, believed):
        return "the server's time went back"
    if believed.names and not reading.names:
        return f"the list is empty all of a sudden, and had {len(believed.names)}"
    lost = len(believed.names - reading.names)
    if lost > limits.lost_least and lost > limits.lost_share * len(believed.names):
        left = len(believed.names) - lost
        return f"of {len(believed.names)} names only {left} are left all of a sudden"
    return ""


def _restarted(before: Reading, after: Reading) -> bool:
    return bool(before.run and after.run) and before.run != after.run


def _earlier(one: Reading, other: Reading) -> bool:
    """Return whether a server says less than what it has said: a restored state, another server."""
    if one.server_time is None or other.server_time is None:
        return False
    return one.server_time < other.server_time


def _agree(first: Reading, second: Reading, limits: Limits) -> bool:
    """Return whether two readings of one server say nearly the same."""
    if _restarted(first, second) or _earlier(second, first):
        return False
    changed = len(first.names ^ second.names)
    return changed <= limits.lost_least or changed <= limits.lost_share * len(first.names)
