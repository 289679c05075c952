"""Codes by kernels in CUDA's C++, attention by Triton's: the fastest of both on cards that have both."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from engine.kernels.gpu.attention import attend
from engine.kernels.gpu.cuda_kernels import CudaKernels
from engine.kernels.gpu.triton_device import Card


class MixedKernels(CudaKernels):
    """See `engine.kernels.gpu.step.Kernels`."""

    card: Card

    @classmethod
    def of(cls, device: torch.device, capability: tuple[int, int]) -> Self:
        made = super().of(device, capability)
        made.card = Card.of(device)
        return made

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        keys: Tensor,
        values: Tensor,
        tables: Tensor,
        lengths: Tensor,
        frequencies: Tensor | None = None,
    ) -> Tensor:
        return attend(self.card, query, key, value, keys, values, tables, lengths, frequencies)
