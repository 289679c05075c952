"""Computes a language model's attention in the open: what the fast kernels never keep, for the few rows that somebody wants to see.

It stands where a cache stands (`engine.models.llama.llama.Cache`), so that the model's own layers, adapters and quantised products
are explained as they are, and the fast path knows nothing of it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

ROWS_AT_ONCE = 64  # whose scores exist together: [heads, rows, tokens] in fp32


class AttentionRecorder:
    """Attends causally over one whole sequence and keeps the weights of its last `rows` tokens, as the mean over heads.

    `layer`: that layer's alone; None: the mean over all layers.
    """

    def __init__(self, rows: int, layer: int | None = None) -> None:
        self.rows, self.layer = rows, layer
        self.layers = 0
        self.total: Tensor | None = None  # [rows, tokens], fp32

    @property
    def weights(self) -> Tensor:
        """[rows, tokens]: each row sums to 1. Raises ValueError before a layer was recorded."""
        if self.total is None:
            raise ValueError("no layer was recorded")
        return self.total / self.layers

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """See `Cache.attend`; one row of the batch, the whole sequence at once."""
        if self.layer in (None, layer):
            found = self._weights(query[0], key[0])
            self.total = found if self.total is None else self.total.to(found.device) + found
            self.layers += 1
        return scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)

    def _weights(self, query: Tensor, key: Tensor) -> Tensor:
        """query [heads, tokens, head_dim], key [kv_heads, tokens, head_dim] → the mean over heads [rows, tokens]."""
        heads, tokens, width = query.shape
        keys = key.float().repeat_interleave(heads // len(key), dim=0).transpose(1, 2)
        places = torch.arange(tokens, device=query.device)
        parts = []
        for rows in places[tokens - self.rows :].split(ROWS_AT_ONCE):
            scores = query[:, rows].float() @ keys * width**-0.5
            scores.masked_fill_(places > rows[:, None], -torch.inf)
            parts.append(scores.softmax(-1).mean(0))
        return torch.cat(parts)
