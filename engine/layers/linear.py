"""A linear layer that may have a low-rank adapter (LoRA), and that a quantised one can replace."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


class Lora(nn.Module):
    """[..., in] → [..., out]: scale · B A x (Hu et al. 2021), of one adapter or of several side by side.

    Several adapters are one wider one: row i of A and column i of B belong to adapter `owners[i]`. So rows with different adapters
    and none go through the same two products, and a captured graph serves them all; what is off is multiplied by 0.
    It computes in its own type: on a CPU matrices this narrow are four times as fast in fp32 as in bf16.
    """

    owners: Tensor  # [rank]: places in the last axis of `lora_scale`

    def __init__(self, a: Tensor, b: Tensor, scale: float = 1.0, owner: int = 0) -> None:
        """`a` [rank, in], `b` [out, rank]."""
        super().__init__()
        self.a, self.b, self.scale = nn.Parameter(a), nn.Parameter(b), scale
        self.register_buffer("owners", torch.full((len(a),), owner, device=a.device), persistent=False)

    @classmethod
    def new(cls, width_in: int, width_out: int, rank: int, alpha: float) -> Lora:
        """B starts at zero, so that a new adapter changes nothing."""
        a = torch.empty(rank, width_in)
        nn.init.kaiming_uniform_(a, a=math.sqrt(5))
        return cls(a, torch.zeros(width_out, rank), alpha / rank)

    def joined(self, a: Tensor, b: Tensor, owner: int) -> Lora:
        """With another adapter at its side, whose own scale is in `b` already."""
        both = Lora(torch.cat((self.a, a.to(self.a))), torch.cat((self.b, b.to(self.b) / self.scale), dim=1), self.scale)
        both.owners = torch.cat((self.owners, self.owners.new_full((len(a),), owner)))
        return both.requires_grad_(False)

    def forward(self, x: Tensor, lora_scale: Tensor) -> Tensor:
        """`lora_scale` as in `Linear.forward`."""
        adapter: Tensor = linear(self.lowered(x, lora_scale), self.b).to(x.dtype)
        scaled: Tensor = adapter if self.scale == 1 else adapter * self.scale
        return scaled

    def lowered(self, x: Tensor, lora_scale: Tensor) -> Tensor:
        """A x [..., rank], 0 where an adapter is off."""
        low = linear(x.to(self.a.dtype), self.a)
        by_rank = lora_scale if lora_scale.shape[-1] == 1 else lora_scale[..., self.owners]
        return low * by_rank.to(low.dtype)


class Linear(nn.Module):
    """[..., width_in] → [..., width_out], without bias."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.width_in, self.width_out = width_in, width_out
        self.weight: Tensor = nn.Parameter(torch.empty(width_out, width_in))
        self.lora: Lora | None = None
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, x: Tensor, lora_scale: Tensor | None = None) -> Tensor:
        """`lora_scale` [rows or 1, new or 1, adapters] scales each token's LoRA adapters: 1 = on, 0 = off; None leaves them out."""
        y = self.product(x)
        if lora_scale is None or self.lora is None:
            return y
        adapted: Tensor = y + self.lora(x, lora_scale)
        return adapted

    def product(self, x: Tensor) -> Tensor:
        return linear(x, self.weight)

    def add_lora(self, rank: int, alpha: float | None = None) -> Lora:
        """A new adapter of this rank, scaled by `alpha / rank` (1 when `alpha` is None)."""
        self.lora = Lora.new(self.width_in, self.width_out, rank, rank if alpha is None else alpha).to(self.weight.device)
        return self.lora

    def join_lora(self, a: Tensor, b: Tensor, owner: int) -> None:
        """Puts an adapter, whose scale is in `b`, beside those that are here; it is number `owner` of the model's."""
        self.lora = Lora(a, b, owner=owner).requires_grad_(False) if self.lora is None else self.lora.joined(a, b, owner)
