"""What the sampler is told of one row, for one token. No torch."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

from engine.models.card import Generation

MASK_64 = (1 << 64) - 1


@dataclass(frozen=True)
class SamplingParams:
    """How one row's next token is to be chosen. `slot` is the row's place in the batch."""

    slot: int
    generation: Generation
    ends_barred: bool = False  # no EOS may come: the answer is shorter than `min_tokens` yet
    bias: tuple[tuple[int, float], ...] = ()  # token ids and what is added to their scores
    allowed: bytes | None = None  # which tokens may come, as `engine.grammar.Matcher` says; None = all
    key: int = 0  # the draw's random numbers: `stream_key` of seed, choice and position


def stream_key(seed: int, words: Iterable[int]) -> int:
    """A signed 64-bit number, another one for every seed and every sequence of integers: where a stream of random numbers begins."""
    text = array("q", words).tobytes()
    return int.from_bytes(hashlib.blake2b(text, key=(seed & MASK_64).to_bytes(8, "little"), digest_size=8).digest(), "little", signed=True)
