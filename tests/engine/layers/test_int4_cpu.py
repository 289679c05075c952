"""Projections packed for the CPU against the matrices that they stand in for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine.kernels.torch_step import TorchStep
from engine.layers.int4_cpu import FEW, GROUP, PackedLinear, to_4bit
from engine.layers.linear import Linear
from engine.layers.quantization import dequantize, quantize
from engine.layers.quantized import QuantizedLinear
from engine.models.card_reader import read_card
from engine.weights.loader import load_language


def restored(weight: torch.Tensor) -> torch.Tensor:
    codes, scales = to_4bit(weight)
    step, middle = scales.transpose(0, 1).repeat_interleave(GROUP, dim=1).unbind(-1)
    return (codes - 8) * step + middle


def four_bit_weight(out: int, width: int) -> torch.Tensor:
    """As Q4_1 leaves it: each group uses the codes 0 and 15."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(0, 16, (out, width // GROUP, GROUP), generator=generator)
    codes[..., 0], codes[..., 1] = 0, 15
    step, least = 0.25, -2.0
    return (codes * step + least).flatten(1)


def packed(whole: Linear) -> PackedLinear:
    layer = PackedLinear(whole)
    layer.pack_codes()
    return layer


def plain(weight: torch.Tensor) -> Linear:
    linear = Linear(weight.shape[1], weight.shape[0])
    linear.weight.data = weight.bfloat16()
    return linear


def test_weights_that_had_4_bits_come_out_as_they_were() -> None:
    weight = four_bit_weight(32, 64)
    assert torch.equal(restored(weight.bfloat16()), weight)


def test_groups_of_one_value_come_out_as_they_were() -> None:
    weight = torch.full((16, GROUP), 0.5)
    assert torch.equal(restored(weight), weight)


@pytest.mark.parametrize("shape", [(64,), (1, 64), (2, FEW // 2, 64), (FEW + 1, 64), (2, 40, 64)])
@torch.no_grad()
def test_a_layer_equals_its_matrix(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)).bfloat16()
    whole = plain(four_bit_weight(48, 64))
    expected = x.double() @ whole.weight.double().T
    torch.testing.assert_close(packed(whole)(x).double(), expected, rtol=1e-2, atol=1e-2 * expected.abs().max().item())


@torch.no_grad()
def test_a_lora_adapter_goes_along() -> None:
    layer = packed(plain(four_bit_weight(16, 64)))
    adapter = layer.add_lora(rank=2)
    adapter.b.normal_()
    x = torch.randn(1, 3, 64).bfloat16()
    torch.testing.assert_close(layer(x, on := torch.ones(1, 1, 1).bfloat16()), layer(x) + adapter(x, on))


@torch.no_grad()
def test_a_layer_keeps_its_codes_once_a_step_decodes_with_them() -> None:
    layer, x = PackedLinear(plain(four_bit_weight(16, 64))), torch.randn(1, 64).bfloat16()
    assert not list(layer.buffers())
    assert torch.equal(layer(x), torch.nn.functional.linear(x, layer.weight))
    layer.pack_codes()
    assert sum(buffer.nbytes for buffer in layer.buffers()) == layer.packed_bytes


def test_the_pocket_models_own_weights_lose_less_than_in_int8(pocket_folder: Path) -> None:
    tensors = load_file(pocket_folder / "language.safetensors")
    for name in ("model.layers.0.self_attn.q_proj.weight", "model.layers.17.mlp.down_proj.weight"):
        weight = tensors[name]
        in_int8 = dequantize(*quantize(weight, "int8"), torch.float32)
        assert (restored(weight) - weight).norm() < 0.6 * (in_int8 - weight).norm()


def test_a_loaded_model_packs_its_blocks_and_has_its_head_in_int8(pocket_folder: Path) -> None:
    card = read_card(pocket_folder).model_copy(update={"quantization": "q4_1"})
    language = load_language(pocket_folder, card, torch.device("cpu"), torch.bfloat16)
    kinds = {type(module) for module in language.model.modules() if isinstance(module, Linear)}
    assert kinds == {PackedLinear}
    TorchStep(language)
    assert all(not buffer.requires_grad for buffer in language.buffers())  # or each holds on to what it was computed from
    assert isinstance(language.lm_head, QuantizedLinear)
