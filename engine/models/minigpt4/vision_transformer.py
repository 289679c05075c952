"""EVA's ViT-g (Fang et al. 2022, arXiv 2211.07636), as BLIP-2 and MiniGPT-4 use it: a picture's patches, each seen beside all others.

Plain pre-norm blocks with exact GELU and one learned position for each patch; queries and values have a bias, keys' is stored as zeros.
In files the parts have the names of BLIP-2's repository.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from engine.models.minigpt4.config import VisionSizes
from engine.models.received_attention import received_attention
from engine.models.stored_names import use_stored_names


class VisionAttention(nn.Module):
    """Multi-head self-attention; one matrix makes queries, keys and values."""

    def __init__(self, sizes: VisionSizes) -> None:
        super().__init__()
        self.heads = sizes.num_attention_heads
        self.qkv = nn.Linear(sizes.hidden_size, 3 * sizes.hidden_size)
        self.projection = nn.Linear(sizes.hidden_size, sizes.hidden_size)

    def forward(self, x: Tensor, received: list[Tensor] | None = None) -> Tensor:
        """[pictures, tokens, width] → the same shape. `received`, if given, gets `received_attention`, which the fused one doesn't keep."""
        pictures, tokens, width = x.shape
        query, key, value = self.qkv(x).view(pictures, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        if received is not None:
            received.append(received_attention(query, key, query.shape[-1] ** -0.5))
        mixed = scaled_dot_product_attention(query, key, value)  # [pictures, heads, tokens, width of a head]
        projected: Tensor = self.projection(mixed.transpose(1, 2).reshape(pictures, tokens, width))
        return projected


class VisionMLP(nn.Module):
    def __init__(self, sizes: VisionSizes) -> None:
        super().__init__()
        self.fc1 = nn.Linear(sizes.hidden_size, sizes.intermediate_size)
        self.fc2 = nn.Linear(sizes.intermediate_size, sizes.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        narrowed: Tensor = self.fc2(gelu(self.fc1(x)))
        return narrowed


class VisionBlock(nn.Module):
    """Attention, then an MLP, each behind a norm and added to what came in."""

    def __init__(self, sizes: VisionSizes) -> None:
        super().__init__()
        self.self_attn = VisionAttention(sizes)
        self.layer_norm1 = nn.LayerNorm(sizes.hidden_size, eps=sizes.layer_norm_eps)
        self.mlp = VisionMLP(sizes)
        self.layer_norm2 = nn.LayerNorm(sizes.hidden_size, eps=sizes.layer_norm_eps)

    def forward(self, x: Tensor, received: list[Tensor] | None = None) -> Tensor:
        x = self.self_attn(self.layer_norm1(x), received) + x
        thought: Tensor = self.mlp(self.layer_norm2(x)) + x
        return thought


class VisionTransformer(nn.Module):
    """Pixels → features of every patch. The last norm is BLIP-2's `ln_vision`."""

    def __init__(self, sizes: VisionSizes) -> None:
        super().__init__()
        self.class_embedding = nn.Parameter(torch.zeros(1, 1, sizes.hidden_size))
        self.position_embedding = nn.Parameter(torch.zeros(1, sizes.tokens, sizes.hidden_size))
        self.patch_embedding = nn.Conv2d(3, sizes.hidden_size, kernel_size=sizes.patch_size, stride=sizes.patch_size)
        self.layers = nn.ModuleList(VisionBlock(sizes) for _ in range(sizes.num_hidden_layers))
        self.post_layernorm = nn.LayerNorm(sizes.hidden_size, eps=sizes.ln_vision_eps)
        embeddings = ("class_embedding", "position_embedding", "patch_embedding")
        use_stored_names(self, {"layers": "encoder.layers"} | {name: f"embeddings.{name}" for name in embeddings})

    def embed(self, pixels: Tensor) -> Tensor:
        """[pictures, 3, 224, 224], normalised → what the first layer reads, [pictures, 257, 1408]: CLS, then the patches row by row."""
        patches = self.patch_embedding(pixels).flatten(2).transpose(1, 2)  # [pictures, 256, 1408]
        return torch.cat((self.class_embedding.expand(len(pixels), -1, -1), patches), dim=1) + self.position_embedding

    def forward(self, pixels: Tensor) -> Tensor:
        """[pictures, 3, 224, 224], normalised → [pictures, 257, 1408]."""
        x = self.embed(pixels)
        for layer in self.layers:
            x = layer(x)
        features: Tensor = self.post_layernorm(x)
        return features
