"""What the GPU's kernels compute, in float64 and as plainly as it can be said."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import rms_norm, scaled_dot_product_attention, silu

from engine.models.card import Quantization
from engine.weights.quantization import dequantize, quantize

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


def error(ours: Tensor, exact: Tensor) -> float:
    """‖ours − exact‖ / ‖exact‖; fp16 alone rounds to about 3e-4."""
    return float((ours.double() - exact.double()).norm() / exact.double().norm())
