"""Rotary embeddings that are stretched for longer contexts turn as transformers' do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import LlamaConfig as OracleConfig
from transformers import LlamaForCausalLM
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from engine.models.llama.config import LlamaConfig
from engine.models.llama.llama import Llama, frequencies, rotary

STRETCHED = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


def test_llama_3_1s() -> None:
    config = OracleConfig(hidden_size=1024, num_attention_heads=8, head_dim=128, max_position_embeddings=131072, rope_parameters=STRETCHED)
    theirs, scale = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    assert scale == 1
    torch.testing.assert_close(frequencies(LlamaConfig.from_json(config.to_dict())), theirs)


YARN = {"rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0, "original_max_position_embeddings": 32768}


@pytest.mark.parametrize(
    "changes",
    [
        {},  # Qwen's
        {"factor": 8.0, "attention_factor": 1.5, "beta_fast": 16.0, "beta_slow": 2.0},
        {"mscale": 1.0, "mscale_all_dim": 0.8, "truncate": False},  # DeepSeek's
        {"factor": 1.0},
        {"rope_theta": 1e4, "original_max_position_embeddings": 64},  # nothing turns often enough to be kept
    ],
)
def test_yarns(changes: dict[str, Any]) -> None:
    rope = {**YARN, **changes}
    config = OracleConfig(hidden_size=1024, num_attention_heads=8, head_dim=128, max_position_embeddings=131072, rope_parameters=rope)
    theirs, scale = ROPE_INIT_FUNCTIONS["yarn"](config, torch.device("cpu"))
    ours = LlamaConfig.from_json(config.to_dict())
    torch.testing.assert_close(frequencies(ours), theirs)
    assert ours.rope_magnitude == pytest.approx(scale)
    cos, sin = rotary(torch.tensor([[0, 5, 70_000]]), ours, torch.float32)
    torch.testing.assert_close(cos[0, 0] ** 2 + sin[0, 0] ** 2, torch.full((3, 128), scale**2))


def test_yarn_changes_what_is_written() -> None:
    """A whole model and a prompt longer than it was trained on: its logits equal transformers', and those without YaRN don't."""
    rope = {**YARN, "original_max_position_embeddings": 32, "rope_theta": 1e4}
    sizes: dict[str, Any] = {"vocab_size": 80, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    theirs = OracleConfig(**sizes, max_position_embeddings=128, initializer_range=0.3, rope_parameters=rope)
    oracle, ids, config = LlamaForCausalLM(theirs).eval(), torch.randint(80, (1, 100)), LlamaConfig.from_json(theirs.to_dict())
    differences = []
    for ours in (Llama(config), Llama(replace(config, rope_scaling=None))):
        ours.load_weights(oracle.state_dict())
        with torch.inference_mode():
            found = ours.logits(ours(ours.embed(ids), torch.arange(100)[None]))
            differences.append((found - oracle(ids).logits).abs().max().item())
    assert differences[0] < 1e-3 < 0.1 < differences[1]
