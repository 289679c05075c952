"""A language model in 4 bits whose scales and norms can learn while its codes stay: what tuning trains.

Every scale and every norm's weight is its first value times (1 + change); a change of 0.01 means as much in any group of any model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, rms_norm

from engine.layers.linear import Linear
from engine.layers.quantization import GROUP, dequantize
from engine.models.llama.llama import Block, RMSNorm


class ScaledProduct(torch.autograd.Function):
    """x · restored matrixᵀ, with the scales' gradient. The matrix is restored when it is needed, each time anew, and never kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, codes: Tensor, scales: Tensor) -> Tensor:
        """x [..., in], codes [out, in / 2], scales [out, in / 64] in fp32 → [..., out]."""
        ctx.save_for_backward(x, codes, scales)
        return linear(x, dequantize(codes, scales, x.dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, Tensor]:
        x, codes, scales = ctx.saved_tensors
        (given,) = gradients
        of_matrix = given.flatten(0, -2).T @ x.flatten(0, -2)  # [out, in]
        steps = dequantize(codes, torch.ones_like(scales), x.dtype)
        of_scales = of_matrix.mul_(steps).unflatten(-1, (-1, GROUP)).sum(dim=-1, dtype=torch.float32)
        return given @ dequantize(codes, scales, x.dtype), None, of_scales


class TunedLinear(Linear):
    """A projection by codes [out, in / 2] and scales [out, in / 64], of which the scales learn."""

    def __init__(self, codes: Tensor, scales: Tensor) -> None:
        nn.Module.__init__(self)  # no matrix of its own
        self.width_out, self.width_in = len(codes), 2 * codes.shape[1]
        self.codes, self.scales, self.lora = codes, scales.float(), None
        self.change = nn.Parameter(torch.zeros_like(self.scales))

    def tuned(self) -> Tensor:
        """The scales as they are now, in fp32."""
        return self.scales * (1 + self.change)

    def product(self, x: Tensor) -> Tensor:
        y: Tensor = ScaledProduct.apply(x, self.codes, self.tuned())  # type: ignore[no-untyped-call]  # torch's own
        return y


class TunedNorm(RMSNorm):
    """A norm whose weight learns."""

    def __init__(self, norm: RMSNorm) -> None:
        nn.Module.__init__(self)
        self.first, self.eps = norm.weight.detach().float(), norm.eps
        self.change = nn.Parameter(torch.zeros_like(self.first))

    def tuned(self) -> Tensor:
        """The weight as it is now, in fp32."""
        return self.first * (1 + self.change)

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.first.shape, self.tuned().to(x.dtype), self.eps)


class Student(nn.Module):
    """All blocks in 4 bits, the last norm and the whole head: embeddings [rows, new, width] → the head's inputs."""

    def __init__(self, blocks: Sequence[Block], norm: RMSNorm) -> None:
        super().__init__()
        self.layers = nn.ModuleList(blocks)
        self.norm = TunedNorm(norm)

    def forward(self, hidden: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        for block in self.layers:
            hidden = block(hidden, rotation, None, None)
        out: Tensor = self.norm(hidden)
        return out

    def learning(self) -> Iterator[tuple[str, TunedLinear | TunedNorm]]:
        """What learns, by its name among the model's own modules."""
        return ((name, module) for name, module in self.named_modules() if isinstance(module, TunedLinear | TunedNorm))
