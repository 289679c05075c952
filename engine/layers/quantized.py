"""Linear layers whose matrix is kept in 8 or 4 bits; a drop-in for `Linear`, LoRA included.

Weights only, activations stay as they are. This rounds; exactness is claimed for fp32 alone. `product` is the one place
that meets the codes. What stands here runs on every card and on the CPU; it restores a few rows at a time, so that the
matrix never exists whole. Where a `kernel` can read the codes as they are, it is several times as fast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from engine.device.meta import without_memory
from engine.layers.linear import Linear
from engine.layers.modes import Quantization
from engine.layers.quantization import block_rows, dequantize, mode_of, quantized_slots

FEW = 8  # rows up to which torch's int8 kernel beats restoring the weights for one large product (2 cores, AMX)


class QuantizedLinear(Linear):
    """[..., width_in] → [..., width_out]; `weight` in codes and `weight_scale` as `engine.layers.quantization` lays them out."""

    def __init__(self, width_in: int, width_out: int, mode: Quantization) -> None:
        with without_memory():
            super().__init__(width_in, width_out)
        self.kernel: Callable[[Tensor], Tensor] | None = None
        slots = quantized_slots("weight", (width_out, width_in), mode).values()
        self.weight, self.weight_scale = (nn.Parameter(torch.empty(slot.shape, dtype=slot.dtype), requires_grad=False) for slot in slots)

    def keep(self, weight: Tensor, scale: Tensor | None) -> None:
        """Replaces codes and scales by what a kernel laid out anew; from now on only `kernel` can read them."""
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.weight_scale = nn.Parameter(weight.new_empty(0) if scale is None else scale, requires_grad=False)

    def product(self, x: Tensor) -> Tensor:
        if self.kernel is not None:
            return self.kernel(x)
        if x.requires_grad and torch.is_grad_enabled():
            trained: Tensor = FrozenProduct.apply(x, self)  # type: ignore[no-untyped-call]  # torch's is not typed
            return trained
        if self.weight.dtype == torch.int8 and not x.is_cuda and x.numel() <= FEW * self.width_in:
            y = torch._weight_int8pack_mm(x.reshape(-1, self.width_in), self.weight, self.weight_scale.to(x.dtype))
            return y.view(*x.shape[:-1], self.width_out)
        return self.restored_product(x)

    def restored_product(self, x: Tensor) -> Tensor:
        return torch.cat([linear(x, dequantize(codes, scales, x.dtype)) for codes, scales in self.blocks()], dim=-1)

    def blocks(self) -> zip[tuple[Tensor, Tensor]]:
        """Codes and scales of the rows that are restored together."""
        rows = block_rows(self.width_in)
        return zip(self.weight.split(rows), self.weight_scale.split(rows), strict=True)


class FrozenProduct(torch.autograd.Function):
    """Lets a gradient through a frozen matrix to what lies before it. Backward restores the matrix again, a few rows at a time: kept,
    all layers' matrices would take what quantising saved."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: QuantizedLinear) -> Tensor:
        ctx.layer, ctx.dtype = layer, x.dtype
        return layer.restored_product(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grad,) = grads
        parts = grad.split(block_rows(ctx.layer.width_in), dim=-1)
        total = sum(part @ dequantize(codes, scales, grad.dtype) for part, (codes, scales) in zip(parts, ctx.layer.blocks(), strict=True))
        return torch.as_tensor(total).to(ctx.dtype), None


def use_quantized(model: nn.Module, quantization: Quantization) -> None:
    """Replaces each `Linear` that `mode_of` names by an empty `QuantizedLinear`; for a model whose weights are not loaded yet."""
    for path, module in list(model.named_modules()):
        if not isinstance(module, Linear):
            continue
        mode = mode_of(f"{path}.weight", module.width_in, quantization)
        if mode != "none":
            model.set_submodule(path, QuantizedLinear(module.width_in, module.width_out, mode))
