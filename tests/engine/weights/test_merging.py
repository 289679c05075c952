"""A LLaMA and a Vicuna delta: wrong configs are corrected, files of different models are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.weights.importing import Sources
from engine.weights.merging import merge
from engine.weights.stored_tensors import open_weights
from tests.engine.weights.release_files import (
    edit_json,
    edit_tensors,
    expect_refusal,
    imported,
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


def test_tensor_that_no_shard_has(sources: Sources, out: Path) -> None:
    edit_tensors(sources.llama / "pytorch_model-00003-of-00003.bin", lambda tensors: tensors.__delitem__("model.norm.weight"))
    expect_refusal(sources, out, "llama-hf", "model.norm.weight")


def test_merging_adds_in_fp16_and_pads_the_base_with_zeros() -> None:
    base, delta = torch.full((2, 3), 1e-4), torch.full((3, 3), 1.0, dtype=torch.float16)
    merged = merge(base, delta.clone())
    assert merged.dtype == torch.float16
    assert torch.equal(merged[2], delta[2])
    assert torch.equal(merged[:2], (base.half() + delta[:2]))
