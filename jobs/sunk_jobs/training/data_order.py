"""Which training samples each rank sees at each step; pure.

A step takes the next `batch` samples, split over the ranks in their order, so that what a step
learns from depends on seed and step alone, and which rank has it on their number too. A run that
resumes goes on exactly where it was; on another number of ranks it still sees the same samples.
"""

from __future__ import annotations

_MASK = (1 << 64) - 1
_ROUNDS = 4


def samples_of(step: int, batch: int, world: int, rank: int) -> range:
    """Return the numbers of the samples of one rank at one step.

    Args:
        step: from 1.
        batch: samples of a step over all ranks; a multiple of `world`.
        world: number of ranks.
        rank: which of them.

    Raises:
        ValueError: the batch cannot be split evenly.
    """
    if batch % world:
        raise ValueError(f"{batch} samples cannot be split over {world} ranks")
    share = batch // world
    first = (step - 1) * batch + rank * share
    return range(first, first + share)


def window_of(sample: int, windows: int, seed: int) -> int:
    """Return which window of a text a sample is: each once in an epoch, in an order of its own.

    Args:
        sample: number of the sample, from 0.
        windows: how many there are.
        seed: of the run.
    """
    epoch, at = divmod(sample, windows)
    return shuffled(at, windows, mixed(seed, epoch))


def shuffled(at: int, count: int, key: int) -> int:
    """Return the place of one of `count` things in a shuffled order, without making the order.

    A Feistel network over the next power of four, walked until it is back in range: a
    permutation, whatever the round function is.
    """
    half = max(1, ((count - 1).bit_length() + 1) // 2)
    low = (1 << half) - 1
    while True:
        left, right = at >> half, at & low
        for number in range(_ROUNDS):
            left, right = right, left ^ (mixed(key, number, right) & low)
        at = left << half | right
        if at < count:
            return at


def mixed(*words: int) -> int:
    """Return 64 bits that depend on every bit of some numbers (the finisher of SplitMix64)."""
    state = 0
    for word in words:
        state = (state ^ (word & _MASK)) + 0x9E3779B97F4A7C15 & _MASK
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        state = (state ^ state >> 27) * 0x94D049BB133111EB & _MASK
        state ^= state >> 31
    return state
