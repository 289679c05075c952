"""A merged model folder against the plain sum, and against its base with the adapter beside it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import AdapterError
from engine.models.card import CARD_NAME
from engine.models.card_reader import read_card
from engine.weights.adapter_merging import merge_adapter
from tests.engine.adapters import adapter_folder, base_weights, merged
from tests.engine.tiny import CONFIG, tiny_card


def base_folder(folder: Path) -> Path:
    """Weights in two files, one of them with names as hubs have them, and a tensor of vision's that looks like the language model's."""
    folder.mkdir()
    weights = {name: tensor.clone() for name, tensor in base_weights().items()}
    second = {f"language_model.{name}": weights.pop(name) for name in list(weights) if "layers.1." in name}
    vision = {"vision_tower.layers.0.self_attn.q_proj.weight": torch.ones(32, 32)}
    save_file(weights, folder / "language-1.safetensors")
    save_file({**second, **vision}, folder / "language-2.safetensors")
    (folder / "config.json").write_text(str(asdict(CONFIG)))
    (folder / CARD_NAME).write_text(tiny_card().model_copy(update={"quantization": "q4_1"}).model_dump_json())
    return folder


def test_the_matrices_are_the_sums_and_all_else_is_as_it_was(tmp_path: Path) -> None:
    base, told = base_folder(tmp_path / "base"), list[tuple[int, int]]()
    merge_adapter(base, adapter_folder(tmp_path, "wide"), tmp_path / "out", lambda done, total: told.append((done, total)))
    found = {
        name: tensor
        for file in ("language-1", "language-2")
        for name, tensor in load_file(tmp_path / "out" / f"{file}.safetensors").items()
    }
    expected = {**base_weights(), **merged("wide")}
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, expected.get(name.removeprefix("language_model."), torch.ones(32, 32)), rtol=1e-5, atol=1e-6)
    assert len(found) == len(expected) + 1
    assert (tmp_path / "out" / "config.json").read_bytes() == (base / "config.json").read_bytes()
    assert (read_card(tmp_path / "out").name, read_card(tmp_path / "out").quantization) == ("out", "none")
    assert told[-1][0] == told[-1][1]


def test_what_does_not_fit_leaves_nothing_behind(tmp_path: Path) -> None:
    base, adapter = base_folder(tmp_path / "base"), adapter_folder(tmp_path, "narrow")
    with pytest.raises(AdapterError, match="the base itself"):
        merge_adapter(base, adapter, base, lambda done, total: None)
    weights = load_file(base / "language-1.safetensors")
    save_file({**weights, "model.layers.0.self_attn.q_proj.weight": torch.ones(16, 16)}, base / "language-1.safetensors")
    with pytest.raises(AdapterError, match=r"is 32 × 32, this model's is 16 × 16"):
        merge_adapter(base, adapter, tmp_path / "out", lambda done, total: None)
    save_file({**weights, "model.layers.0.self_attn.q_proj.weight_scale": torch.ones(32)}, base / "language-1.safetensors")
    with pytest.raises(AdapterError, match="quantised"):
        merge_adapter(base, adapter, tmp_path / "out", lambda done, total: None)
    (base / "language-2.safetensors").unlink()
    save_file(weights, base / "language-1.safetensors")
    with pytest.raises(AdapterError, match=r"has no layers\.1\.self_attn\.q_proj"):
        merge_adapter(base, adapter, tmp_path / "out", lambda done, total: None)
    assert not (tmp_path / "out").exists()
