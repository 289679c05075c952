"""Quantised projections against the ones they stand in for."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import ModelError, WeightsError
from engine.layers.modes import Quantization
from engine.layers.quantization import dequantize, quantize
from engine.layers.quantized import FEW, QuantizedLinear
from engine.models.card import Card
from engine.models.llama.llama import Llama
from engine.weights.loader import load_language
from tests.engine.tiny import CONFIG, tiny_card, tiny_language

CPU = torch.device("cpu")
MODES: tuple[Quantization, ...] = ("int8", "4bit")


def card(quantization: Quantization) -> Card:
    return tiny_card().model_copy(update={"quantization": quantization})


def folder_with(language: Llama, folder: Path, state: dict[str, torch.Tensor] | None = None) -> Path:
    (folder / "config.json").write_text(json.dumps(asdict(language.config)))
    save_file(state or language.state_dict(), folder / "language.safetensors")
    return folder


def layer(weight: torch.Tensor, mode: Quantization) -> QuantizedLinear:
    linear = QuantizedLinear(weight.shape[1], weight.shape[0], mode)
    linear.weight.data, linear.weight_scale.data = quantize(weight, mode)
    return linear


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(64,), (1, 64), (2, FEW // 2, 64), (FEW + 1, 64), (2, 40, 64)])
@torch.no_grad()
def test_a_layer_equals_its_dequantised_weights(mode: Quantization, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    linear = layer(torch.randn(96, 64, generator=generator), mode)
    x = torch.randn(shape, generator=generator).to(dtype)
    expected = x.double() @ dequantize(linear.weight, linear.weight_scale, torch.float64).T
    tolerance = 1e-6 if dtype == torch.float32 else 1e-2
    torch.testing.assert_close(linear(x).double(), expected, rtol=tolerance, atol=tolerance * expected.abs().max().item())


@pytest.mark.parametrize("mode", MODES)
@torch.no_grad()
def test_a_lora_adapter_goes_along(mode: Quantization) -> None:
    small = layer(torch.randn(16, 64), mode)
    adapter = small.add_lora(rank=2)
    adapter.b.normal_()
    x = torch.randn(1, 3, 64)
    torch.testing.assert_close(small(x, on := torch.ones(1, 1, 1)) - small(x), adapter(x, on))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rows", [1, 3 * FEW])
def test_a_gradient_goes_through_and_nothing_whole_is_kept_for_it(mode: Quantization, rows: int) -> None:
    small = layer(torch.randn(96, 64), mode)
    x, up = torch.randn(rows, 64, requires_grad=True), torch.randn(rows, 96)
    kept = list[tuple[int, ...]]()

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tuple(tensor.shape))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out = small(x)
    out.backward(up)
    whole = dequantize(small.weight, small.weight_scale, torch.float32)
    torch.testing.assert_close(out, x @ whole.T, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(x.grad, up @ whole, rtol=1e-4, atol=1e-3)
    assert kept == []


@pytest.mark.parametrize(("mode", "least"), [("int8", 0.998), ("4bit", 0.9)])
@torch.no_grad()
def test_a_quantised_model_still_says_nearly_the_same(mode: Quantization, least: float, tmp_path: Path) -> None:
    language = tiny_language()
    hidden, positions = torch.randn(1, 9, 32, generator=torch.Generator().manual_seed(0)), torch.arange(9)[None]
    small = load_language(folder_with(language, tmp_path), card(mode), CPU, torch.float32)
    likeness = torch.nn.functional.cosine_similarity(
        language.logits(language(hidden, positions)), small.logits(small(hidden, positions)), dim=-1
    )
    assert least < likeness.min() < 1


@pytest.mark.parametrize("mode", MODES)
@torch.no_grad()
def test_stored_codes_load_as_they_are(mode: Quantization, tmp_path: Path) -> None:
    first = load_language(folder_with(tiny_language(), tmp_path), card(mode), CPU, torch.float32)
    again = load_language(folder_with(first, tmp_path), card(mode), CPU, torch.float32)
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in first.state_dict().items())


@pytest.mark.parametrize("mode", MODES)
@torch.no_grad()
def test_stored_codes_are_restored_for_exact_work(mode: Quantization, tmp_path: Path) -> None:
    small = load_language(folder_with(tiny_language(), tmp_path), card(mode), CPU, torch.float32)
    whole = load_language(folder_with(small, tmp_path), card("none"), CPU, torch.float32)
    assert not any(isinstance(module, QuantizedLinear) for module in whole.modules())
    hidden, positions = torch.randn(1, 5, 32), torch.arange(5)[None]
    torch.testing.assert_close(whole(hidden, positions), small(hidden, positions), rtol=1e-4, atol=1e-4)


def test_a_tied_head_is_quantised_and_the_embedding_is_not(tmp_path: Path) -> None:
    tied = Llama(replace(CONFIG, tie_word_embeddings=True))
    state = {name: tensor for name, tensor in tied.state_dict().items() if name != "lm_head.weight"}
    folder = folder_with(tied, tmp_path, state)
    language = load_language(folder, card("int8"), CPU, torch.float32)
    assert language.lm_head.weight.dtype == torch.int8
    assert torch.equal(language.model.embed_tokens.weight, tied.model.embed_tokens.weight)
    plain = load_language(folder, card("none"), CPU, torch.float32)
    assert plain.lm_head.weight is plain.model.embed_tokens.weight


def test_damaged_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json is missing"):
        load_language(tmp_path, tiny_card(), CPU, torch.float32)
    folder = folder_with(tiny_language(), tmp_path)
    weights = folder / "language.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(WeightsError, match=r"language\.safetensors is truncated"):
        load_language(folder, tiny_card(), CPU, torch.float32)
    weights.unlink()
    with pytest.raises(WeightsError, match=r"language\.safetensors is missing"):
        load_language(folder, tiny_card(), CPU, torch.float32)


def test_weights_that_do_not_fit_their_config_are_named(tmp_path: Path) -> None:
    state = tiny_language().state_dict()
    name = "model.layers.1.mlp.down_proj.weight"
    folder = folder_with(tiny_language(), tmp_path, {**state, name: state[name][:, :8].contiguous()})
    with pytest.raises(WeightsError, match=name):
        load_language(folder, tiny_card(), CPU, torch.float32)
    folder_with(tiny_language(), tmp_path, {other: tensor for other, tensor in state.items() if other != name})
    with pytest.raises(WeightsError, match=name):
        load_language(folder, tiny_card(), CPU, torch.float32)
