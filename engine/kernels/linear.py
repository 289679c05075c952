"""What every GPU implementation of a linear layer offers to the decode step: products with the work around them fused in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import torch
from torch import Tensor

from engine.kernels.attention import AttentionKernel
from engine.layers.linear import Linear

if TYPE_CHECKING:
    from engine.kernels.prompts import PromptKernels


class FusedOps(NamedTuple):
    """What one kernel does besides the product. SwiGLU is the matrix' own matter: see `LinearKernels.take`."""

    norm: tuple[Tensor, float] | None = None  # RMSNorm of the input: its weight [in] and epsilon
    shortcut: Tensor | None = None  # [rows, out], added to the output
    dtype: torch.dtype | None = None  # of the output; None = the input's


PLAIN = FusedOps()


class LinearKernels(Protocol):
    """Linear layers on one device. What `take` returns is known to `project` alone."""

    def take(self, linear: Linear, gated: bool = False) -> Any:
        """The layer's matrix as the kernels read it; `gated`: its rows are gates, then as many values, for SwiGLU."""
        ...

    def project(self, x: Tensor, matrix: Any, fused: FusedOps = PLAIN) -> Tensor:
        """[rows, in] → [rows, out], or [rows, out / 2] of a gated matrix; rows as many as `engine.kernels.gpu.step.MOST_ROWS` at most."""
        ...


@dataclass(frozen=True)
class DeviceKernels:
    """The kernels that a step runs on one device."""

    linear: LinearKernels
    attend: AttentionKernel
    prompts: PromptKernels | None = None  # where there are kernels that read prompts
