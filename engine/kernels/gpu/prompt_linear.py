"""Quantised linear layers over prompts: codes become numbers in registers, never a matrix in memory.

A prompt has more rows than a decode step, so it goes in pieces. Each reads the codes again, a quarter to a half of what
the restored matrix takes, and restoring (reading codes, writing a matrix, reading it again) is saved.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.kernels.gpu.linear import TritonMatrix, project
from engine.kernels.gpu.triton_device import TritonDevice
from engine.layers.quantized import QuantizedLinear
from engine.models.llama.llama import Llama

TURN = 128  # rows of a piece


class CodesProduct:
    """[..., in] → [..., out] by the codes of one quantised linear layer, in place."""

    def __init__(self, device: TritonDevice, linear: QuantizedLinear) -> None:
        self.device, self.matrix, self.width_out = device, TritonMatrix(linear.weight, linear.weight_scale), linear.width_out

    def __call__(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        with torch.cuda.device_of(x):
            parts = [project(self.device, part, self.matrix) for part in rows.split(TURN)]
        return torch.cat(parts).view(*x.shape[:-1], self.width_out)


def read_codes(language: Llama) -> None:
    """Has all quantised linear layers of the model computed by our kernel."""
    quantised = [module for module in language.modules() if isinstance(module, QuantizedLinear)]
    devices = {device: TritonDevice.of(device) for device in {linear.weight.device for linear in quantised}}
    for linear in quantised:
        linear.kernel = CodesProduct(devices[linear.weight.device], linear)
