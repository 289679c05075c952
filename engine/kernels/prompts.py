"""What GPU kernels take and give that read prompts: chunks of several prompts, packed into one row of tiles, each of one prompt."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from torch import Tensor

from engine.kernels.attention import AttentionInputs
from engine.kernels.linear import FusedOps
from engine.kv_cache.cache import LayerShard

TILE = 16  # tokens; a chunk is padded to whole tiles


class PromptTiles(NamedTuple):
    """Where the tokens of each tile stand: token i of a tile is at place `starts` + i of the blocks of its table."""

    tables: Tensor  # int32 [tiles, most blocks]
    starts: Tensor  # int32 [tiles]
    counts: Tensor  # int32 [tiles]: tokens that are real; the others only fill the tile up
    positions: Tensor | None = None  # int32 [3, tiles · TILE], by which M-RoPE rotates tokens; None = by their places


class PromptKernels(Protocol):
    """Products and attention over packed prompts, on one device."""

    def project(self, x: Tensor, matrix: object, fused: FusedOps) -> Tensor:
        """As `LinearKernels.project`, for any number of rows; `matrix` is what `LinearKernels.take` of the same device made."""
        ...

    def attend(self, inputs: AttentionInputs, tiles: PromptTiles, angles: Tensor) -> Tensor:
        """Rotates queries and keys by `angles` (fp32 [tokens, head_dim / 2]), writes the real tokens' keys and values into the cache, then
        attends causally → [tokens, heads, head_dim].

        `inputs` has tokens for rows; its tables and lengths are the tiles' tables and starts.
        """
        ...


class PromptStep(Protocol):
    """Takes packed prompts through a model's layers."""

    def layers(self, hidden: Tensor, shard: LayerShard, tiles: PromptTiles, deepstack: Tensor | None = None) -> Tensor:
        """Hidden states [tiles · TILE, width] → the same, without the final norm. Keys and values of real tokens are in the cache then.

        `deepstack` [layers, tiles · TILE, width] is added behind the first layers, one each.
        """
        ...
