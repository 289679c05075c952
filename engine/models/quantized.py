"""Projections in int8: half of bf16's memory, and on a CPU, where reading weights is what a decode step waits for, twice its speed.

Weights only: one scale a row, activations stay as they are. This rounds; exactness is claimed for fp32 alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import linear

from engine.models.linear import Linear
from engine.models.llama import Llama

FEW = 8  # rows up to which torch's int8 kernel beats converting the weights for one large product (2 cores, AMX)


class Int8Linear(Linear):
    """`weight` int8 [out, in] times `weight_scale` [out]."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__(width_in, width_out)
        del self.weight
        self.register_buffer("weight", torch.empty(width_out, width_in, dtype=torch.int8))
        self.weight_scale: Tensor
        self.register_buffer("weight_scale", torch.empty(width_out))

    @classmethod
    @torch.no_grad()
    def of(cls, whole: Linear) -> Int8Linear:
        """Rounds to nearest; a row's largest weight is 127 steps."""
        with torch.device("meta"):
            small = cls(whole.width_in, whole.width_out)
        small.lora = whole.lora
        scale = (whole.weight.float().abs().amax(dim=1) / 127).clamp(min=1e-12)
        small.weight = (whole.weight.float() / scale[:, None]).round().to(torch.int8)
        small.weight_scale = scale.to(whole.weight.dtype)
        return small

    def product(self, x: Tensor) -> Tensor:
        if x.dtype == torch.bfloat16 and not x.is_cuda and x.numel() <= FEW * self.width_in:
            y = torch._weight_int8pack_mm(x.reshape(-1, self.width_in), self.weight, self.weight_scale)
            return y.view(*x.shape[:-1], self.width_out)
        return linear(x, self.weight.to(x.dtype)) * self.weight_scale


def quantize(language: Llama) -> None:
    """Every projection that is not quantised yet, head included, becomes int8 where it stands; embeddings stay."""
    for name, module in list(language.named_modules()):
        if isinstance(module, Linear) and not isinstance(module, Int8Linear):
            language.set_submodule(name, Int8Linear.of(module))


def expect_int8(language: Llama, names: Sequence[str]) -> None:
    """Makes the projections with these names ready for weights that are stored in int8. Call it on a model without weights."""
    for name in names:
        whole = language.get_submodule(name)
        if isinstance(whole, Linear):
            with torch.device("meta"):
                language.set_submodule(name, Int8Linear(whole.width_in, whole.width_out))
