"""BLIP-2's Q-Former (Li et al. 2023, arXiv 2301.12597): 32 learned queries read a picture's features into as many soft tokens.

BERT's post-norm layers with exact GELU. The queries look at each other in every layer, at the picture in every second; of BLIP-2's
two feed-forwards only the queries' is used here. In files the parts have the names of BLIP-2's repository.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from engine.models.base import shares_of
from engine.models.minigpt4.config import QFormerSizes
from engine.models.stored_names import use_stored_names


class QueryAttention(nn.Module):
    """Multi-head attention of the queries to a `memory` of `memory_width` features, added to what came in, then a norm."""

    def __init__(self, sizes: QFormerSizes, memory_width: int) -> None:
        super().__init__()
        self.heads = sizes.num_attention_heads
        self.query = nn.Linear(sizes.hidden_size, sizes.hidden_size)
        self.key = nn.Linear(memory_width, sizes.hidden_size)
        self.value = nn.Linear(memory_width, sizes.hidden_size)
        self.dense = nn.Linear(sizes.hidden_size, sizes.hidden_size)
        self.norm = nn.LayerNorm(sizes.hidden_size, eps=sizes.layer_norm_eps)
        inner = {name: f"attention.{name}" for name in ("query", "key", "value")}
        use_stored_names(self, inner | {"dense": "output.dense", "norm": "output.LayerNorm"})

    def forward(self, x: Tensor, memory: Tensor, maps: list[Tensor] | None = None) -> Tensor:
        """x [pictures, queries, width], memory [pictures, tokens, memory width] → the shape of `x`.

        `maps`, if given, gets the attention weights [pictures, heads, queries, tokens], which the fused attention doesn't keep.
        """
        query, key, value = self._split(self.query(x)), self._split(self.key(memory)), self._split(self.value(memory))
        if maps is None:
            mixed = scaled_dot_product_attention(query, key, value)
        else:
            weights = (query @ key.transpose(2, 3) * query.shape[-1] ** -0.5).softmax(-1)
            maps.append(weights)
            mixed = weights @ value
        attended: Tensor = self.norm(self.dense(mixed.transpose(1, 2).flatten(2)) + x)
        return attended

    def lengths(self, memory: Tensor) -> Tensor:
        """How long what each token of `memory` would add is, at full attention, [pictures, heads, tokens]."""
        brought: Tensor = torch.einsum("phtd,ohd->phto", self._split(self.value(memory)), self.dense.weight.unflatten(1, (self.heads, -1)))
        lengths: Tensor = torch.linalg.vector_norm(brought, dim=-1)
        return lengths

    def _split(self, features: Tensor) -> Tensor:
        """[pictures, tokens, width] → [pictures, heads, tokens, width of a head]."""
        pictures, tokens, width = features.shape
        return features.view(pictures, tokens, self.heads, width // self.heads).transpose(1, 2)


class QueryLayer(nn.Module):
    """Queries look at each other, at the picture if `memory_width` is given, then think."""

    def __init__(self, sizes: QFormerSizes, memory_width: int | None) -> None:
        super().__init__()
        self.attention = QueryAttention(sizes, sizes.hidden_size)
        self.crossattention = None if memory_width is None else QueryAttention(sizes, memory_width)
        self.widen = nn.Linear(sizes.hidden_size, sizes.intermediate_size)
        self.narrow = nn.Linear(sizes.intermediate_size, sizes.hidden_size)
        self.norm = nn.LayerNorm(sizes.hidden_size, eps=sizes.layer_norm_eps)
        use_stored_names(self, {"widen": "intermediate_query.dense", "narrow": "output_query.dense", "norm": "output_query.LayerNorm"})

    def forward(self, x: Tensor, memory: Tensor, maps: list[Tensor] | None = None) -> Tensor:
        """As `QueryAttention.forward`; `maps` gets those of the cross-attention."""
        x = self.attention(x, x)
        if self.crossattention is not None:
            x = self.crossattention(x, memory, maps)
        thought: Tensor = self.norm(self.narrow(gelu(self.widen(x))) + x)
        return thought


class QueryTransformer(nn.Module):
    """Queries and a picture's features → what each query read."""

    def __init__(self, sizes: QFormerSizes, memory_width: int) -> None:
        super().__init__()
        self.layernorm = nn.LayerNorm(sizes.hidden_size, eps=sizes.layer_norm_eps)
        self.layers = nn.ModuleList(
            QueryLayer(sizes, memory_width if index % sizes.cross_attention_frequency == 0 else None)
            for index in range(sizes.num_hidden_layers)
        )
        use_stored_names(self, {"layers": "encoder.layer"})

    def forward(self, queries: Tensor, memory: Tensor, maps: list[Tensor] | None = None) -> Tensor:
        """queries [pictures, 32, 768], memory [pictures, 257, 1408] → [pictures, 32, 768].

        `maps`, if given, gets the weights [pictures, heads, 32, 257] of each cross-attention, the first layer's first.
        """
        x: Tensor = self.layernorm(queries)
        for layer in self.layers:
            x = layer(x, memory, maps)
        return x

    def taken(self, memory: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """See `engine.models.base.PictureMaps`: of the `maps` that `forward` gave for this memory, [pictures, 32, 257]."""
        looks = [layer.crossattention for layer in self.layers if isinstance(layer, QueryLayer)]
        reading = [look for look in looks if look is not None]
        each = [(weights * look.lengths(memory)[:, :, None]).sum(1).float() for weights, look in zip(maps, reading, strict=True)]
        return shares_of(torch.stack(each).sum(0))
