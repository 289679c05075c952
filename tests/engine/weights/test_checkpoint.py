"""A checkpoint tells which model it makes, and what it trained of the language model; what doesn't belong together is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.weights.checkpoint import kind_of, merge_lora
from engine.weights.importing import Sources
from tests.engine.models.minigpt_v2.reference import RANK, store
from tests.engine.weights.release_files import edit_json, edit_tensors, expect_refusal, imported

QUERY = "llama_model.base_model.model.model.layers.0.self_attn.q_proj"


@pytest.fixture
def newest(tmp_path: Path) -> Sources:
    return store("minigpt_v2", tmp_path / "files").sources


def test_adapters_are_added_as_peft_adds_them() -> None:
    weight, a, b, x = (torch.randn(*shape) for shape in ((6, 5), (2, 5), (6, 2), (3, 5)))
    torch.testing.assert_close(x @ merge_lora(weight, a, b, 8.0).T, x @ weight.T + 8 * (x @ a.T) @ b.T)


def test_names_of_a_later_peft_and_of_merged_weights(newest: Sources, out: Path) -> None:
    whole = torch.full((64, 64), 0.25)

    def rename(tensors: dict[str, Tensor]) -> None:
        for half in ("A", "B"):
            tensors[f"{QUERY}.lora_{half}.default.weight"] = tensors.pop(f"{QUERY}.lora_{half}.weight")
        tensors["llama_model.model.layers.1.self_attn.o_proj.weight"] = whole

    imported(newest, out.with_name("before"))
    edit_tensors(newest.checkpoint, rename)
    imported(newest, out)
    before, after = (load_file(folder / "language-00001-of-00001.safetensors") for folder in (out.with_name("before"), out))
    changed = "model.layers.1.self_attn.o_proj.weight"
    assert torch.equal(after.pop(changed).float(), whole)
    assert all(torch.equal(before[name], tensor) for name, tensor in after.items())


def cut(tensors: dict[str, Tensor]) -> None:
    del tensors[f"{QUERY}.lora_A.weight"]


def narrow(tensors: dict[str, Tensor]) -> None:
    tensors[f"{QUERY}.lora_A.weight"] = torch.zeros(RANK, 32)


def without_adapters(tensors: dict[str, Tensor]) -> None:
    for name in [name for name in tensors if "lora" in name]:
        del tensors[name]


@pytest.mark.parametrize(("change", "words"), [(cut, "half of an adapter"), (narrow, "another language model")])
def test_adapters_that_do_not_fit_are_told(change: Callable[[dict[str, Tensor]], None], words: str, newest: Sources, out: Path) -> None:
    edit_tensors(newest.checkpoint, change)
    expect_refusal(newest, out, str(newest.checkpoint), words)


def test_a_language_model_of_2023_is_not_llama_2(newest: Sources, out: Path) -> None:
    edit_json(newest.llama / "config.json", max_position_embeddings=2048)
    expect_refusal(newest, out, str(newest.llama), "Llama 2 Chat", "meta-llama")


def test_without_an_eye_it_is_asked_for(newest: Sources, out: Path) -> None:
    expect_refusal(replace(newest, vit=None), out, "--vit")


def test_the_kind_shows_in_the_projection_and_the_adapters(newest: Sources) -> None:
    assert kind_of(newest.checkpoint, newest.sizes()) == "minigpt_v2"
    edit_tensors(newest.checkpoint, without_adapters)
    assert kind_of(newest.checkpoint, newest.sizes()) == "minigpt4_llama2"
