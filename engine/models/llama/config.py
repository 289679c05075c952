"""LLaMA's shape, read from the `config.json` that Hugging Face folders carry."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from engine.errors import ModelError

ROPE_TYPES = ("default", "llama3")
BIASED, NORMED = ("qwen2", "qwen2_5_vl_text"), ("qwen3", "qwen3_vl_text")  # bodies by their `model_type`


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
class Mrope:
    """Multimodal rotary embeddings (Wang et al. 2024): a token has a place in time, in height and in width, and each pair of features
    turns by one of the three. `sections` are how many pairs each axis has; they stand behind one another (Qwen2.5-VL), or
    `interleaved`, height and width taking every third pair (Qwen3-VL)."""

    sections: tuple[int, int, int]
    interleaved: bool

    @property
    def axes(self) -> list[int]:
        """The axis of each pair, [head_dim / 2]."""
        in_order = [axis for axis, pairs in enumerate(self.sections) for _ in range(pairs)]
        if not self.interleaved:
            return in_order
        return [axis if at < 3 * self.sections[axis] else 0 for at, axis in ((at, at % 3) for at in range(len(in_order)))]

    @classmethod
    def from_json(cls, rope: dict[str, Any]) -> Mrope | None:
        sections = rope.get("mrope_section")
        return None if sections is None else cls((sections[0], sections[1], sections[2]), bool(rope.get("mrope_interleaved", False)))


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
    mrope: Mrope | None = None  # Qwen2.5-VL, Qwen3-VL
    deepstack: int = 0  # Qwen3-VL: behind so many of the first layers something of the picture is added

    @classmethod
    def from_json(cls, values: dict[str, Any], where: str = "config.json") -> LlamaConfig:
        """`where` names the file for errors.

        Raises ModelError for what is not computed here: another way to scale rotary embeddings, other biases, another activation.
        """
        rope = values.get("rope_parameters") or values.get("rope_scaling") or {}
        kind = rope.get("rope_type") or rope.get("type") or "default"
        kind = "default" if kind == "mrope" else kind
        body = values.get("model_type", "llama")
        if kind not in ROPE_TYPES:
            raise ModelError(f"{where} says rope_type = {kind!r}; this engine computes {' and '.join(ROPE_TYPES)}. Choose another model.")
        for name, value, wanted in (
            ("use_sliding_window", values.get("use_sliding_window", False), False),
            ("hidden_act", values.get("hidden_act", "silu"), "silu"),
            ("attention_bias", values.get("attention_bias", False), False),
            ("mlp_bias", values.get("mlp_bias", False), False),
        ):
            if value != wanted:
                raise ModelError(f"{where} says {name} = {value!r}; this engine computes {wanted!r} only. Choose another model.")
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
            qkv_bias=values.get("qkv_bias", body in BIASED),
            qk_norm=values.get("qk_norm", body in NORMED),
            rope_scaling=RopeScaling.from_json(rope) if kind == "llama3" else None,
            mrope=Mrope.from_json(rope),
        )

    @classmethod
    def read(cls, path: Path) -> LlamaConfig:
        """The config in the file at `path`. Raises ModelError that names the file."""
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8-sig")), str(path))
        except FileNotFoundError:
            raise ModelError(f"{path} is missing. Fetch or convert the model again.") from None
        except OSError as error:
            raise ModelError(f"{path} can't be read: {error.strerror}. Check who may read it.") from None
        except (KeyError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
            raise ModelError(f"{path} is no LLaMA config: {error}. Fetch or convert the model again.") from None
