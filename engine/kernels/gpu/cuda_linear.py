"""Linear layers by kernels in CUDA's C++, which read quantised matrices on every card and halves where Triton's don't run."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.kernels.gpu.cuda_launcher import CudaLauncher
from engine.kernels.gpu.cuda_parameters import GATED, WIDE, NormaliseCall, ProjectCall, RestoreCall
from engine.kernels.gpu.cuda_tile_sizes import MOST_ROWS, TILINGS, kernel_name, kernels, shape_of, size_of
from engine.kernels.gpu.layout import FEATURES, INPUTS, lay_out
from engine.kernels.linear import PLAIN, FusedOps
from engine.layers.linear import Linear
from engine.layers.quantized import QuantizedLinear
from engine.models.llama.llama import Llama

RESTORED = 32 << 20  # bytes of a matrix that are halves at a time: they stay in the second-level cache
FEW = 256  # rows of a prompt that are multiplied from codes, MOST_ROWS at a time; more are worth restoring halves for
THREADS = 256  # of the kernels in `rows.cu`
BITS = {torch.uint8: 4, torch.int8: 8, torch.float16: 16}


def suits(language: Llama) -> bool:
    """Halves or codes, of whole tiles, and heads that a warp has room for."""
    widths = [module.width_in for module in language.modules() if isinstance(module, Linear)]
    return language.dtype == torch.float16 and language.config.head_dim <= 256 and all(width % INPUTS == 0 for width in widths)


@dataclass(frozen=True)
class CudaMatrix:
    """[features, in]: halves as torch keeps them, or tiles of codes. A `gated` one has gates, then as many values."""

    weight: Tensor
    scale: Tensor | None
    bits: int
    features: int
    width_in: int
    gated: bool

    @property
    def in_tiles(self) -> int:
        """Features with what fills up tiles."""
        return -(-self.features // FEATURES) * FEATURES if not self.gated else -(-self.features // 2 // 8) * FEATURES


class CudaLinear:
    """See `engine.kernels.linear.LinearKernels`."""

    def __init__(self, launcher: CudaLauncher) -> None:
        self.launcher = launcher
        self.restored: Tensor | None = None  # fp16 [RESTORED / 2]: room for restored matrices

    def take(self, linear: Linear, gated: bool = False) -> CudaMatrix:
        """The projection's matrix; codes are laid out anew, and the projection keeps them so and computes from them."""
        if not isinstance(linear, QuantizedLinear):
            return CudaMatrix(linear.weight, None, 16, linear.width_out, linear.width_in, gated)
        bits = BITS[linear.weight.dtype]
        tiles, scale = lay_out(linear.weight, linear.weight_scale, gated)
        linear.keep(tiles, scale)
        matrix = CudaMatrix(linear.weight, None if scale is None else linear.weight_scale, bits, linear.width_out, linear.width_in, gated)
        linear.kernel = lambda x: self.product(x, matrix)
        return matrix

    def project(self, x: Tensor, matrix: CudaMatrix, fused: FusedOps = PLAIN) -> Tensor:
        """See `LinearKernels`; MOST_ROWS rows at most."""
        width_out = matrix.features // 2 if matrix.gated else matrix.features
        return self.multiply(x, matrix, width_out, fused, gated=matrix.gated)

    def multiply(self, x: Tensor, matrix: CudaMatrix, width_out: int, fused: FusedOps = PLAIN, gated: bool = False) -> Tensor:
        """[rows, in] → [rows, width_out]; not `gated`: the features in the tiles' order, a gated matrix' too."""
        norm, shortcut, dtype = fused
        dtype = dtype or x.dtype
        rows = len(x)
        size, shape = size_of(rows, matrix.width_in), shape_of(matrix.features, matrix.width_in)
        tiling = TILINGS[size][shape]
        if norm is not None and size > 1:
            x, norm = self.normalise(x, *norm), None
        gain, eps = norm or (None, 0.0)
        programs = -(-matrix.in_tiles // FEATURES // tiling.tiles)
        out = torch.empty(rows, width_out, dtype=dtype, device=x.device)
        shared = tiling.splits * tiling.tiles * FEATURES * max(8, size)
        partials = torch.empty(programs * shared if tiling.splits > 1 else 0, device=x.device)
        features = matrix.features if matrix.bits == 16 else matrix.in_tiles
        call = ProjectCall(
            x=x, weight=matrix.weight, scale=matrix.scale, gain=gain, shortcut=shortcut, out=out, partials=partials,
            finished=self.launcher.finished,
            rows=rows, width_in=matrix.width_in, width_out=width_out, features=features,
            splits=tiling.splits, flags=GATED * gated + WIDE * (dtype == torch.float32), eps=eps,
        )  # fmt: skip
        kernel = self.launcher.kernel(kernel_name(size, shape), "project.cu", f"FORM {matrix.bits}", kernels(matrix.bits))
        kernel.launch(call, (programs, tiling.splits, 1), tiling.warps * 32, matrix.width_in * 2 if size == 1 else 0)
        return out

    def normalise(self, x: Tensor, gain: Tensor, eps: float) -> Tensor:
        """RMSNorm of [rows, width]."""
        out = torch.empty_like(x)
        self.launcher.kernel("normalise", "rows.cu").launch(
            NormaliseCall(x=x, gain=gain, out=out, width=x.shape[1], eps=eps), (len(x), 1, 1), THREADS
        )
        return out

    def product(self, x: Tensor, matrix: CudaMatrix) -> Tensor:
        """[..., in] → [..., features] in their own order, for any number of rows: what prompts are read with."""
        rows = x.reshape(-1, matrix.width_in)
        if len(rows) > FEW:
            y = self.multiply_restored(rows, matrix)
        else:
            y = torch.cat([self.multiply(part, matrix, matrix.in_tiles) for part in rows.contiguous().split(MOST_ROWS)])
        if matrix.gated:
            halves = y.unflatten(1, (-1, 2, FEATURES // 2)).transpose(1, 2).reshape(len(rows), 2, -1)
            y = halves[..., : matrix.features // 2].flatten(1)
        return y[:, : matrix.features].reshape(*x.shape[:-1], matrix.features)

    def multiply_restored(self, rows: Tensor, matrix: CudaMatrix) -> Tensor:
        """Some tiles at a time are halves; → [rows, features in the tiles' order]."""
        if self.restored is None:
            self.restored = torch.empty(RESTORED // 2, dtype=torch.float16, device=self.launcher.device)
        at_a_time = max(1, RESTORED // (2 * FEATURES * matrix.width_in))
        y = torch.empty(len(rows), matrix.in_tiles, dtype=rows.dtype, device=rows.device)
        for first in range(0, len(matrix.weight), at_a_time):
            tiles = matrix.weight[first : first + at_a_time]
            features = slice(first * FEATURES, (first + len(tiles)) * FEATURES)
            scale = None if matrix.scale is None else matrix.scale[features]
            call = RestoreCall(weight=tiles, scale=scale, out=self.restored, width=matrix.width_in, packed=int(matrix.bits == 4))
            self.launcher.kernel("restore", "rows.cu").launch(call, (len(tiles), -(-matrix.width_in // INPUTS // 8), 1), THREADS)
            halves = self.restored[: len(tiles) * FEATURES * matrix.width_in].view(-1, matrix.width_in)
            torch.mm(rows, halves.T, out=y[:, features])
        return y
