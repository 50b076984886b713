"""What lies in a folder of checkpoints, what is wrong there, and what may go.

`look` reads; `findings` and `clean_up` decide, and are pure; `apply` does, and wants the lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from sunk_jobs.checkpoint import lock, reading, writing
from sunk_jobs.checkpoint.errors import Locked
from sunk_jobs.checkpoint.files import Files, remove_tree
from sunk_jobs.checkpoint.lock import Holder
from sunk_jobs.checkpoint.manifest import LATEST, LOCK, Kind, Manifest, draft_of, kind_of, step_name
from sunk_jobs.checkpoint.reading import Damage
from sunk_jobs.checkpoint.retention import Retention, superseded


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What lies in a folder of checkpoints.

    Attributes:
        names: everything in it, sorted.
        checkpoints: each step, newest first: its manifest, or why it is not whole.
        latest: where the link leads; None when there is none.
        holder: who has the folder; None when nobody has, or `lock_problem` says why not known.
        lock_problem: why the lock cannot be read.
    """

    names: tuple[str, ...]
    checkpoints: Mapping[int, Manifest | Damage]
    latest: str | None = None
    holder: Holder | None = None
    lock_problem: str | None = None

    @property
    def newest_whole(self) -> int | None:
        """The step of the newest whole checkpoint."""
        whole = (at for at, one in self.checkpoints.items() if isinstance(one, Manifest))
        return next(whole, None)


class Act(Enum):
    """What to do with a name in the folder."""

    SET_ASIDE = "set aside"
    DELETE = "delete"
    POINT = "point to"


@dataclass(frozen=True, kw_only=True)
class Action:
    """One thing to do.

    Attributes:
        act: what.
        name: with which name in the folder.
        reason: why.
        target: where `latest` is to lead.
    """

    act: Act
    name: str
    reason: str
    target: str = ""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        name: in the folder.
        problem: what is wrong with it.
        certain: False: it could not be read, which may pass.
        mend: what mends it; None: a person must look.
    """

    name: str
    problem: str
    certain: bool = True
    mend: Action | None = None


def look(files: Files, folder: Path, *, digests: bool, only: int | None = None) -> Survey:
    """Read a folder of checkpoints.

    Args:
        files: the file operations.
        folder: which one.
        digests: read every byte of every shard; else only lengths.
        only: look at no other step; None: at all.

    Raises:
        OSError: it cannot be listed.
    """
    names = files.names(folder)
    steps = reading.steps_in(files, folder)
    holder, problem = None, None
    try:
        holder = lock.holder_of(files, folder)
    except (Locked, OSError) as exc:
        problem = str(exc)
    return Survey(
        names=tuple(names),
        checkpoints={
            step: reading.intact_manifest(files, folder, step, digests=digests)
            for step in steps
            if only in {None, step}
        },
        latest=_leads_to(files, folder / LATEST),
        holder=holder,
        lock_problem=problem,
    )


def findings(survey: Survey) -> list[Finding]:
    """Return what is wrong, by name; pure. Drafts and trash are not: see `clean_up`."""
    found = [_damage(one) for one in survey.checkpoints.values() if isinstance(one, Damage)]
    if survey.newest_whole is not None:
        wanted = step_name(survey.newest_whole)
        if survey.latest != wanted:
            problem = f"leads to {survey.latest or 'nothing'}, and {wanted} is the newest whole one"
            mend = Action(act=Act.POINT, name=LATEST, reason=problem, target=wanted)
            found.append(Finding(name=LATEST, problem=problem, mend=mend))
    if survey.lock_problem is not None:
        found.append(Finding(name=LOCK, problem=survey.lock_problem))
    return sorted(found, key=lambda one: one.name)


def clean_up(
    survey: Survey, rule: Retention | None = None, *, ours: bool, damaged: bool = False
) -> list[Action]:
    """Return what may be deleted, by name; pure.

    Args:
        survey: what lies there.
        rule: which checkpoints to keep; None: all.
        ours: we hold the lock, so whatever is being written is dead. Else the drafts of the lock's
            holder stay, and everything does that a take-over may need.
        damaged: also what was set aside.
    """
    why = {Kind.TRASH: "was being deleted", Kind.DRAFT: "was never committed"}
    free = ours or (survey.holder is None and survey.lock_problem is None)
    if free:
        why[Kind.LEFTOVER] = "was left behind"
    if damaged:
        why[Kind.DAMAGED] = "was set aside as damaged"
    chosen = {
        name: why[kind_of(name)]
        for name in survey.names
        if kind_of(name) in why and (free or not _may_live(name, survey))
    }
    if rule is not None:
        whole = {at: isinstance(one, Manifest) for at, one in survey.checkpoints.items()}
        chosen |= {step_name(step): "is superseded" for step in superseded(whole, rule)}
    return [
        Action(act=Act.DELETE, name=name, reason=reason) for name, reason in sorted(chosen.items())
    ]


def apply(files: Files, folder: Path, actions: Iterable[Action], nonce: str) -> None:
    """Do what was decided; the caller holds the lock.

    Raises:
        OSError: the file system refused; what was done until then stays done.
    """
    for one in actions:
        if one.act is Act.SET_ASIDE:
            writing.set_aside(files, folder, one.name, nonce)
        elif one.act is Act.POINT:
            writing.point_latest(files, folder, one.target, nonce)
        elif kind_of(one.name) is Kind.STEP:
            writing.retire(files, folder, [one.name], nonce)
        else:
            remove_tree(files, folder / one.name)


def _damage(one: Damage) -> Finding:
    name = step_name(one.step)
    mend = Action(act=Act.SET_ASIDE, name=name, reason=one.reason) if one.certain else None
    return Finding(name=name, problem=one.reason, certain=one.certain, mend=mend)


def _may_live(name: str, survey: Survey) -> bool:
    """Say whether somebody may be at work on a name: the holder of the lock, or who knows."""
    if survey.holder is None:
        return True
    draft, holder = draft_of(name), survey.holder
    if draft is None:
        return kind_of(name) is Kind.TRASH
    return (draft.job_id, draft.attempt) == (holder.job_id, holder.attempt)


def _leads_to(files: Files, path: Path) -> str | None:
    try:
        return files.read_link(path)
    except OSError:
        return None
