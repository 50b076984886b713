"""Where samples come from: a file of token numbers, or made up; each a function of its number."""

from __future__ import annotations

import mmap
import sys
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import torch

from sunk_jobs.training.data_order import mixed, window_of
from sunk_jobs.training.options import TrainOptions

_CODES = {1: "B", 2: "H", 4: "I"}


class TokensError(ValueError):
    """A file that cannot be trained on; the message says why."""


class Tokens(Protocol):
    """Samples of one token more than the context."""

    def sample(self, number: int) -> torch.Tensor:
        """Return a sample, as int64 on the CPU."""


class SyntheticTokens:
    """Arithmetic sequences modulo the vocabulary: what comes next can be learned."""

    def __init__(self, seed: int, length: int, vocabulary: int) -> None:
        self._seed = seed
        self._places = torch.arange(length, dtype=torch.int64)
        self._vocabulary = vocabulary

    def sample(self, number: int) -> torch.Tensor:
        """Return a sequence with a first term and a step of its own."""
        bits = mixed(self._seed, number)
        first, step = bits % self._vocabulary, 1 + (bits >> 32) % 7
        return (first + step * self._places) % self._vocabulary


class MappedTokens:
    """Windows of a file that is mapped, not read: processes of one node share its pages.

    Raises:
        TokensError: the file cannot be read, or is shorter than one sample.
    """

    def __init__(
        self, file: Path, token_bytes: int, length: int, vocabulary: int, seed: int
    ) -> None:
        self._file = file
        try:
            with file.open("rb") as opened:
                self._map = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as exc:  # an empty file cannot be mapped
            raise TokensError(f"read {file}: {exc}") from exc
        self._token_bytes = token_bytes
        self._length = length
        self._vocabulary = vocabulary
        self._seed = seed
        # Neighbours share a token: the last to predict of one is the first given of the next.
        self._windows = (len(self._map) // token_bytes - 1) // (length - 1)
        if self._windows < 1:
            raise TokensError(f"read {file}: it is shorter than one sample of {length} tokens")

    def sample(self, number: int) -> torch.Tensor:
        """Return a window; an epoch has each once, in an order of its own.

        Raises:
            TokensError: a number there is none of the vocabulary.
        """
        window = window_of(number, self._windows, self._seed)
        start = window * (self._length - 1) * self._token_bytes
        numbers = array(_CODES[self._token_bytes])
        numbers.frombytes(self._map[start : start + self._length * self._token_bytes])
        if sys.byteorder == "big":
            numbers.byteswap()
        if (largest := max(numbers)) >= self._vocabulary:
            raise TokensError(
                f"read {self._file}: token {largest} at byte {start} or soon after is not below "
                f"--vocabulary {self._vocabulary}"
            )
        return torch.tensor(numbers.tolist(), dtype=torch.int64)


def tokens_of(options: TrainOptions) -> Tokens:
    """Return the samples that the options name."""
    length, vocabulary = options.shape.context + 1, options.shape.vocabulary
    if options.tokens is None:
        return SyntheticTokens(options.seed, length, vocabulary)
    return MappedTokens(options.tokens, options.token_bytes, length, vocabulary, options.seed)


def batch_of(tokens: Tokens, numbers: Iterable[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs and targets, each (samples, context)."""
    whole = torch.stack([tokens.sample(number) for number in numbers])
    return whole[:, :-1].contiguous(), whole[:, 1:].contiguous()
