"""A LoRA adapter while it is trained, beside a frozen matrix of any form: fp32, bf16, 8 or 4 bits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from engine.layers.linear import Linear, Lora


class TrainedLora(Lora):
    """In the place of a layer's `Lora`: an A and a B for each projection that the layer holds (q, k and v), as peft trains them.

    The model's own adapter goes on beside it, frozen. Parameters are fp32. There is no dropout.
    """

    def __init__(self, layer: Linear, rows: Mapping[str, int], targets: Sequence[str], rank: int, alpha: float) -> None:
        """`rows` has the projections' names, and how many outputs each has; `targets` are those that are adapted."""
        nn.Module.__init__(self)
        self.rows, self.targets, self.scale = dict(rows), tuple(targets), alpha / rank
        self.own = (layer.lora,)  # in a tuple: its parameters are none of ours
        device = layer.weight.device
        self.down = nn.ParameterDict({part.replace(".", "/"): torch.empty(rank, layer.width_in, device=device) for part in targets})
        self.up = nn.ParameterDict({part.replace(".", "/"): torch.zeros(rows[part], rank, device=device) for part in targets})
        for a in self.down.values():
            nn.init.kaiming_uniform_(a, a=math.sqrt(5))

    def pair(self, part: str) -> tuple[Tensor, Tensor]:
        """A [rank, in] and B [out, rank] of a projection."""
        name = part.replace(".", "/")  # no parameter's name may have a dot
        return self.down[name], self.up[name]

    def forward(self, x: Tensor, lora_scale: Tensor) -> Tensor:
        """See `Lora.forward`; `lora_scale` is of the model's own adapter, for this one is always on.

        All of them are one wider adapter: two products, however many projections there are.
        """
        down = torch.cat([self.pair(part)[0] for part in self.targets])
        up = torch.block_diag(*(self.pair(part)[1] if part in self.targets else self.nothing(part) for part in self.rows)) * self.scale
        low = linear(x.float(), down)
        (own,) = self.own
        if own is not None:
            low = torch.cat((low, own.lowered(x, lora_scale).float()), dim=-1)
            up = torch.cat((up, own.b.float() * own.scale), dim=-1)
        return linear(low, up).to(x.dtype)

    def nothing(self, part: str) -> Tensor:
        """B of a projection that is not adapted."""
        first: Tensor = next(iter(self.up.values()))
        return first.new_zeros(self.rows[part], 0)
