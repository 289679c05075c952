"""A small 4-bit language model for the CPU kernels' tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from engine.device.devices import Abilities
from engine.kernels.cpu.layout import Projection
from engine.kernels.cpu.shapes import HALF_TILE, QUAD, TILE
from engine.layers.int4_cpu import GROUP, pack
from engine.layers.linear import Linear
from engine.layers.quantization import quantize
from engine.layers.quantized import QuantizedLinear
from engine.models.llama.config import LlamaConfig
from engine.models.llama.llama import OWN, Llama
from tests.engine.tiny import CONFIG, tiny_language

ABLE = Abilities(torch.bfloat16, triton=False)
SMALL = replace(
    CONFIG, vocab_size=70, hidden_size=64, intermediate_size=96, head_dim=16, max_position_embeddings=200
)  # no whole tiles of words


def small_language(config: LlamaConfig = SMALL) -> Llama:
    """With two adapters: one on every projection, one on some, of other ranks."""
    language = tiny_language(config=config)
    for name, gain in language.named_parameters():
        if "q_norm" in name or "k_norm" in name:
            gain.data.normal_(1, 0.3, generator=torch.Generator().manual_seed(5))
    head = QuantizedLinear(config.hidden_size, config.vocab_size, "int8")
    codes, scales = quantize(language.lm_head.weight.detach(), "int8")
    head.weight, head.weight_scale = (torch.nn.Parameter(part, requires_grad=False) for part in (codes, scales))
    language.lm_head = head
    pack(language.model)
    language.model.to(torch.bfloat16)
    for adapter in language.add_lora(rank=2, alpha=3.0):
        torch.nn.init.normal_(adapter.b, std=0.2, generator=torch.Generator().manual_seed(1))
    language.adapters = (OWN, "second")
    generator = torch.Generator().manual_seed(6)
    for path, linear in language.model.named_modules():
        if isinstance(linear, Linear) and path.endswith(("qkv_proj", "down_proj")):
            shapes = (3, linear.width_in), (linear.width_out, 3)
            a, b = (torch.empty(shape).normal_(std=0.2, generator=generator) for shape in shapes)
            linear.join_lora(a, b, owner=1)
        if isinstance(linear, Linear) and linear.lora is not None:
            for part in linear.lora.parameters():
                part.data = part.data.bfloat16().float()  # what the step keeps of them
    return language.requires_grad_(False)


def restored(packed: Projection, layer: int) -> Tensor:
    """The matrix [out, in] that a projection's codes stand for."""
    tiles, groups = packed.groups.shape[1:3]
    pairs = packed.groups[layer, :, :, : GROUP * TILE // 2].reshape(tiles, groups, -1, 1, 2, HALF_TILE, QUAD)
    quads = np.concatenate((pairs & 15, pairs >> 4), axis=3)  # [tiles, groups, pairs, quads of a pair, halves, outputs, QUAD]
    codes = quads.transpose(0, 4, 5, 1, 2, 3, 6).reshape(tiles, TILE, groups, GROUP)
    scales = packed.groups[layer, :, :, GROUP * TILE // 2 :].copy().view(np.float16).astype(np.float32)
    step, least = scales.reshape(tiles, groups, 2, TILE).transpose(2, 0, 3, 1)[..., None]
    return torch.from_numpy((codes * step + least).reshape(tiles * TILE, -1))


def rounded(x: Tensor) -> Tensor:
    """What the products' inputs are rounded to: 127 steps up to the largest of 32 neighbours."""
    groups = x.unflatten(-1, (-1, GROUP))
    scale = groups.abs().amax(dim=-1, keepdim=True) / 127
    steps: Tensor = (groups / scale.clamp(min=1e-30)).round()
    x_again: Tensor = (steps * scale).flatten(-2)
    return x_again


class RoundingLinear(Linear):
    """A `Linear` whose product rounds its inputs as the kernels do; its LoRA doesn't."""

    def product(self, x: Tensor) -> Tensor:
        return super().product(rounded(x))
