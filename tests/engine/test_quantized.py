"""int8 projections against the ones they stand in for."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import ModelError, WeightsError
from engine.models.linear import Linear
from engine.models.llama import Llama
from engine.models.loader import load_language
from engine.models.quantized import FEW, Int8Linear, quantize
from tests.engine.tiny import tiny_card, tiny_language

CPU = torch.device("cpu")


def folder_with(language: Llama, folder: Path) -> Path:
    (folder / "config.json").write_text(json.dumps(asdict(language.config)))
    save_file(language.state_dict(), folder / "language.safetensors")
    return folder


@pytest.mark.parametrize("rows", [1, FEW, FEW + 1, 40])
@torch.no_grad()
def test_the_product_is_off_by_rounding_only(rows: int) -> None:
    torch.manual_seed(0)
    whole = Linear(64, 96).to(torch.bfloat16)
    x = torch.randn(2, rows, 64, dtype=torch.bfloat16)
    expected = whole(x).float()
    error = (Int8Linear.of(whole)(x).float() - expected).norm() / expected.norm()
    assert 0 < error < 0.01


@torch.no_grad()
def test_a_lora_branch_goes_along() -> None:
    whole = Linear(16, 16)
    whole.add_lora(rank=2).b.normal_()
    small, x = Int8Linear.of(whole), torch.randn(1, 3, 16)
    branch = small(x, torch.ones(1, 1, 1)) - small(x)
    torch.testing.assert_close(branch, whole(x, torch.ones(1, 1, 1)) - whole(x))


@torch.no_grad()
def test_a_quantised_model_still_says_nearly_the_same() -> None:
    language = tiny_language()
    hidden, positions = torch.randn(1, 9, 32), torch.arange(9)[None]
    before = language.logits(language(hidden, positions))
    quantize(language)
    after = language.logits(language(hidden, positions))
    assert torch.nn.functional.cosine_similarity(before, after, dim=-1).min() > 0.999


@torch.no_grad()
def test_stored_int8_loads_as_it_is(tmp_path: Path) -> None:
    language = tiny_language()
    quantize(language)
    loaded = load_language(folder_with(language, tmp_path), tiny_card(), CPU, torch.float32)
    hidden, positions = torch.randn(1, 5, 32), torch.arange(5)[None]
    assert torch.equal(loaded(hidden, positions), language(hidden, positions))


@torch.no_grad()
def test_plain_weights_become_int8_where_the_card_says_so(tmp_path: Path) -> None:
    folder = folder_with(tiny_language(), tmp_path)
    card = tiny_card().model_copy(update={"quantization": "int8"})
    assert isinstance(load_language(folder, card, CPU, torch.bfloat16).lm_head, Int8Linear)
    assert not isinstance(load_language(folder, tiny_card(), CPU, torch.bfloat16).lm_head, Int8Linear)


def test_damaged_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json is missing"):
        load_language(tmp_path, tiny_card(), CPU, torch.float32)
    folder = folder_with(tiny_language(), tmp_path)
    weights = folder / "language.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(WeightsError, match=r"language\.safetensors is truncated"):
        load_language(folder, tiny_card(), CPU, torch.float32)
