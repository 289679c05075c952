"""What the GPU's kernels compute, in float64 and as plainly as it can be said."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import rms_norm, scaled_dot_product_attention, silu

from engine.layers.modes import Quantization
from engine.layers.quantization import dequantize, quantize

BLOCK = 16  # tokens


def stored(weight: Tensor, mode: Quantization) -> tuple[Tensor, Tensor | None, Tensor]:
    """[out, in] → what the model keeps of it, scales where there are any, and what that stands for."""
    if mode == "none":
        return weight.half(), None, weight.half().double()
    codes, scale = quantize(weight, mode)
    return codes, scale, dequantize(codes, scale, torch.float64)


def projected(x: Tensor, weight: Tensor, norm: tuple[Tensor, float] | None, shortcut: Tensor | None, gated: bool) -> Tensor:
    x = x.double()
    if norm is not None:
        x = rms_norm(x, x.shape[-1:], norm[0].double(), norm[1])
    y = x @ weight.T
    if gated:
        gate, value = y.chunk(2, dim=-1)
        y = silu(gate) * value
    return y if shortcut is None else y + shortcut.double()


def past(blocks: Tensor, table: Tensor, length: int) -> Tensor:
    """[blocks, BLOCK, kv_heads, head_dim] → one row's tokens in order, [kv_heads, length, head_dim]."""
    return blocks[table.long()].flatten(0, 1)[:length].transpose(0, 1).double()


def attended(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """One token's [heads, head_dim] over [kv_heads, length, head_dim]."""
    return scaled_dot_product_attention(query.double()[None, :, None], keys[None], values[None], enable_gqa=True)[0, :, 0]


@dataclass
class Past:
    """One row's cache in float32, as `Llama.forward` takes it: keys and values of each layer, [kv_heads, length, head_dim]."""

    keys: list[Tensor]
    values: list[Tensor]

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        keys = torch.cat((self.keys[layer].to(key.dtype), key[0]), dim=1)
        values = torch.cat((self.values[layer].to(value.dtype), value[0]), dim=1)
        return attended(query[0, :, 0], keys.double(), values.double()).to(query.dtype)[None, :, None]


def error(ours: Tensor, exact: Tensor) -> float:
    """‖ours − exact‖ / ‖exact‖; fp16 alone rounds to about 3e-4."""
    return float((ours.double() - exact.double()).norm() / exact.double().norm())
