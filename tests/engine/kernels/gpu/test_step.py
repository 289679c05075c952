"""The GPU's kernels, each against plain float64, then the whole step against the model. Without a card Triton's interpreter runs them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from structlog.testing import capture_logs
from torch import Tensor

pytest.importorskip("triton", reason="Triton has no build for this system; `make test` installs it on Linux.")

from engine.device.devices import Abilities
from engine.kernels.attention import AttentionInputs
from engine.kernels.gpu import support
from engine.kernels.gpu.attention import attend
from engine.kernels.gpu.linear import TritonMatrix, project
from engine.kernels.gpu.lora_step import LoraStep
from engine.kernels.gpu.prompt_linear import read_codes
from engine.kernels.gpu.step import GpuStep
from engine.kernels.gpu.support import build_step, fits, has_lora
from engine.kernels.gpu.triton_device import TritonDevice
from engine.kernels.gpu.triton_kernels import triton_kernels
from engine.kernels.linear import FusedOps
from engine.kernels.torch_step import TorchStep
from engine.kv_cache.cache import LayerShard
from engine.layers.modes import Quantization
from engine.layers.quantization import mode_of_codes, quantize
from engine.layers.quantized import QuantizedLinear, use_quantized
from engine.models.llama.config import LlamaConfig
from engine.models.llama.llama import Llama, rotary, rotate
from tests.engine.kernels.gpu.oracle import BLOCK, Past, attended, error, past, projected, stored

DEVICE = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
MODES: tuple[Quantization, ...] = ("none", "int8", "4bit")
ROUNDING = 1e-3  # fp16's, and no more
CONFIG = LlamaConfig(
    vocab_size=34,
    hidden_size=64,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=16,
)


@pytest.fixture
def device() -> TritonDevice:
    return TritonDevice.of(DEVICE)


@pytest.fixture(autouse=True)
def same_numbers_every_time() -> Iterator[None]:
    torch.manual_seed(0)
    with DEVICE:
        yield


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rows", [1, 3, 17])
@pytest.mark.parametrize(("width_in", "width_out"), [(192, 40), (2112, 6)])
def test_a_projection_with_norm_gate_and_shortcut(
    device: TritonDevice, mode: Quantization, rows: int, width_in: int, width_out: int
) -> None:
    weight, scale, meant = stored(torch.randn(2 * width_out, width_in) / width_in**0.5, mode)
    x, shortcut = torch.randn(rows, width_in).half(), torch.randn(rows, width_out).half()
    norm = torch.rand(width_in).half(), 1e-5
    everything = project(device, x, TritonMatrix(weight, scale, gated=True), FusedOps(norm, shortcut))
    assert error(everything, projected(x, meant, norm, shortcut, gated=True)) < ROUNDING
    nothing = project(device, x, TritonMatrix(weight, scale), FusedOps(dtype=torch.float32))
    assert nothing.dtype == torch.float32
    assert error(nothing, projected(x, meant, None, None, gated=False)) < ROUNDING
    assert not device.finished.any(), "the next launch counts from zero"


def test_one_row_is_rounded_only_at_its_end(device: TritonDevice) -> None:
    weight, x, gain = torch.randn(40, 320).half(), torch.randn(1, 320).half(), torch.rand(320).half()
    y = project(device, x, TritonMatrix(weight), FusedOps((gain, 1e-5), dtype=torch.float32))
    assert error(y, projected(x, weight.double(), (gain, 1e-5), None, gated=False)) < 1e-6


@pytest.mark.parametrize(("heads", "kv_heads", "rotated"), [(2, 2, True), (3, 1, False)])
def test_attention_over_scattered_blocks(device: TritonDevice, heads: int, kv_heads: int, rotated: bool) -> None:
    lengths, most, head_dim = torch.tensor([0, 15, 16, 70], dtype=torch.int32), 5, 16
    tables = torch.randperm(len(lengths) * most).view(-1, most).int()
    keys, values = torch.randn(2, tables.numel(), BLOCK, kv_heads, head_dim).half()
    before = keys.clone(), values.clone()
    new = torch.randn(len(lengths), heads + 2 * kv_heads, head_dim).half()
    query, key, value = new.split((heads, kv_heads, kv_heads), dim=1)  # strided, as a fused projection leaves them
    config = LlamaConfig(1, 1, 1, 1, heads, kv_heads, head_dim)
    frequencies = None if rotated else 1 / config.rope_theta ** (torch.arange(0, head_dim, 2) / head_dim)
    ours = attend(device, AttentionInputs(query, key, value, keys, values, tables, lengths, frequencies))
    if not rotated:
        cos, sin = rotary(lengths[:, None], config, torch.float32)
        query, key = (rotate(x[:, :, None].float(), cos, sin)[:, :, 0] for x in (query, key))
    for row, length in enumerate(lengths.tolist()):
        block, slot = int(tables[row, length // BLOCK]), length % BLOCK
        for kept, old, entering in ((keys, before[0], key), (values, before[1], value)):
            assert error(kept[block, slot], entering[row]) < ROUNDING
            old[block, slot] = kept[block, slot]
        exact = attended(query[row], past(keys, tables[row], length + 1), past(values, tables[row], length + 1))
        assert error(ours[row], exact) < ROUNDING
    assert torch.equal(keys, before[0]), "nothing is written but the new tokens"
    assert torch.equal(values, before[1])
    assert not device.finished.any()


def half_language(mode: Quantization) -> Llama:
    language = Llama(CONFIG)
    whole = {name: weight.detach() for name, weight in language.named_parameters()}
    use_quantized(language, mode)
    for name, module in language.named_modules():
        if isinstance(module, QuantizedLinear):
            codes = quantize(whole[f"{name}.weight"], mode_of_codes(module.weight.dtype))
            module.weight.data, module.weight_scale.data = codes
    return language.half().requires_grad_(False)


def expected_logits(language: Llama, hidden: Tensor, keys: Tensor, values: Tensor, table: Tensor, length: int) -> Tensor:
    """`Llama.forward` in fp32 for one row [width] whose past lies in blocks."""
    layers = range(CONFIG.num_hidden_layers)
    cache = Past(*([past(blocks[layer], table, length) for layer in layers] for blocks in (keys, values)))
    return language.logits(language(hidden.float()[None, None], torch.tensor([[length]]), cache)[0, 0])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("lengths", "most_rows"), [([37], 64), ([0, 20, 31], 2)])
def test_the_step_equals_the_model(mode: Quantization, lengths: list[int], most_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.kernels.gpu.step.MOST_ROWS", most_rows)
    language, rows, most = half_language(mode), len(lengths), 3
    keys, values = torch.randn(2, CONFIG.num_hidden_layers, rows * most, BLOCK, CONFIG.num_key_value_heads, CONFIG.head_dim).half()
    tables = torch.randperm(rows * most).view(rows, most).int()
    hidden = torch.randn(rows, CONFIG.hidden_size).half()
    step, middle = GpuStep(language, triton_kernels), hidden
    for shard in (LayerShard(0, 1, keys[:1], values[:1]), LayerShard(1, 2, keys[1:], values[1:])):
        middle = step.layers(middle, shard, tables, torch.tensor(lengths).int(), None)
    ours = step.logits(middle)
    exact = [
        expected_logits(language.float(), row, keys, values, table, length)
        for row, table, length in zip(hidden, tables, lengths, strict=True)
    ]
    assert error(ours, torch.stack(exact)) < 2 * ROUNDING


@pytest.mark.parametrize("mode", MODES[1:])
def test_a_prompt_is_read_from_the_codes_as_from_restored_weights(mode: Quantization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.kernels.gpu.prompt_linear.TURN", 4)
    language, hidden, positions = half_language(mode), torch.randn(2, 5, CONFIG.hidden_size).half(), torch.arange(5)[None]
    restored = language.logits(language(hidden, positions))
    monkeypatch.setattr(QuantizedLinear, "blocks", None)  # nothing is restored any more
    read_codes(language)
    assert error(language.logits(language(hidden, positions)), restored) < 2 * ROUNDING


def test_a_model_with_lora_attends_in_a_kernel() -> None:
    language = half_language("none").float()
    for adapter in language.add_lora(rank=2):
        adapter.b.data.normal_()
    shape = (CONFIG.num_hidden_layers, 6, BLOCK, CONFIG.num_key_value_heads, CONFIG.head_dim)
    tables, lengths, gate = torch.randperm(6).view(2, 3).int(), torch.tensor([40, 7]).int(), torch.tensor([1.0, 0.0])
    hidden, keys, values = torch.randn(2, CONFIG.hidden_size), torch.randn(shape), torch.randn(shape)
    plain, ours = (
        step.layers(hidden, LayerShard(0, CONFIG.num_hidden_layers, keys.clone(), values.clone()), tables, lengths, gate)
        for step in (TorchStep(language), LoraStep(language))
    )
    assert has_lora(language)
    torch.testing.assert_close(ours, plain)


def test_a_model_that_the_kernels_do_not_compute_takes_plain_torch() -> None:
    assert fits(half_language("none"))
    assert not has_lora(half_language("none"))
    assert not fits(half_language("none").float())
    assert not fits(Llama(replace(CONFIG, head_dim=24)).half())
    assert build_step(half_language("none"), Abilities(torch.float16, triton=False)) is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="There is a card here, so nothing is lacking.")
def test_what_is_lacking_is_said_once() -> None:
    support.lacking.cache_clear()
    with capture_logs() as logs:
        for _ in range(2):
            assert build_step(half_language("none"), Abilities(torch.float16, triton=True)) is None
    assert [entry["event"] for entry in logs] == ["slower without kernels of our own"]


def test_without_triton_plain_torch_is_taken() -> None:
    script = """
import sys
sys.modules["triton"] = None
import torch
from engine.device.devices import Abilities
from engine.kernels.gpu.support import available
assert not available(Abilities(torch.float16, triton=True))
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "triton is not installed" in done.stdout + done.stderr
