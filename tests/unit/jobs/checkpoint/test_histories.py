"""Any history of saves, faults, damage, loads and clean-ups keeps the last durable state."""

from __future__ import annotations

import errno
import itertools
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sunk_jobs.checkpoint import Files, Options, Retention, SaveFailed, Store
from sunk_jobs.checkpoint.manifest import step_name
from sunk_jobs.checkpoint.reading import steps_in
from sunk_jobs.checkpoint.survey import apply, clean_up, findings, look
from tests.support.checkpoint_runs import on_ranks, state
from tests.support.examples import examples

RANKS = 2
CODES = (errno.ENOSPC, errno.EIO, errno.EDQUOT)


class Failing(Files):
    """Fails from the N-th change on: a full disk stays full."""

    def __init__(self, after: int, code: int) -> None:
        self.left = after
        self.code = code
        self.begun = False

    def _may(self) -> None:
        self.left -= self.begun
        if self.left < 0:
            raise OSError(self.code, "made to fail")

    def make_folder(self, path):
        self._may()
        super().make_folder(path)

    def write(self, descriptor, data):
        self._may()
        return super().write(descriptor, data)

    def sync(self, descriptor):
        self._may()

    def sync_folder(self, path):
        self._may()

    def rename(self, old, new):
        self._may()
        super().rename(old, new)


class Histories(RuleBasedStateMachine):
    """A run of two ranks, attempt after attempt."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="sunk-histories-"))
        self.folder = self.root / "ckpt"
        self.folder.mkdir()
        self.attempt = itertools.count()
        self.names = itertools.count()
        self.step = 0
        self.damaged: set[int] = set()
        self.durable: int | None = None
        """Newest step that a save reported, as long as nobody damaged it."""

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    def whole(self) -> list[int]:
        """What is there and was not damaged, newest first."""
        return [at for at in steps_in(Files(), self.folder) if at not in self.damaged]

    def run(self, act, files: dict[int, Files]):
        """Be one attempt: all its ranks; its lock is left behind, as a killed one's."""
        number = next(self.attempt)

        def rank_of(rank):
            store = Store(
                self.folder,
                group=rank,
                run_id="r",
                job_id="7",
                attempt=number,
                retention=Retention(keep=2, keep_every=5),
                gone=lambda _: True,
                options=Options(files=files.get(rank.rank, Files()), failures_max=10**6),
            )
            return act(store, rank.rank)

        said = on_ranks(RANKS, rank_of)
        for one in said:
            assert not isinstance(one, BaseException), one
        return said

    def save_next(self, *, in_background: bool, files: dict[int, Files]) -> bool:
        self.step += 1
        before = len(self.whole())

        def act(store, rank):
            for one in files.values():
                one.begun = True
            shards = {"state": bytearray(state(self.step, rank))}
            try:
                if in_background:
                    store.save_async(self.step, shards)
                    store.wait()
                else:
                    store.save(self.step, shards)
            except SaveFailed as exc:
                return str(exc)
            return None

        said = self.run(act, files)
        assert said[0] == said[1]
        assert len(self.whole()) >= min(before, 2)
        if said[0] is None:
            self.durable = self.step
        return said[0] is None

    @rule(in_background=st.booleans())
    def save(self, in_background):
        assert self.save_next(in_background=in_background, files={})
        assert self.whole()[0] == self.step

    @rule(
        after=st.integers(0, 12),
        code=st.sampled_from(CODES),
        rank=st.integers(0, RANKS - 1),
        in_background=st.booleans(),
    )
    def save_on_storage_that_fails(self, after, code, rank, in_background):
        self.save_next(in_background=in_background, files={rank: Failing(after, code)})

    @precondition(lambda self: len(self.whole()) > 1)
    @rule(data=st.data())
    def damage_one_but_never_the_last(self, data):
        step = data.draw(st.sampled_from(self.whole()))
        files = sorted((self.folder / step_name(step)).iterdir())
        file = data.draw(st.sampled_from(files))
        raw = bytearray(file.read_bytes())
        at = data.draw(st.integers(0, len(raw) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "remove"])):
            case "flip":
                raw[at] ^= 1 << data.draw(st.integers(0, 7))
                file.write_bytes(raw)
            case "cut":
                file.write_bytes(raw[:at])
            case _:
                file.unlink()
        self.damaged.add(step)
        if step == self.durable:
            self.durable = None

    @rule(keep=st.none() | st.integers(2, 3), mend=st.booleans())
    def clean(self, keep, mend):
        before = self.whole()
        seen = look(Files(), self.folder, digests=True)
        actions = clean_up(seen, keep and Retention(keep=keep), ours=True)
        if mend:
            actions += [one.mend for one in findings(seen) if one.mend is not None]
        apply(Files(), self.folder, actions, f"{next(self.names):x}")
        assert self.whole()[:2] == before[:2]
        if mend:
            assert findings(look(Files(), self.folder, digests=True)) == []

    @invariant()
    def the_newest_whole_one_is_loaded_on_all_ranks_and_nothing_durable_is_lost(self):
        def load(store, rank):
            found = store.load_latest()
            return found and (found.step, found.read("state", rank))

        expected = next(iter(self.whole()), None)
        assert self.durable is None or self.durable in self.whole()
        said = self.run(load, {})
        if expected is None:
            assert said == [None] * RANKS
        else:
            assert said == [(expected, state(expected, rank)) for rank in range(RANKS)]


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=examples(30), stateful_step_count=15)
