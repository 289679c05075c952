"""LLaMA's shape, read from the `config.json` that Hugging Face folders carry."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from engine.errors import ModelError

ROPE_TYPES = ("default", "llama3")


@dataclass(frozen=True)
class RopeScaling:
    """How Llama 3.1 stretches rotary embeddings: waves longer than the trained context are slowed by `factor`, short ones kept."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_position_embeddings: int

    @classmethod
    def from_json(cls, rope: dict[str, Any]) -> RopeScaling:
        return cls(*(rope[field.name] for field in fields(cls)))


@dataclass(frozen=True)
class LlamaConfig:
    """Widths in features, `max_position_embeddings` in tokens. The names are those of `config.json`."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int = 2048
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10000.0
    tie_word_embeddings: bool = False
    qkv_bias: bool = False  # Qwen2: queries, keys and values have a bias
    qk_norm: bool = False  # Qwen3: each head's query and key is normed before it is rotated
    rope_scaling: RopeScaling | None = None

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> LlamaConfig:
        """Raises ModelError for what is not computed here: another way to scale rotary embeddings, other biases, another activation."""
        rope = values.get("rope_parameters") or values.get("rope_scaling") or {}
        kind = rope.get("rope_type") or rope.get("type") or "default"
        body = values.get("model_type", "llama")
        if kind not in ROPE_TYPES:
            raise ModelError(
                f"config.json says rope_type = {kind!r}; this engine computes {' and '.join(ROPE_TYPES)}. Choose another model."
            )
        for name, value, wanted in (
            ("use_sliding_window", values.get("use_sliding_window", False), False),
            ("hidden_act", values.get("hidden_act", "silu"), "silu"),
            ("attention_bias", values.get("attention_bias", False), False),
            ("mlp_bias", values.get("mlp_bias", False), False),
        ):
            if value != wanted:
                raise ModelError(f"config.json says {name} = {value!r}; this engine computes {wanted!r} only. Choose another model.")
        heads = values["num_attention_heads"]
        return cls(
            vocab_size=values["vocab_size"],
            hidden_size=values["hidden_size"],
            intermediate_size=values["intermediate_size"],
            num_hidden_layers=values["num_hidden_layers"],
            num_attention_heads=heads,
            num_key_value_heads=values.get("num_key_value_heads") or heads,
            head_dim=values.get("head_dim") or values["hidden_size"] // heads,
            max_position_embeddings=values.get("max_position_embeddings") or values.get("max_sequence_length") or 2048,
            rms_norm_eps=values.get("rms_norm_eps", 1e-6),
            rope_theta=rope.get("rope_theta") or values.get("rope_theta") or 10000.0,
            tie_word_embeddings=values.get("tie_word_embeddings", False),
            qkv_bias=values.get("qkv_bias", body == "qwen2"),
            qk_norm=values.get("qk_norm", body == "qwen3"),
            rope_scaling=RopeScaling.from_json(rope) if kind == "llama3" else None,
        )

    @classmethod
    def read(cls, path: Path) -> LlamaConfig:
        """The config in the file at `path`. Raises ModelError that names the file."""
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise ModelError(f"{path} is missing. Fetch or convert the model again.") from None
        except (KeyError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
            raise ModelError(f"{path} is no LLaMA config: {error}. Fetch or convert the model again.") from None
