"""Rotary embeddings that are stretched for longer contexts turn as transformers' do."""

from __future__ import annotations

import torch
from transformers import LlamaConfig as OracleConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from engine.models.llama.config import LlamaConfig
from engine.models.llama.llama import frequencies

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
