"""The decode step's kernels in Triton: halves and bfloat16 on cards from Ampere on, codes where NVRTC is missing."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from engine.kernels.gpu.attend import attend
from engine.kernels.gpu.cuda_linear import CudaLinear
from engine.kernels.gpu.linear import TritonMatrix, project
from engine.kernels.gpu.prompt_step import TritonPrompts
from engine.kernels.gpu.triton_device import TritonDevice
from engine.kernels.linear import PLAIN, DeviceKernels, FusedOps
from engine.layers.linear import Linear
from engine.layers.quantized import QuantizedLinear


class TritonLinear:
    """See `engine.kernels.linear.LinearKernels`."""

    def __init__(self, device: TritonDevice) -> None:
        self.device = device

    def take(self, linear: Linear, gated: bool = False) -> TritonMatrix:
        return TritonMatrix(linear.weight, linear.weight_scale if isinstance(linear, QuantizedLinear) else None, gated)

    def project(self, x: Tensor, matrix: TritonMatrix, fused: FusedOps = PLAIN) -> Tensor:
        return project(self.device, x, matrix, fused)


def triton_kernels(device: torch.device, codes: CudaLinear | None = None) -> DeviceKernels:
    """`codes` are kernels that read this device's matrices instead of Triton's."""
    shared = TritonDevice.of(device)
    return DeviceKernels(TritonLinear(shared), partial(attend, shared), TritonPrompts(shared, codes))
