"""The keys and values of the tokens read so far, so that a decode step computes one token and not all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from engine.models.llama_config import LlamaConfig

if TYPE_CHECKING:
    from engine.models.llama import Llama


class KVCache:
    """Contiguous and allocated once: [layers, rows, kv_heads, capacity, head_dim]. All rows have one length."""

    def __init__(self, config: LlamaConfig, rows: int, capacity: int, device: torch.device, dtype: torch.dtype) -> None:
        shape = (config.num_hidden_layers, rows, config.num_key_value_heads, capacity, config.head_dim)
        self.keys = torch.empty(shape, device=device, dtype=dtype)
        self.values = torch.empty(shape, device=device, dtype=dtype)
        self.length = 0  # tokens a row; what lies beyond is undefined

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """See `engine.models.llama.Cache`."""
        new, end = query.shape[2], self.length + query.shape[2]
        self.keys[layer, :, :, self.length : end] = key
        self.values[layer, :, :, self.length : end] = value
        keys, values = self.keys[layer, :, :, :end], self.values[layer, :, :, :end]
        if new == 1:
            return attend_one(query, keys, values)
        causal = torch.ones(new, end, dtype=torch.bool, device=query.device).tril(self.length)
        return scaled_dot_product_attention(query, keys, values, attn_mask=causal, enable_gqa=True)

    def advance(self, new: int) -> None:
        self.length += new

    def select(self, rows: Tensor) -> None:
        """Row i becomes what row `rows[i]` was; `rows` [rows]. Beams fork and die this way."""
        self.keys[..., : self.length, :] = self.keys[:, rows, :, : self.length]
        self.values[..., : self.length, :] = self.values[:, rows, :, : self.length]

    def spread(self, rows: int) -> KVCache:
        """A cache of `rows` copies of this one's only row: one prompt, many continuations. One row is this cache itself."""
        if rows == 1:
            return self
        wide = KVCache.__new__(KVCache)
        wide.keys, wide.values = self.keys.repeat(1, rows, 1, 1, 1), self.values.repeat(1, rows, 1, 1, 1)
        wide.length = self.length
        return wide


def attend_one(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """One new token a row sees all: the queries that share a key stand where a sequence would, so no key is copied."""
    rows, heads, _, head_dim = query.shape
    grouped = query.view(rows, keys.shape[1], heads // keys.shape[1], head_dim)
    return scaled_dot_product_attention(grouped, keys, values).view(rows, heads, 1, head_dim)


class StagedCache:
    """One cache a stage, for a model whose layers lie on several devices."""

    def __init__(self, caches: Sequence[KVCache]) -> None:
        self.caches = caches
        self.places = [(cache, layer) for cache in caches for layer in range(len(cache.keys))]

    @property
    def length(self) -> int:
        return self.caches[0].length

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """See `engine.models.llama.Cache`."""
        cache, own_layer = self.places[layer]
        return cache.attend(own_layer, query, key, value)

    def advance(self, new: int) -> None:
        for cache in self.caches:
            cache.advance(new)

    def select(self, rows: Tensor) -> None:
        for cache in self.caches:
            cache.select(rows.to(cache.keys.device))

    def spread(self, rows: int) -> StagedCache:
        return StagedCache([cache.spread(rows) for cache in self.caches])


def cache_for(language: Llama, rows: int, capacity: int) -> KVCache | StagedCache:
    """`capacity` tokens a row, on each stage's own device."""
    first = 0
    caches: list[KVCache] = []
    for count in language.stages:
        device = next(language.model.layers[first].parameters()).device
        caches.append(KVCache(replace(language.config, num_hidden_layers=count), rows, capacity, device, language.dtype))
        first += count
    return caches[0] if len(caches) == 1 else StagedCache(caches)
