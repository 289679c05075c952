"""The KV cache: keys and values of all sequences in blocks of memory, and attention over them in plain torch.

The memory is set aside once and never grows; a CPU gives it as blocks are first written to. Which block belongs to whom is
`engine.kv_cache.block_pool`'s matter.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from engine.device.async_copy import upload
from engine.device.devices import main_memory
from engine.kv_cache.block_pool import BLOCK
from engine.models.llama.config import LlamaConfig
from engine.models.llama.llama import Llama

SCRATCH = 1  # blocks at the pool's beginning that belong to nobody: rows that only fill up a batch write there


@dataclass(frozen=True)
class LayerShard:
    """The layers `first` … `last`-1, which lie on one device, and their part of the cache.

    `keys` and `values` are [layers, blocks, BLOCK, kv_heads, head_dim]; keys are stored rotated.
    """

    first: int
    last: int
    keys: Tensor
    values: Tensor

    @property
    def device(self) -> torch.device:
        return self.keys.device

    def copy(self, sources: Tensor, targets: Tensor) -> None:
        """Copies blocks `sources` [n] to blocks `targets` [n], in every layer."""
        for pool in (self.keys, self.values):
            pool.index_copy_(1, targets, pool.index_select(1, sources))

    def clear(self, blocks: Tensor) -> None:
        for pool in (self.keys, self.values):
            pool.index_fill_(1, blocks, 0)


class KVCache:
    """`blocks` blocks for every layer of `language`, each on its layer's device."""

    def __init__(self, language: Llama, blocks: int) -> None:
        self.shards: list[LayerShard] = []
        first, config = 0, language.config
        for count in language.shard_sizes:
            like = next(language.model.layers[first].parameters())
            shape = (count, blocks + SCRATCH, BLOCK, config.num_key_value_heads, config.head_dim)
            keys, values = (zeros(shape, language.dtype, like.device) for _ in range(2))
            self.shards.append(LayerShard(first, first + count, keys, values))
            first += count

    def of(self, layer: int) -> tuple[Tensor, Tensor]:
        """This layer's keys and values, [blocks, BLOCK, kv_heads, head_dim] each."""
        shard = next(shard for shard in self.shards if shard.first <= layer < shard.last)
        return shard.keys[layer - shard.first], shard.values[layer - shard.first]

    def copy(self, pairs: Sequence[tuple[int, int]]) -> None:
        """For each (from, to): copies the first block to the second. No block is on both sides."""
        if pairs:
            for shard in self.shards:
                shard.copy(*upload(torch.tensor(pairs), shard.device).unbind(1))

    def clear(self, blocks: Sequence[int]) -> None:
        """Zeroes these blocks: attention multiplies what lies behind a row's end by 0, and 0 · NaN would be NaN."""
        for shard in self.shards:
            shard.clear(upload(torch.tensor(blocks, dtype=torch.long), shard.device))


def zeros(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """As torch's; on a CPU the system gives each page when it is first written to, where torch's would take all at once.

    Raises torch.OutOfMemoryError, on a CPU for more than is free: later the system would end the process.
    """
    if device.type != "cpu":
        return torch.zeros(shape, dtype=dtype, device=device)
    size, free = math.prod(shape) * dtype.itemsize, main_memory()
    if free is not None and size > free:
        raise torch.OutOfMemoryError(f"The KV cache wants {size / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free.")
    pages = mmap.mmap(-1, size, access=mmap.ACCESS_COPY)  # the process's own, whole pages
    return torch.frombuffer(pages, dtype=dtype).view(shape)


def token_bytes(config: LlamaConfig, dtype: torch.dtype) -> int:
    """Bytes of one token's key and value in one layer."""
    return 2 * config.num_key_value_heads * config.head_dim * dtype.itemsize


def block_bytes(config: LlamaConfig, dtype: torch.dtype) -> int:
    """Bytes of one block over all layers."""
    return BLOCK * config.num_hidden_layers * token_bytes(config, dtype)


def attend_masked(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """Attention of `query` [rows, heads, new, head_dim] over [rows, kv_heads, tokens, head_dim]; `mask` is [rows or 1, 1, new, tokens].

    The queries that share a key stand where a sequence would: so no key is copied for them, and kernels that keep no scores can take it.
    """
    rows, heads, new, head_dim = query.shape
    sharing = heads // keys.shape[1]
    grouped = query.reshape(rows, keys.shape[1], sharing * new, head_dim)
    mixed = scaled_dot_product_attention(grouped, keys, values, attn_mask=mask if new == 1 else mask.repeat(1, 1, sharing, 1))
    return mixed.reshape(rows, heads, new, head_dim)


class PromptView:
    """Attention for one pass over chunks of prompts that stand one after another in one row; see `engine.models.llama.llama.Cache`."""

    def __init__(self, cache: KVCache, parts: Sequence[tuple[Sequence[int], int, int]]) -> None:
        """`parts` are (table, start, end): tokens `start` … `end`-1 of a sequence, and the blocks of all its tokens up to `end`."""
        self.cache = cache
        self.starts = [start for _, start, _ in parts]
        self.ends = [end for _, _, end in parts]
        self.borders = [0, *torch.tensor([end - start for _, start, end in parts]).cumsum(0).tolist()]
        self.places = [places(table, end) for table, _, end in parts]  # [end] each: where in the pool each token lies

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        keys, values = (pool.flatten(0, 1) for pool in self.cache.of(layer))  # [places, kv_heads, head_dim]
        mixed = []
        for (left, right), start, end, where in zip(pairwise(self.borders), self.starts, self.ends, self.at(keys.device), strict=True):
            new = where[start:]
            keys[new], values[new] = key[0, :, left:right].transpose(0, 1), value[0, :, left:right].transpose(0, 1)
            all_keys, all_values = (pool[where].transpose(0, 1)[None] for pool in (keys, values))
            part = query[:, :, left:right]
            if start:
                mask = torch.ones(1, 1, end - start, end, dtype=torch.bool, device=keys.device).tril(start)
                mixed.append(attend_masked(part, all_keys, all_values, mask))
            else:
                mixed.append(scaled_dot_product_attention(part, all_keys, all_values, is_causal=True, enable_gqa=True))
        return torch.cat(mixed, dim=2)

    def at(self, device: torch.device) -> list[Tensor]:
        if self.places[0].device != device:
            self.places = [where.to(device) for where in self.places]
        return self.places


def places(table: Sequence[int], end: int) -> Tensor:
    blocks = torch.tensor(table[: -(-end // BLOCK)])
    return (blocks[:, None] * BLOCK + torch.arange(BLOCK)).flatten()[:end]


def filled_up(table: Sequence[int], width: int) -> list[int]:
    """`table` padded to `width` blocks with its own last one: others' blocks may hold NaN, which no mask removes, see `KVCache.clear`."""
    return [*table, *[table[-1]] * (width - len(table))]


class StepView:
    """Attention for one new token a row, in plain torch: every row reads as many blocks as the longest one has."""

    def __init__(self, shard: LayerShard, tables: Tensor, lengths: Tensor) -> None:
        """`tables` [rows, blocks] and `lengths` [rows] (tokens before the new one) lie on the shard's device."""
        self.shard, self.tables = shard, tables
        self.places = tables.gather(1, (lengths // BLOCK)[:, None].long())[:, 0] * BLOCK + lengths % BLOCK  # of the new token
        seen = torch.arange(tables.shape[1] * BLOCK, device=tables.device) <= lengths[:, None]
        self.mask = seen[:, None, None]  # [rows, 1, 1, tokens]

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        keys, values = self.shard.keys[layer - self.shard.first], self.shard.values[layer - self.shard.first]
        keys.flatten(0, 1)[self.places], values.flatten(0, 1)[self.places] = key[:, :, 0], value[:, :, 0]
        all_keys, all_values = (
            pool[self.tables].flatten(1, 2).transpose(1, 2) for pool in (keys, values)
        )  # [rows, kv_heads, tokens, head_dim]
        return attend_masked(query, all_keys, all_values, self.mask)
