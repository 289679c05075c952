"""The decode step's parts by kernels in Triton: halves and bfloat16 on cards from Ampere on, codes where NVRTC is missing."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.kernels.gpu.attention import attend
from engine.kernels.gpu.linear import Matrix, project
from engine.kernels.gpu.triton_device import Card
from engine.layers.linear import Linear
from engine.layers.quantized import QuantizedLinear


class TritonKernels:
    """See `engine.kernels.gpu.step.Kernels`."""

    def __init__(self, card: Card) -> None:
        self.card = card

    @classmethod
    def of(cls, device: torch.device) -> TritonKernels:
        return cls(Card.of(device))

    def take(self, linear: Linear, gated: bool = False) -> Matrix:
        return Matrix(linear.weight, linear.weight_scale if isinstance(linear, QuantizedLinear) else None, gated)

    def project(
        self,
        x: Tensor,
        matrix: Matrix,
        norm: tuple[Tensor, float] | None = None,
        shortcut: Tensor | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        return project(self.card, x, matrix, norm, shortcut, matrix.gated, dtype)

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
