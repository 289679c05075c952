"""Prompts through quantised projections: codes are restored in registers, never in memory.

A prompt has more rows than a decode step, so it goes in turns. Each reads the codes anew, a quarter to a half of what
the restored matrix takes, and what restoring costs (reading codes, writing a matrix, reading it again) is saved.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.kernels.gpu.linear import TritonMatrix, project
from engine.kernels.gpu.triton_device import TritonDevice
from engine.layers.quantized import QuantizedLinear
from engine.models.llama.llama import Llama

TURN = 128  # rows


class CodesProduct:
    """[..., in] → [..., out] by one quantised projection, which stays where it is."""

    def __init__(self, device: TritonDevice, linear: QuantizedLinear) -> None:
        self.device, self.matrix, self.width_out = device, TritonMatrix(linear.weight, linear.weight_scale), linear.width_out

    def __call__(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        with torch.cuda.device_of(x):
            parts = [project(self.device, part, self.matrix) for part in rows.split(TURN)]
        return torch.cat(parts).view(*x.shape[:-1], self.width_out)


def read_codes(language: Llama) -> None:
    """Has the model's quantised projections computed by our kernel."""
    quantised = [module for module in language.modules() if isinstance(module, QuantizedLinear)]
    devices = {device: TritonDevice.of(device) for device in {linear.weight.device for linear in quantised}}
    for linear in quantised:
        linear.kernel = CodesProduct(devices[linear.weight.device], linear)
