"""The decode step of a language model in kernels of our own: five a layer for one row, seven for several.

A step takes as long as reading the weights, keys and values once, if memory is kept busy between kernels too: so each
kernel does as much as it can, and the next has started when it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from engine.kernels.attention import AttentionInputs
from engine.kernels.linear import DeviceKernels, FusedOps, LinearKernels
from engine.kv_cache.cache import LayerShard
from engine.models.llama.llama import Attention, Block, Llama, RMSNorm, frequencies

MOST_ROWS = 64  # of one launch; more go in several


def norm_of(norm: RMSNorm) -> tuple[Tensor, float]:
    return norm.weight, norm.eps


@dataclass(frozen=True)
class LayerWeights:
    """One transformer block's weights as the kernels take them; norms with their epsilon."""

    attention: Attention  # for biases and norms of heads, if it has any
    before_attention: tuple[Tensor, float]
    qkv: Any
    out: Any
    before_mlp: tuple[Tensor, float]
    gate_up: Any
    down: Any

    @classmethod
    def of(cls, block: Block, kernels: LinearKernels) -> LayerWeights:
        attention, mlp = block.self_attn, block.mlp
        qkv, out, down = (kernels.take(linear) for linear in (attention.qkv_proj, attention.o_proj, mlp.down_proj))
        gate_up = kernels.take(mlp.gate_up_proj, gated=True)
        return cls(attention, norm_of(block.input_layernorm), qkv, out, norm_of(block.post_attention_layernorm), gate_up, down)


class GpuStep:
    """See `DecodeStep`. Its methods never synchronise and read no value on the host, so that a CUDA graph can capture them."""

    compact = True

    def __init__(self, language: Llama, kernels_of: Callable[[torch.device], DeviceKernels]) -> None:
        """`language` has no LoRA adapters, and its weights stay where they are."""
        config = language.config
        self.heads, self.kv_heads, self.head_dim = config.num_attention_heads, config.num_key_value_heads, config.head_dim
        blocks = list(cast("Iterable[Block]", language.model.layers))
        devices = {block.input_layernorm.weight.device for block in blocks} | {language.lm_head.weight.device}
        self.kernels = {device: kernels_of(device) for device in devices}
        self.stack = [LayerWeights.of(block, self.kernels[block.input_layernorm.weight.device].linear) for block in blocks]
        self.norm = norm_of(language.model.norm)
        self.head = self.kernels[language.lm_head.weight.device].linear.take(language.lm_head)
        self.frequencies = {device: frequencies(config, device) for device in devices}

    def layers(self, hidden: Tensor, shard: LayerShard, tables: Tensor, lengths: Tensor, lora_scale: Tensor | None) -> Tensor:
        """See `DecodeStep`; the model has no LoRA for `lora_scale` to scale."""
        if len(hidden) > MOST_ROWS:
            parts = zip(*(rows.split(MOST_ROWS) for rows in (hidden, tables, lengths)), strict=True)
            return torch.cat([self.layers(part, shard, part_tables, part_lengths, None) for part, part_tables, part_lengths in parts])
        with torch.cuda.device_of(hidden):
            for layer, keys, values in zip(self.stack[shard.first : shard.last], shard.keys, shard.values, strict=True):
                hidden = self.layer(layer, hidden, keys, values, tables, lengths)
        return hidden

    def layer(self, layer: LayerWeights, hidden: Tensor, keys: Tensor, values: Tensor, tables: Tensor, lengths: Tensor) -> Tensor:
        kernels, frequencies = self.kernels[hidden.device], self.frequencies[hidden.device]
        project = kernels.linear.project
        both, value = layer.attention.by_heads(project(hidden, layer.qkv, FusedOps(norm=layer.before_attention)))
        query, key = both.split((self.heads, self.kv_heads), dim=1)
        mixed = kernels.attend(AttentionInputs(query, key, value, keys, values, tables, lengths, frequencies))
        hidden = project(mixed.flatten(1), layer.out, FusedOps(shortcut=hidden))
        inner = project(hidden, layer.gate_up, FusedOps(norm=layer.before_mlp))
        return project(inner, layer.down, FusedOps(shortcut=hidden))

    def logits(self, hidden: Tensor) -> Tensor:
        """See `DecodeStep`."""
        with torch.cuda.device_of(hidden):
            project, fused = self.kernels[hidden.device].linear.project, FusedOps(norm=self.norm, dtype=torch.float32)
            parts = [project(part, self.head, fused) for part in hidden.split(MOST_ROWS)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)
