"""A LLaMA and a Vicuna delta: wrong configs are corrected, files of different models are refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.models.llama.config import LlamaConfig
from engine.models.minigpt4.config import Architecture
from engine.weights.importing import Sources, make_card
from engine.weights.merging import merge
from engine.weights.stored_tensors import open_weights
from tests.engine.weights.release_files import (
    VERSIONS,
    edit_json,
    edit_tensors,
    expect_refusal,
    golden_sources,
    imported,
    merged_vicuna,
)


@pytest.mark.parametrize("claimed", [32000, -1, 600])
def test_vocabulary_that_a_config_states_wrongly(claimed: int, sources: Sources, out: Path) -> None:
    """`size of tensor a (32000) must match …`: the embedding's rows are believed, not the config."""
    assert sources.delta
    for folder in (sources.llama, sources.delta):
        edit_json(folder / "config.json", vocab_size=claimed)
    imported(sources, out)
    assert json.loads((out / "config.json").read_text())["vocab_size"] == 601


def test_rotary_frequencies_are_left_behind(sources: Sources, out: Path) -> None:
    imported(sources, out)
    assert not any("inv_freq" in name for path in out.glob("*.safetensors") for name in open_weights(path))


def test_delta_of_another_size(sources: Sources, out: Path) -> None:
    assert sources.delta
    for path in sources.delta.glob("*.bin"):
        edit_tensors(path, lambda tensors: tensors.update({name: torch.cat((t, t), -1) for name, t in tensors.items()}))
    expect_refusal(sources, out, "vicuna-delta-v0")
    edit_json(sources.delta / "config.json", hidden_size=128)
    expect_refusal(sources, out, "vicuna-delta-v0")


def test_delta_of_another_depth(sources: Sources, out: Path) -> None:
    assert sources.delta
    edit_json(sources.delta / "config.json", num_hidden_layers=1)
    expect_refusal(sources, out, "vicuna-delta-v0", "num_hidden_layers", "--delta")


def test_delta_on_merged_weights(sources: Sources, out: Path) -> None:
    assert sources.delta
    expect_refusal(replace(sources, llama=sources.delta, delta=sources.llama), out, "leave --delta out")


def test_the_same_folder_twice(sources: Sources, out: Path) -> None:
    (out.parent / "again").symlink_to(sources.llama)
    expect_refusal(replace(sources, delta=out.parent / "again"), out, "the same folder", "--delta")


def test_a_delta_alone_is_no_model(sources: Sources, out: Path) -> None:
    assert sources.delta
    expect_refusal(replace(sources, llama=sources.delta, delta=None), out, "vicuna-delta-v0 is a delta", "--llama")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_delta_on_what_holds_it_already(version: str, tmp_path: Path) -> None:
    sources = golden_sources(version)
    assert sources.delta
    merged = merged_vicuna(tmp_path / "vicuna", version)
    expect_refusal(replace(sources, llama=merged), tmp_path / "out", str(merged), "already", "Leave --delta out")
    expect_refusal(replace(sources, delta=merged), tmp_path / "out", str(merged), "leave --delta out")


def test_a_delta_on_a_delta(sources: Sources, out: Path) -> None:
    assert sources.delta
    another = shutil.copytree(sources.delta, out.parent / "another")
    expect_refusal(replace(sources, llama=another), out, str(another), "is a delta itself")


def test_llama_2_is_told_from_llama(sources: Sources, out: Path) -> None:
    edit_json(sources.llama / "config.json", max_position_embeddings=4096)
    expect_refusal(sources, out, str(sources.llama), "Llama 2")


def test_a_model_that_may_be_llama_is_not_called_vicuna() -> None:
    sources = golden_sources("v1")
    config = replace(LlamaConfig.read(sources.llama / "config.json"), vocab_size=32000)
    assert make_card("a", replace(sources, delta=None), "minigpt4", config, Architecture(), "none").version == "Vicuna v1 or LLaMA"
    assert make_card("a", sources, "minigpt4", config, Architecture(), "none").version == "Vicuna v1"


def test_tensor_that_no_shard_has(sources: Sources, out: Path) -> None:
    edit_tensors(sources.llama / "pytorch_model-00003-of-00003.bin", lambda tensors: tensors.__delitem__("model.norm.weight"))
    expect_refusal(sources, out, "llama-hf", "model.norm.weight")


def test_merging_adds_in_fp16_and_pads_the_base_with_zeros() -> None:
    base, delta = torch.full((2, 3), 1e-4), torch.full((3, 3), 1.0, dtype=torch.float16)
    merged = merge(base, delta.clone())
    assert merged.dtype == torch.float16
    assert torch.equal(merged[2], delta[2])
    assert torch.equal(merged[:2], (base.half() + delta[:2]))
