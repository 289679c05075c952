"""What every GPU attention kernel takes and gives: one new token a row, over keys and values that lie in blocks."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from torch import Tensor


class HeadTransform(NamedTuple):
    """What is done to a new token's query and key: a bias, which values get too, a norm of each head, then they are rotated."""

    positions: Tensor  # int32 [rows]: where the new token stands, by which it is rotated
    frequencies: Tensor  # fp32 [head_dim / 2]
    bias: Tensor | None = None  # [(heads + 2 · kv_heads) · head_dim]
    query_gain: Tensor | None = None  # [head_dim], of RMSNorm
    key_gain: Tensor | None = None  # [head_dim]
    eps: float = 0.0


class AttentionInputs(NamedTuple):
    """One layer's attention in a decode step. A row is an answer or beam that is being written; its new token is not cached yet."""

    query: Tensor  # [rows, heads, head_dim]
    key: Tensor  # [rows, kv_heads, head_dim], of the new tokens
    value: Tensor  # [rows, kv_heads, head_dim]
    keys: Tensor  # [blocks, tokens a block, kv_heads, head_dim]: the layer's cache, which is written to
    values: Tensor  # [blocks, tokens a block, kv_heads, head_dim]
    tables: Tensor  # int32 [rows, most blocks]: numbers of each row's blocks, the new token's among them
    lengths: Tensor  # int32 [rows]: cached tokens, which is the new token's place
    transform: HeadTransform | None = None  # what is done to query, key and value first; None = it is done already


class AttentionKernel(Protocol):
    """Writes the new tokens' keys and values into the cache, then attends to all tokens of each row, the new one among them."""

    def __call__(self, inputs: AttentionInputs) -> Tensor:
        """→ [rows, heads, head_dim]."""
        ...
