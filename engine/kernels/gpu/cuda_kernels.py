"""The decode step's parts by kernels in CUDA's C++: quantised matrices on every card, all of the step where Triton's don't run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol, Self

import torch
from torch import Tensor

from engine.kernels.gpu.cuda_driver import Module
from engine.kernels.gpu.cuda_parameters import GATED, WIDE, AttendCall, NormaliseCall, ProjectCall, RestoreCall, Structure
from engine.kernels.gpu.cuda_tile_sizes import MOST_ROWS, TILINGS, kernel_name, kernels, shape_of, size_of
from engine.kernels.gpu.layout import FEATURES, INPUTS, lay_out
from engine.layers.linear import Linear
from engine.layers.quantized import QuantizedLinear
from engine.models.llama.llama import Llama

PROGRAMS = 1 << 16  # tiles, or heads of all rows, that a launch puts together from shares
RESTORED = 32 << 20  # bytes of a matrix that are halves at a time: they stay in the second-level cache
FEW = 256  # rows of a prompt that are multiplied from codes, MOST_ROWS at a time; more are worth restoring halves for
THREADS = 256  # of the kernels in `rows.cu`
ATTENDING = 128  # threads of a program that attends
BITS = {torch.uint8: 4, torch.int8: 8, torch.float16: 16}


def suits(language: Llama) -> bool:
    """Halves or codes, of whole tiles, and heads that a warp has room for."""
    widths = [module.width_in for module in language.modules() if isinstance(module, Linear)]
    return language.dtype == torch.float16 and language.config.head_dim <= 256 and all(width % INPUTS == 0 for width in widths)


class Launchable(Protocol):
    def launch(self, call: Structure, grid: tuple[int, int, int], threads: int, shared: int = 0) -> None: ...


class Kernels(Protocol):
    """What a source was compiled to."""

    def kernel(self, name: str) -> Launchable: ...


Compile = Callable[[str, Sequence[str]], Kernels]  # of a source and definitions


@dataclass(frozen=True)
class Matrix:
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


class CudaKernels:
    """On one device; one thread at a time may use it, for `finished` belongs to the launch under way."""

    def __init__(self, device: torch.device, build: Compile) -> None:
        self.finished = torch.zeros(PROGRAMS, dtype=torch.int32, device=device)
        self.device, self.build = device, cache(lambda source, *definitions: build(source, definitions))
        self.kernels: dict[tuple[str, ...], Launchable] = {}
        self.restored: Tensor | None = None

    @classmethod
    def of(cls, device: torch.device, capability: tuple[int, int]) -> Self:
        """Compiles what every model needs. Raises DriverError."""
        made = cls(device, lambda source, definitions: Module(source, device, capability, definitions))
        made.kernel("normalise", "rows.cu")
        return made

    def kernel(self, name: str, source: str, *definitions: str) -> Launchable:
        key = (name, source, *definitions)
        if key not in self.kernels:
            self.kernels[key] = self.build(source, *definitions).kernel(name)
        return self.kernels[key]

    def take(self, linear: Linear, gated: bool = False) -> Matrix:
        """The projection's matrix; codes are laid out anew, and the projection keeps them so and computes from them."""
        if not isinstance(linear, QuantizedLinear):
            return Matrix(linear.weight, None, 16, linear.width_out, linear.width_in, gated)
        bits = BITS[linear.weight.dtype]
        tiles, scale = lay_out(linear.weight, linear.weight_scale, gated)
        linear.keep(tiles, scale)
        matrix = Matrix(linear.weight, None if scale is None else linear.weight_scale, bits, linear.width_out, linear.width_in, gated)
        linear.kernel = lambda x: self.product(x, matrix)
        return matrix

    def project(
        self,
        x: Tensor,
        matrix: Matrix,
        norm: tuple[Tensor, float] | None = None,
        shortcut: Tensor | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """[rows, in] → [rows, out], `norm` (weight, eps) before, a gated matrix' SwiGLU and `shortcut` after; MOST_ROWS at most."""
        width_out = matrix.features // 2 if matrix.gated else matrix.features
        return self.multiply(x, matrix, width_out, norm, shortcut, dtype or x.dtype, gated=matrix.gated)

    def multiply(
        self,
        x: Tensor,
        matrix: Matrix,
        width_out: int,
        norm: tuple[Tensor, float] | None = None,
        shortcut: Tensor | None = None,
        dtype: torch.dtype = torch.float16,
        gated: bool = False,
    ) -> Tensor:
        rows = len(x)
        size, shape = size_of(rows, matrix.width_in), shape_of(matrix.features, matrix.width_in)
        way = TILINGS[size][shape]
        if norm is not None and size > 1:
            x, norm = self.normalise(x, *norm), None
        gain, eps = norm or (None, 0.0)
        programs = -(-matrix.in_tiles // FEATURES // way.tiles)
        out = torch.empty(rows, width_out, dtype=dtype, device=x.device)
        shared = way.splits * way.tiles * FEATURES * max(8, size)
        shares = torch.empty(programs * shared if way.splits > 1 else 0, device=x.device)
        features = matrix.features if matrix.bits == 16 else matrix.in_tiles
        call = ProjectCall(
            x=x, weight=matrix.weight, scale=matrix.scale, gain=gain, shortcut=shortcut, out=out, shares=shares, finished=self.finished,
            rows=rows, width_in=matrix.width_in, width_out=width_out, features=features,
            splits=way.splits, flags=GATED * gated + WIDE * (dtype == torch.float32), eps=eps,
        )  # fmt: skip
        kernel = self.kernel(kernel_name(size, shape), "project.cu", f"FORM {matrix.bits}", kernels(matrix.bits))
        kernel.launch(call, (programs, way.splits, 1), way.warps * 32, matrix.width_in * 2 if size == 1 else 0)
        return out

    def normalise(self, x: Tensor, gain: Tensor, eps: float) -> Tensor:
        """RMSNorm of [rows, width]."""
        out = torch.empty_like(x)
        self.kernel("normalise", "rows.cu").launch(
            NormaliseCall(x=x, gain=gain, out=out, width=x.shape[1], eps=eps), (len(x), 1, 1), THREADS
        )
        return out

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
        """As `engine.kernels.gpu.attention.attend`."""
        rows, heads, head_dim = query.shape
        splits = max(1, min(16, 1024 // (rows * heads)))
        out = torch.empty(rows, heads, head_dim, dtype=query.dtype, device=query.device)
        shares = torch.empty(rows * heads * splits * (head_dim + 2), device=query.device)
        call = AttendCall(
            query=query, key=key, value=value, keys=keys, values=values, tables=tables, lengths=lengths, frequencies=frequencies,
            out=out, shares=shares, finished=self.finished,
            query_stride=query.stride(0), key_stride=key.stride(0), value_stride=value.stride(0), table_stride=tables.stride(0),
            heads=heads, kv_heads=keys.shape[2], splits=splits, least=64,
        )  # fmt: skip
        self.kernel("attend", "attend.cu", f"HEAD_DIM {head_dim}").launch(call, (splits, heads, rows), ATTENDING)
        return out

    def product(self, x: Tensor, matrix: Matrix) -> Tensor:
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

    def multiply_restored(self, rows: Tensor, matrix: Matrix) -> Tensor:
        """Some tiles at a time are halves; → [rows, features in the tiles' order]."""
        if self.restored is None:
            self.restored = torch.empty(RESTORED // 2, dtype=torch.float16, device=self.device)
        at_a_time = max(1, RESTORED // (2 * FEATURES * matrix.width_in))
        y = torch.empty(len(rows), matrix.in_tiles, dtype=rows.dtype, device=rows.device)
        for first in range(0, len(matrix.weight), at_a_time):
            tiles = matrix.weight[first : first + at_a_time]
            features = slice(first * FEATURES, (first + len(tiles)) * FEATURES)
            scale = None if matrix.scale is None else matrix.scale[features]
            call = RestoreCall(weight=tiles, scale=scale, out=self.restored, width=matrix.width_in, packed=int(matrix.bits == 4))
            self.kernel("restore", "rows.cu").launch(call, (len(tiles), -(-matrix.width_in // INPUTS // 8), 1), THREADS)
            halves = self.restored[: len(tiles) * FEATURES * matrix.width_in].view(-1, matrix.width_in)
            torch.mm(rows, halves.T, out=y[:, features])
        return y
