"""Packed prompts through a model's layers: the decode step's matrices, by kernels for many rows."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn.functional import rms_norm

from engine.kernels.attention import AttentionInputs
from engine.kernels.gpu.cuda_linear import CudaLinear, CudaMatrix
from engine.kernels.gpu.cuda_tile_sizes import MOST_ROWS
from engine.kernels.gpu.dot_products import follow
from engine.kernels.gpu.linear import TritonMatrix, normalise, project
from engine.kernels.gpu.prompt_attention import attend_prompts
from engine.kernels.gpu.prompt_codes import project_codes
from engine.kernels.gpu.triton_device import TritonDevice
from engine.kernels.linear import FusedOps
from engine.kernels.prompts import TILE, PromptTiles
from engine.models.llama.llama import by_axis

if TYPE_CHECKING:
    from engine.kernels.gpu.step import GpuStep, LayerWeights
    from engine.kv_cache.cache import LayerShard
    from engine.models.llama.config import LlamaConfig

TURN = 128  # rows that Triton's kernels for codes take at a time


class GpuPrompts:
    """See `engine.kernels.prompts.PromptStep`. Reads no value on the host, so that a CUDA graph can capture it."""

    def __init__(self, step: GpuStep, config: LlamaConfig) -> None:
        self.step, self.config = step, config

    def layers(self, hidden: Tensor, shard: LayerShard, tiles: PromptTiles, deepstack: Tensor | None = None) -> Tensor:
        """See `PromptStep`."""
        step = self.step
        with torch.cuda.device_of(hidden):
            kernels, angles = step.kernels[hidden.device].prompts, self.angles(tiles)
            if kernels is None:
                raise ValueError("there are no kernels for prompts on this device")
            numbers = range(shard.first, shard.last)
            for number, layer, keys, values in zip(numbers, step.stack[shard.first : shard.last], shard.keys, shard.values, strict=True):
                heads = kernels.project(hidden, layer.qkv, FusedOps(norm=layer.before_attention))
                query, key, value = self.by_heads(heads, layer)
                inputs = AttentionInputs(query, key, value, keys, values, tiles.tables, tiles.starts)
                hidden = kernels.project(kernels.attend(inputs, tiles, angles).flatten(1), layer.out, FusedOps(shortcut=hidden))
                inner = kernels.project(hidden, layer.gate_up, FusedOps(norm=layer.before_mlp))
                hidden = kernels.project(inner, layer.down, FusedOps(shortcut=hidden))
                if deepstack is not None and number < len(deepstack):
                    hidden = hidden + deepstack[number]
        return hidden

    def angles(self, tiles: PromptTiles) -> Tensor:
        """By which each pair of a token's features is turned, fp32 [tokens, head_dim / 2]: the same in every layer."""
        frequencies = self.step.frequencies[tiles.starts.device]
        if tiles.positions is not None:
            return by_axis(tiles.positions[:, None], self.config)[0] * frequencies
        places = tiles.starts[:, None] + torch.arange(TILE, device=tiles.starts.device)
        return places.flatten()[:, None] * frequencies

    def by_heads(self, qkv: Tensor, layer: LayerWeights) -> tuple[Tensor, Tensor, Tensor]:
        """What the projection gave [tokens, features] → queries, keys and values [tokens, heads, head_dim], biased and normed."""
        step = self.step
        heads = (qkv if layer.bias is None else qkv + layer.bias).unflatten(-1, (-1, step.head_dim))
        query, key, value = heads.split((step.heads, step.kv_heads, step.kv_heads), dim=1)
        if layer.head_norms is not None:
            query, key = (rms_norm(x, gain.shape, gain, step.eps) for x, gain in zip((query, key), layer.head_norms, strict=True))
        return query, key, value


class TritonPrompts:
    """See `engine.kernels.prompts.PromptKernels`. Halves go to cuBLAS, which many rows keep busy."""

    def __init__(self, device: TritonDevice, codes: CudaLinear | None = None) -> None:
        """`codes` are the decode step's kernels where they read the matrices."""
        self.device, self.codes = device, codes
        self.attend = partial(attend_prompts, device)

    def project(self, x: Tensor, matrix: object, fused: FusedOps) -> Tensor:
        """See `PromptKernels`."""
        if isinstance(matrix, CudaMatrix) and self.codes is not None:
            few = len(x) <= MOST_ROWS
            return self.codes.project(x, matrix, fused) if few else project_codes(self.device, x, matrix, fused)
        if not isinstance(matrix, TritonMatrix):
            raise TypeError(f"{type(matrix).__name__} is no matrix of this device's kernels")
        if matrix.scale is None:
            return project_halves(self.device, x, matrix, fused)
        shortcuts = [None] * len(x) if fused.shortcut is None else fused.shortcut.split(TURN)
        parts = zip(x.split(TURN), shortcuts, strict=False)
        return torch.cat([project(self.device, part, matrix, fused._replace(shortcut=shortcut)) for part, shortcut in parts])


def project_halves(device: TritonDevice, x: Tensor, matrix: TritonMatrix, fused: FusedOps) -> Tensor:
    """A matrix of halves by cuBLAS."""
    if fused.norm is not None:
        x = normalise(device, x, *fused.norm)
    y = x @ matrix.weight.T if fused.shortcut is None else torch.addmm(fused.shortcut, x, matrix.weight.T)
    return swiglu(device, y) if matrix.gated else y


@triton.jit
def swiglu_kernel(x, out, WIDTH: tl.constexpr, BLOCK: tl.constexpr, OVERLAP: tl.constexpr):
    follow(OVERLAP)
    feature = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    row, inside = tl.program_id(0).to(tl.int64), feature < WIDTH
    gate = tl.load(x + row * (2 * WIDTH) + feature, inside, 0).to(tl.float32)
    value = tl.load(x + row * (2 * WIDTH) + WIDTH + feature, inside, 0).to(tl.float32)
    tl.store(out + row * WIDTH + feature, gate / (1 + tl.exp(-gate)) * value, inside)


def swiglu(device: TritonDevice, x: Tensor) -> Tensor:
    """Gates, then as many values, [rows, 2 · width] → [rows, width]."""
    width, block = x.shape[1] // 2, 1024
    out = torch.empty(len(x), width, dtype=x.dtype, device=x.device)
    swiglu_kernel[(len(x), triton.cdiv(width, block))](x, out, width, block, device.overlap, num_warps=4, **device.early)
    return out
