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

from engine.kernels.attention import AttentionInputs, HeadTransform
from engine.kernels.beams import BeamKernels
from engine.kernels.decode_step import StepRows
from engine.kernels.linear import DeviceKernels, FusedOps, LinearKernels
from engine.kernels.prompts import PromptStep
from engine.kv_cache.cache import LayerShard
from engine.models.llama.llama import Block, Llama, RMSNorm, frequencies

MOST_ROWS = 64  # of one launch; more go in several


def norm_of(norm: RMSNorm) -> tuple[Tensor, float]:
    return norm.weight, norm.eps


@dataclass(frozen=True)
class LayerWeights:
    """One transformer block's weights as the kernels take them; norms with their epsilon."""

    bias: Tensor | None  # of queries, keys and values
    head_norms: tuple[Tensor, Tensor] | None  # gains of queries and keys
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
        query, key = attention.q_norm, attention.k_norm
        return cls(
            bias=attention.qkv_bias,
            head_norms=(query.weight, key.weight) if query is not None and key is not None else None,
            before_attention=norm_of(block.input_layernorm),
            qkv=qkv,
            out=out,
            before_mlp=norm_of(block.post_attention_layernorm),
            gate_up=gate_up,
            down=down,
        )


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
        self.frequencies, self.eps = {device: frequencies(config, device) for device in devices}, config.rms_norm_eps
        self.prompts: PromptStep | None = None
        self.beams: BeamKernels | None = None
        if all(kernels.prompts for kernels in self.kernels.values()):  # then there is Triton
            from engine.kernels.gpu.beams import TritonBeams
            from engine.kernels.gpu.prompt_step import GpuPrompts

            self.prompts = GpuPrompts(self, config)
            self.beams = TritonBeams() if len(devices) == 1 else None

    def layers(self, hidden: Tensor, shard: LayerShard, rows: StepRows) -> Tensor:
        """See `DecodeStep`; the model has no LoRA to scale."""
        if len(hidden) > MOST_ROWS:
            parts = zip(hidden.split(MOST_ROWS), rows.split(MOST_ROWS), strict=True)
            return torch.cat([self.layers(part, shard, part_rows) for part, part_rows in parts])
        with torch.cuda.device_of(hidden):
            for layer, keys, values in zip(self.stack[shard.first : shard.last], shard.keys, shard.values, strict=True):
                hidden = self.layer(layer, hidden, keys, values, rows)
        return hidden

    def layer(self, layer: LayerWeights, hidden: Tensor, keys: Tensor, values: Tensor, rows: StepRows) -> Tensor:
        kernels = self.kernels[hidden.device]
        project = kernels.linear.project
        heads = project(hidden, layer.qkv, FusedOps(norm=layer.before_attention)).unflatten(-1, (-1, self.head_dim))
        query, key, value = heads.split((self.heads, self.kv_heads, self.kv_heads), dim=1)
        query_gain, key_gain = layer.head_norms or (None, None)
        transform = HeadTransform(rows.positions, self.frequencies[hidden.device], layer.bias, query_gain, key_gain, self.eps)
        mixed = kernels.attend(AttentionInputs(query, key, value, keys, values, rows.tables, rows.lengths, transform))
        hidden = project(mixed.flatten(1), layer.out, FusedOps(shortcut=hidden))
        inner = project(hidden, layer.gate_up, FusedOps(norm=layer.before_mlp))
        return project(inner, layer.down, FusedOps(shortcut=hidden))

    def logits(self, hidden: Tensor) -> Tensor:
        """See `DecodeStep`."""
        with torch.cuda.device_of(hidden):
            project, fused = self.kernels[hidden.device].linear.project, FusedOps(norm=self.norm, dtype=torch.float32)
            parts = [project(part, self.head, fused) for part in hidden.split(MOST_ROWS)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)
