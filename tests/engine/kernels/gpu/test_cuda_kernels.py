"""The kernels in CUDA's C++, by a host compiler where there is no card, each against plain float64; and compiled for cards by NVRTC."""

from __future__ import annotations

import copy
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.kernels.attention import AttentionInputs
from engine.kernels.gpu import cuda_linear, cuda_tile_sizes
from engine.kernels.gpu.cuda_attention import CudaAttention
from engine.kernels.gpu.cuda_driver import compile_source, nvrtc, whole_source
from engine.kernels.gpu.cuda_launcher import CudaLauncher
from engine.kernels.gpu.cuda_linear import CudaLinear, CudaMatrix
from engine.kernels.gpu.cuda_tile_sizes import kernels
from engine.kernels.gpu.layout import lay_out
from engine.kernels.gpu.step import GpuStep
from engine.kernels.linear import DeviceKernels, FusedOps
from engine.kv_cache.cache import LayerShard
from engine.layers.modes import Quantization
from engine.models.llama.config import LlamaConfig
from engine.models.llama.llama import rotary, rotate
from tests.engine.kernels.gpu.host import host_launcher
from tests.engine.kernels.gpu.oracle import BLOCK, error, past, projected, stored
from tests.engine.kernels.gpu.oracle import attended as attended_to
from tests.engine.kernels.gpu.test_step import expected_logits, half_language

MODES: tuple[Quantization, ...] = ("none", "int8", "4bit")
CONFIG = LlamaConfig(34, 64, 64, 2, 4, 2, 16)
NVCC = shutil.which("nvcc")
ROUNDING = 1e-3  # fp16's, and no more
pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="NOT TESTED: the kernels in CUDA's C++, for there is no g++ here")


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> CudaLauncher:
    return host_launcher(tmp_path_factory.mktemp("kernels"))


@pytest.fixture(autouse=True)
def same_numbers_every_time() -> None:
    torch.manual_seed(0)


def matrix_of(weight: Tensor, mode: Quantization, gated: bool) -> tuple[CudaMatrix, Tensor]:
    """As the kernels take it, and what it stands for."""
    codes, scale, meant = stored(weight, mode)
    if scale is None:
        return CudaMatrix(codes, None, 16, len(weight), weight.shape[1], gated), meant
    bits = cuda_linear.BITS[codes.dtype]
    return CudaMatrix(*lay_out(codes, scale, gated), bits, len(weight), weight.shape[1], gated), meant


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rows", [1, 5, 13, 20, 40])  # one for every size of kernel
@pytest.mark.parametrize("gated", [False, True])
def test_a_projection_with_norm_and_shortcut(launcher: CudaLauncher, mode: Quantization, rows: int, gated: bool) -> None:
    width_in, features = 320, 52
    matrix, meant = matrix_of(torch.randn(features, width_in) / width_in**0.5, mode, gated)
    x, shortcut = torch.randn(rows, width_in).half(), torch.randn(rows, features // (1 + gated)).half()
    norm = torch.rand(width_in).half(), 1e-5
    assert error(CudaLinear(launcher).project(x, matrix, FusedOps(norm, shortcut)), projected(x, meant, norm, shortcut, gated)) < ROUNDING
    wide = CudaLinear(launcher).project(x, matrix, FusedOps(dtype=torch.float32))
    assert wide.dtype == torch.float32
    scaled = rows > 16 and mode == "4bit"  # many rows multiply restored halves, whose codes met their scales before
    assert error(wide, projected(x, meant, None, None, gated)) < (ROUNDING if scaled else 1e-5)
    assert not launcher.finished.any(), "the next launch counts from zero"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [cuda_tile_sizes.LONG, cuda_tile_sizes.WIDE])
@pytest.mark.parametrize("rows", [1, 7])
def test_every_shape_of_a_matrix(
    launcher: CudaLauncher, mode: Quantization, shape: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several tiles a program and several programs a tile; 100 features leave the last program without its last tile."""
    monkeypatch.setattr(cuda_linear, "shape_of", lambda features, width_in: shape)
    matrix, meant = matrix_of(torch.randn(100, 448) / 21, mode, gated=False)
    x = torch.randn(rows, 448).half()
    assert error(CudaLinear(launcher).project(x, matrix), projected(x, meant, None, None, gated=False)) < ROUNDING
    assert not launcher.finished.any()


@pytest.mark.parametrize("mode", MODES[1:])
@pytest.mark.parametrize("rows", [3, 70])
@pytest.mark.parametrize("gated", [False, True])
def test_prompts_of_any_length_from_codes(
    launcher: CudaLauncher, mode: Quantization, rows: int, gated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_linear, "FEW", 80)
    monkeypatch.setattr(cuda_linear, "RESTORED", 2 * 16 * 128 * 2)  # two tiles of features at a time
    matrix, meant = matrix_of(torch.randn(84, 128) / 11, mode, gated)
    x = torch.randn(rows, 2, 128).half()
    y = CudaLinear(launcher).product(x, matrix)
    assert y.shape == (rows, 2, 84)
    assert error(y, x.double() @ meant.T) < ROUNDING


@pytest.mark.parametrize(("heads", "kv_heads", "head_dim", "rotated"), [(2, 2, 16, True), (3, 1, 64, False), (1, 1, 128, True)])
def test_attention_over_scattered_blocks(launcher: CudaLauncher, heads: int, kv_heads: int, head_dim: int, rotated: bool) -> None:
    lengths, most = torch.tensor([0, 15, 16, 70, 200], dtype=torch.int32), 13
    tables = torch.randperm(len(lengths) * most).view(-1, most).int()
    keys, values = torch.randn(2, tables.numel(), BLOCK, kv_heads, head_dim).half()
    before = keys.clone(), values.clone()
    new = torch.randn(len(lengths), heads + 2 * kv_heads, head_dim).half()
    query, key, value = new.split((heads, kv_heads, kv_heads), dim=1)
    config = LlamaConfig(1, 1, 1, 1, heads, kv_heads, head_dim)
    frequencies = None if rotated else 1 / config.rope_theta ** (torch.arange(0, head_dim, 2) / head_dim)
    mixed = CudaAttention(launcher)(AttentionInputs(query, key, value, keys, values, tables, lengths, frequencies))
    if not rotated:
        cos, sin = rotary(lengths[:, None], config, torch.float32)
        query, key = (rotate(x[:, :, None].float(), cos, sin)[:, :, 0] for x in (query, key))
    for row, length in enumerate(lengths.tolist()):
        block, slot = int(tables[row, length // BLOCK]), length % BLOCK
        for kept, old, entering in ((keys, before[0], key), (values, before[1], value)):
            assert error(kept[block, slot], entering[row]) < ROUNDING
            old[block, slot] = kept[block, slot]
        exact = attended_to(query[row], past(keys, tables[row], length + 1), past(values, tables[row], length + 1))
        assert error(mixed[row], exact) < ROUNDING
    assert torch.equal(keys, before[0]), "nothing is written but the new tokens"
    assert torch.equal(values, before[1])
    assert not launcher.finished.any()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rows", [1, 3])
def test_the_step_equals_the_model(launcher: CudaLauncher, mode: Quantization, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.engine.kernels.gpu.test_step.CONFIG", CONFIG)
    lengths, most = [37, 0, 20][:rows], 3
    language = half_language(mode)
    exact_language = copy.deepcopy(language).float()
    keys, values = torch.randn(2, CONFIG.num_hidden_layers, rows * most, BLOCK, CONFIG.num_key_value_heads, CONFIG.head_dim).half()
    tables = torch.randperm(rows * most).view(rows, most).int()
    hidden = torch.randn(rows, CONFIG.hidden_size).half()
    exact = [
        expected_logits(exact_language, row, keys, values, table, length)
        for row, table, length in zip(hidden, tables, lengths, strict=True)
    ]
    step = GpuStep(language, lambda device: DeviceKernels(CudaLinear(launcher), CudaAttention(launcher)))
    made = step.layers(hidden, LayerShard(0, CONFIG.num_hidden_layers, keys, values), tables, torch.tensor(lengths).int(), None)
    assert error(step.logits(made), torch.stack(exact)) < 2 * ROUNDING


@pytest.mark.skipif(nvrtc() is None and NVCC is None, reason="NOT TESTED: machine code for cards, for neither NVRTC nor nvcc is here")
@pytest.mark.parametrize("capability", [(7, 5), (9, 0)])
@pytest.mark.parametrize("source", ["project.cu 4", "project.cu 8", "project.cu 16", "attend.cu", "rows.cu"])
def test_every_kernel_of_a_7b_becomes_machine_code(source: str, capability: tuple[int, int], tmp_path: Path) -> None:
    name, _, bits = source.partition(" ")
    definitions = [f"FORM {bits}", kernels(int(bits))] if bits else ["HEAD_DIM 128"]
    assert machine_code(whole_source(name, definitions), capability, tmp_path)[:4] == b"\x7fELF"


def machine_code(text: str, capability: tuple[int, int], folder: Path) -> bytes:
    if nvrtc() is not None:
        return compile_source(text, capability)
    source, image = folder / "kernels.cu", folder / "kernels.cubin"
    source.write_text(text)
    hasty = "-Xcicc=-O1", "-Xptxas=-O1"  # nobody runs it
    command = [NVCC or "", f"-arch=sm_{capability[0]}{capability[1]}", "-std=c++17", *hasty, "-cubin", "-o", str(image), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return image.read_bytes()
