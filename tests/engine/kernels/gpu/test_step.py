"""The decode step by either kind of kernels against the model in plain torch."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

pytest.importorskip("triton", reason="Triton has no build for this system; `make test` installs it on Linux.")

from engine.kernels.decode_step import StepRows
from engine.kernels.gpu.cuda_attention import CudaAttention
from engine.kernels.gpu.cuda_launcher import CudaLauncher
from engine.kernels.gpu.cuda_linear import CudaLinear
from engine.kernels.gpu.step import GpuStep
from engine.kernels.gpu.triton_device import TritonDevice
from engine.kernels.gpu.triton_kernels import triton_kernels
from engine.kernels.linear import DeviceKernels
from engine.kv_cache.cache import LayerShard
from engine.layers.modes import Quantization
from engine.models.llama.config import LlamaConfig
from tests.engine.kernels.gpu.language import BIASED, CONFIG, MODES, NORMED, ROUNDING, expected_logits, half_language
from tests.engine.kernels.gpu.oracle import BLOCK, error

FOUR_HEADS = LlamaConfig(34, 64, 64, 2, 4, 2, 16)
SHARED_HEADS = replace(BIASED, num_attention_heads=3, head_dim=32, qk_norm=True)  # which one program takes together
EARLIER = 5  # by as much M-RoPE turns these rows less than their places say


@pytest.mark.parametrize(
    ("config", "lengths", "most_rows", "mode"),
    [
        *((BIASED, [37], 64, mode) for mode in MODES),
        (SHARED_HEADS, [37], 64, "none"),
        (NORMED, [5, 20, 31], 2, "4bit"),
        *(pytest.param(NORMED, [5, 20, 31], 2, mode, marks=pytest.mark.sweep) for mode in MODES if mode != "4bit"),
    ],
)
def test_a_step_by_tritons_kernels_equals_the_model(
    device: TritonDevice, mode: Quantization, config: LlamaConfig, lengths: list[int], most_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.kernels.gpu.step.MOST_ROWS", most_rows)
    monkeypatch.setattr("engine.kernels.gpu.grouped_attention.FEW", 0)
    language, rows, most = half_language(mode, config), len(lengths), 3
    keys, values = torch.randn(2, config.num_hidden_layers, rows * most, BLOCK, config.num_key_value_heads, config.head_dim).half()
    tables = torch.randperm(rows * most).view(rows, most).int()
    hidden = torch.randn(rows, CONFIG.hidden_size).half()
    step, middle, places = GpuStep(language, triton_kernels), hidden, torch.tensor(lengths).int()
    for shard in (LayerShard(0, 1, keys[:1], values[:1]), LayerShard(1, 2, keys[1:], values[1:])):
        middle = step.layers(middle, shard, StepRows(tables, places, places - EARLIER))
    ours = step.logits(middle)
    exact = [
        expected_logits(language.float(), row, keys, values, table, length, length - EARLIER)
        for row, table, length in zip(hidden, tables, lengths, strict=True)
    ]
    assert error(ours, torch.stack(exact)) < 2 * ROUNDING


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rows", [1, 3])
def test_a_step_by_cudas_kernels_equals_the_model(launcher: CudaLauncher, mode: Quantization, rows: int) -> None:
    lengths, most = [37, 5, 20][:rows], 3
    language = half_language(mode, replace(FOUR_HEADS, qkv_bias=rows == 1, qk_norm=rows > 1))
    exact_language = copy.deepcopy(language).float()
    keys, values = torch.randn(
        2, FOUR_HEADS.num_hidden_layers, rows * most, BLOCK, FOUR_HEADS.num_key_value_heads, FOUR_HEADS.head_dim
    ).half()
    tables = torch.randperm(rows * most).view(rows, most).int()
    hidden = torch.randn(rows, FOUR_HEADS.hidden_size).half()
    exact = [
        expected_logits(exact_language, row, keys, values, table, length, length - EARLIER)
        for row, table, length in zip(hidden, tables, lengths, strict=True)
    ]
    step = GpuStep(language, lambda device: DeviceKernels(CudaLinear(launcher), CudaAttention(launcher)))
    places = torch.tensor(lengths).int()
    made = step.layers(hidden, LayerShard(0, FOUR_HEADS.num_hidden_layers, keys, values), StepRows(tables, places, places - EARLIER))
    assert error(step.logits(made), torch.stack(exact)) < 2 * ROUNDING
