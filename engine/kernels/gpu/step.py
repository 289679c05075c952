"""The decode step of a language model in kernels of our own: five a layer and row, seven where there are several rows.

Bound by memory, a step takes as long as reading the weights once and the rows' keys and values. What remains is to keep
memory busy between kernels; so each does as much as it can, and the next is already there when it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from engine.kv_cache.cache import Stage
from engine.layers.linear import Linear
from engine.models.llama.llama import Attention, Block, Llama, RMSNorm, frequencies

MOST_ROWS = 64  # of a launch; more go in turn


class Kernels(Protocol):
    """Those of one device. A matrix is whatever `take` made of it."""

    def take(self, linear: Linear, gated: bool = False) -> Any:
        """The projection's matrix; `gated` for one of gates and as many values."""
        ...

    def project(
        self,
        x: Tensor,
        matrix: Any,
        norm: tuple[Tensor, float] | None = None,
        shortcut: Tensor | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """[rows, in] → [rows, out]: `norm` (weight, eps) before, SwiGLU where the matrix is gated and `shortcut` after."""
        ...

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        keys: Tensor,
        values: Tensor,
        tables: Tensor,
        lengths: Tensor,
        frequencies: Tensor | None = None,
    ) -> Tensor:
        """See `engine.kernels.gpu.attention.attend`."""
        ...


def norm_of(norm: RMSNorm) -> tuple[Tensor, float]:
    return norm.weight, norm.eps


@dataclass(frozen=True)
class Layer:
    """One block's weights; norms with their epsilon."""

    attention: Attention  # for biases and norms of heads, if it has any
    before_attention: tuple[Tensor, float]
    qkv: Any
    out: Any
    before_mlp: tuple[Tensor, float]
    gate_up: Any
    down: Any

    @classmethod
    def of(cls, block: Block, kernels: Kernels) -> Layer:
        attention, mlp = block.self_attn, block.mlp
        qkv, out, down = (kernels.take(linear) for linear in (attention.qkv_proj, attention.o_proj, mlp.down_proj))
        gate_up = kernels.take(mlp.gate_up_proj, gated=True)
        return cls(attention, norm_of(block.input_layernorm), qkv, out, norm_of(block.post_attention_layernorm), gate_up, down)


class GpuStep:
    """Keeps nothing of a conversation. Its methods wait for nothing and read no value on the host, so a CUDA graph may hold them."""

    compact = True

    def __init__(self, language: Llama, kernels_of: Callable[[torch.device], Kernels]) -> None:
        """`language` has no LoRA adapters, and its weights stay where they are."""
        config = language.config
        self.heads, self.kv_heads, self.head_dim = config.num_attention_heads, config.num_key_value_heads, config.head_dim
        blocks = list(cast("Iterable[Block]", language.model.layers))
        devices = {block.input_layernorm.weight.device for block in blocks} | {language.lm_head.weight.device}
        self.kernels = {device: kernels_of(device) for device in devices}
        self.stack = [Layer.of(block, self.kernels[block.input_layernorm.weight.device]) for block in blocks]
        self.norm, self.head = norm_of(language.model.norm), self.kernels[language.lm_head.weight.device].take(language.lm_head)
        self.frequencies = {device: frequencies(config, device) for device in devices}

    def layers(self, hidden: Tensor, stage: Stage, tables: Tensor, lengths: Tensor, lora_scale: Tensor | None) -> Tensor:
        """See `DecodeStep`; the model has no LoRA for `lora_scale` to scale."""
        if len(hidden) > MOST_ROWS:
            parts = zip(*(rows.split(MOST_ROWS) for rows in (hidden, tables, lengths)), strict=True)
            return torch.cat([self.layers(part, stage, part_tables, part_lengths, None) for part, part_tables, part_lengths in parts])
        with torch.cuda.device_of(hidden):
            for layer, keys, values in zip(self.stack[stage.first : stage.last], stage.keys, stage.values, strict=True):
                hidden = self.layer(layer, hidden, keys, values, tables, lengths)
        return hidden

    def layer(self, layer: Layer, hidden: Tensor, keys: Tensor, values: Tensor, tables: Tensor, lengths: Tensor) -> Tensor:
        kernels, turns = self.kernels[hidden.device], self.frequencies[hidden.device]
        both, value = layer.attention.by_heads(kernels.project(hidden, layer.qkv, norm=layer.before_attention))
        query, key = both.split((self.heads, self.kv_heads), dim=1)
        mixed = kernels.attend(query, key, value, keys, values, tables, lengths, turns)
        hidden = kernels.project(mixed.flatten(1), layer.out, shortcut=hidden)
        opened = kernels.project(hidden, layer.gate_up, norm=layer.before_mlp)
        return kernels.project(opened, layer.down, shortcut=hidden)

    def logits(self, hidden: Tensor) -> Tensor:
        """See `DecodeStep`."""
        with torch.cuda.device_of(hidden):
            kernels = self.kernels[hidden.device]
            parts = [kernels.project(part, self.head, norm=self.norm, dtype=torch.float32) for part in hidden.split(MOST_ROWS)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)
