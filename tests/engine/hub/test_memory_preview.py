"""What is said before a download of how a model would run here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from engine.hub import memory_preview

TEXT = {"num_hidden_layers": 34, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "hidden_size": 2560}


def preview(folder: Path, parameters: int, **config: object) -> str:
    (folder / "config.json").write_text(json.dumps(config))
    return memory_preview.memory_preview(folder / "config.json", parameters)


def test_a_fallback_is_said_with_its_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_preview, "default_device", lambda: torch.device("cuda:0"))
    monkeypatch.setattr(memory_preview, "available", lambda device: 16_000_000_000)
    text = {"model_type": "gemma3_text", "sliding_window": 1024, **TEXT}
    said = preview(tmp_path, 4_300_000_000, model_type="gemma3", text_config=text)
    assert said.startswith("As a gemma3 it is run by transformers (fallback) in 16 bit: that takes ")
    assert said.endswith(", and 16.0 GB of cuda:0 are free.")
    assert preview(tmp_path, 12_000_000_000, model_type="gemma3", text_config=text).startswith("It does NOT fit here. As a gemma3")


def test_a_family_of_ours_is_said_in_four_bit_on_a_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_preview, "default_device", lambda: torch.device("cpu"))
    text = {"model_type": "llama", "vocab_size": 32000, "intermediate_size": 8192, "rms_norm_eps": 1e-5, **TEXT}
    assert "it runs in 4 bit and takes about" in preview(tmp_path, 4_000_000_000, model_type="llava", text_config=text)
