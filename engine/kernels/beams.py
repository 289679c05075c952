"""What kernels take between two decode steps of a beam search: one ranks tokens, one lets beams go on from one another."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from torch import Tensor

from engine.kv_cache.cache import LayerShard


class BeamState(NamedTuple):
    """What every slot of a runner keeps on the device, for all slots."""

    tables: Tensor  # int32 [slots, most blocks]
    last: Tensor  # int64 [slots]: last tokens


class BeamKernels(Protocol):
    """Kernels for one search, all of whose layers are on one device."""

    def rank(self, logits: Tensor, is_end: Tensor | None, count: int) -> Tensor:
        """The `count` likeliest tokens of each beam, best first, by its `logits` [beams, vocabulary] in fp32; none of `is_end`
        [vocabulary] if that is given. → fp32 [2, beams, count]: their log-probabilities, and their ids.
        """
        ...

    def most_ranked(self) -> int:
        """The largest vocabulary that `rank` takes."""
        ...

    def move(self, state: BeamState, shard: LayerShard, slots: Tensor, moves: Tensor, at: int) -> None:
        """`slots` int64 [beams]; `moves` int64 [3 · beams + 2 · n]: each beam's token, the beam whose table it takes over, and the block
        that this table has from index `at` on; then blocks that are copied, n that are read and n that are written."""
        ...
