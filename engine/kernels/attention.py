"""What every GPU attention kernel takes and gives: one new token a row, over keys and values that lie in blocks."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from torch import Tensor


class AttentionInputs(NamedTuple):
    """One layer's attention in a decode step. A row is an answer or beam that is being written; its new token is not cached yet."""

    query: Tensor  # [rows, heads, head_dim]
    key: Tensor  # [rows, kv_heads, head_dim], of the new tokens
    value: Tensor  # [rows, kv_heads, head_dim]
    keys: Tensor  # [blocks, tokens a block, kv_heads, head_dim]: the layer's cache, which is written to
    values: Tensor  # [blocks, tokens a block, kv_heads, head_dim]
    tables: Tensor  # int32 [rows, most blocks]: numbers of each row's blocks, the new token's among them
    lengths: Tensor  # int32 [rows]: cached tokens, which is the new token's position
    frequencies: Tensor | None = None  # fp32 [head_dim / 2]: rotates query and key by their position; None = they are rotated already


class AttentionKernel(Protocol):
    """Writes the new tokens' keys and values into the cache, then attends to all tokens of each row, the new one among them."""

    def __call__(self, inputs: AttentionInputs) -> Tensor:
        """→ [rows, heads, head_dim]."""
        ...
