"""The pocket model's bridge: a small Q-Former (Li et al. 2023, BLIP-2) and a projection into the language model's embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, normalize, scaled_dot_product_attention

from engine.models.base import shares_of
from engine.models.pocket.efficientnet import HEAD_CHANNELS, ImageFeatures
from engine.models.pocket.scene import FEATURE_CELLS, SceneMaps
from engine.models.pocket.scene import WIDTH as SCENE_WIDTH

QUERIES = 24
WIDTH = 256
LAYERS = 3
HEADS = 4
HEAD_CELLS = 49
CONCEPTS = 8  # of EfficientNet's classes, as embeddings of their names


class QFormerAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.out = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.key_value = nn.Linear(WIDTH, 2 * WIDTH)

    def forward(self, x: Tensor, memory: Tensor, maps: list[Tensor] | None = None) -> Tensor:
        """`maps`, if given, gets the attention weights [batch, heads, queries, tokens], which the fused attention doesn't keep."""
        rows = x.shape[0]
        query = self.query(x).view(rows, -1, HEADS, WIDTH // HEADS).transpose(1, 2)
        key, value = self.key_value(memory).view(rows, -1, 2 * HEADS, WIDTH // HEADS).transpose(1, 2).chunk(2, dim=1)
        if maps is not None:
            maps.append((query @ key.transpose(2, 3) * query.shape[-1] ** -0.5).softmax(-1))
        mixed: Tensor = self.out(scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(rows, -1, WIDTH))
        return mixed

    def lengths(self, memory: Tensor) -> Tensor:
        """How long what each token of `memory` would add is, at full attention, [batch, heads, tokens]."""
        value = self.key_value(memory).unflatten(-1, (2 * HEADS, -1))[:, :, HEADS:]
        brought: Tensor = torch.einsum("bthd,ohd->bhto", value, self.out.weight.unflatten(1, (HEADS, -1)))
        lengths: Tensor = torch.linalg.vector_norm(brought, dim=-1)
        return lengths


class QFormerLayer(nn.Module):
    """Queries look at each other, then at the picture, then think."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(3))
        self.self_attention, self.cross_attention = QFormerAttention(), QFormerAttention()
        self.widen, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor, memory: Tensor, maps: list[Tensor] | None = None) -> Tensor:
        """`maps` gets those of the cross-attention."""
        y = self.norms[0](x)
        x = x + self.self_attention(y, y)
        x = x + self.cross_attention(self.norms[1](x), memory, maps)
        thought: Tensor = self.narrow(gelu(self.widen(self.norms[2](x))))
        return x + thought


class QFormer(nn.Module):
    """Features and concepts of a picture → soft tokens [batch, 24, language width] on the scale of its embeddings."""

    def __init__(self, language_width: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(1, QUERIES, WIDTH) * 0.3)
        self.places = nn.Parameter(torch.randn(1, FEATURE_CELLS * FEATURE_CELLS + HEAD_CELLS, WIDTH) * 0.02)
        self.from_scene = nn.Linear(SCENE_WIDTH, WIDTH)
        self.from_head = nn.Linear(HEAD_CHANNELS, WIDTH)
        self.from_concept = nn.Linear(language_width + 1, WIDTH)
        self.memory_norm = nn.LayerNorm(WIDTH)
        self.layers = nn.ModuleList(QFormerLayer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.projection = nn.Linear(WIDTH, language_width)
        self.length = nn.Parameter(torch.ones(1))  # of a soft token; training starts it at the length of the language model's embeddings

    def forward(self, image_features: ImageFeatures, maps: SceneMaps, concepts: Tensor, attention: list[Tensor] | None = None) -> Tensor:
        """`concepts` [batch, 8, language width + 1]: unit embeddings of EfficientNet's likeliest classes, then their probability.

        `attention`, if given, gets each layer's cross-attention [batch, heads, 24, 14·14 cells, 7·7 head cells and 8 concepts].
        """
        return self.project(self.looked(self.memory(image_features, maps, concepts), attention))

    def looked(self, memory: Tensor, attention: list[Tensor] | None = None) -> Tensor:
        """What the queries know after all layers, [batch, 24, width]; `attention` as in `forward`."""
        x = self.queries.expand(len(memory), -1, -1)
        for layer in self.layers:
            x = layer(x, memory, attention)
        normed: Tensor = self.norm(x)
        return normed

    def project(self, known: Tensor) -> Tensor:
        """[batch, 24, width] → soft tokens."""
        return normalize(self.projection(known), dim=-1) * self.length

    def memory(self, image_features: ImageFeatures, maps: SceneMaps, concepts: Tensor) -> Tensor:
        """What the queries read, [batch, 14·14 cells, 7·7 head cells and 8 concepts, width]; the parameters of `forward`."""
        return self.memory_of(maps.features, image_features.head, concepts)

    def memory_of(self, scene: Tensor, head: Tensor, concepts: Tensor) -> Tensor:
        """`memory` of the three tensors that it takes of a picture."""
        cells = torch.cat((self.from_scene(scene.flatten(2).transpose(1, 2)), self.from_head(head.flatten(2).transpose(1, 2))), dim=1)
        normed: Tensor = self.memory_norm(torch.cat((cells + self.places, self.from_concept(concepts)), dim=1))
        return normed

    def taken(self, memory: Tensor, attention: Sequence[Tensor]) -> Tensor:
        """See `engine.models.base.PictureMaps`: of the `attention` that `forward` gave for this memory, [batch, 24, memory's tokens]."""
        looks = [layer.cross_attention for layer in self.layers if isinstance(layer, QFormerLayer)]
        each = [(weights * look.lengths(memory)[:, :, None]).sum(1) for weights, look in zip(attention, looks, strict=True)]
        return shares_of(torch.stack(each).sum(0))


def on_cells(attention: Tensor) -> Tensor:
    """Attention to all that the queries read [queries, 14·14 + 7·7 + 8] → to the 14 × 14 cells alone, [queries, 14 · 14].

    The 7 × 7 cells of EfficientNet's last layer each see nearly the whole picture: a look at one is none at its place.
    """
    return attention[:, : FEATURE_CELLS * FEATURE_CELLS]
