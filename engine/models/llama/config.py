"""LLaMA's shape, read from the `config.json` that Hugging Face folders carry."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from engine.errors import ModelError

ROPE_TYPES = ("default", "llama3", "yarn")
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
class YarnScaling:
    """YaRN (Peng et al. 2023, arXiv 2309.00071): pairs of features that turn fewer than `beta_slow` times within the trained context are
    slowed by `factor`, those that turn more than `beta_fast` times are kept, those between lie between. Queries and keys grow by
    `magnitude`; `truncate`: the borders are whole pairs.
    """

    factor: float
    original_max_position_embeddings: int
    magnitude: float
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    truncate: bool = True

    @classmethod
    def from_json(cls, rope: dict[str, Any], longest: int) -> YarnScaling:
        """`longest` is the config's own `max_position_embeddings`."""
        original = rope.get("original_max_position_embeddings") or longest
        factor = rope.get("factor") or longest / original
        return cls(
            factor,
            original,
            rope.get("attention_factor") or yarn_magnitude(factor, rope.get("mscale"), rope.get("mscale_all_dim")),
            rope.get("beta_fast") or cls.beta_fast,
            rope.get("beta_slow") or cls.beta_slow,
            rope.get("truncate", True),
        )

    def slowed(self, theta: float, head_dim: int) -> tuple[float, float]:
        """The pairs, as places in [0, head_dim / 2), from which slowing begins and at which it is complete."""

        def place(turns: float) -> float:
            return head_dim * math.log(self.original_max_position_embeddings / (2 * math.pi * turns)) / (2 * math.log(theta))

        first, last = place(self.beta_fast), place(self.beta_slow)
        if self.truncate:
            first, last = math.floor(first), math.ceil(last)
        return max(first, 0), min(last, head_dim - 1)


def yarn_magnitude(factor: float, scale: float | None, all_dims: float | None) -> float:
    """By the paper's rule; DeepSeek's two scales are of one another."""

    def rule(weight: float) -> float:
        return 1.0 if factor <= 1 else 0.1 * weight * math.log(factor) + 1.0

    return rule(scale) / rule(all_dims) if scale and all_dims else rule(1.0)


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
    rope_scaling: RopeScaling | YarnScaling | None = None
    mrope: Mrope | None = None  # Qwen2.5-VL, Qwen3-VL
    deepstack: int = 0  # Qwen3-VL: behind so many of the first layers something of the picture is added

    @property
    def rope_magnitude(self) -> float:
        """By which rotated queries and keys grow."""
        return self.rope_scaling.magnitude if isinstance(self.rope_scaling, YarnScaling) else 1.0

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
        longest = values.get("max_position_embeddings") or values.get("max_sequence_length") or 2048
        return cls(
            vocab_size=values["vocab_size"],
            hidden_size=values["hidden_size"],
            intermediate_size=values["intermediate_size"],
            num_hidden_layers=values["num_hidden_layers"],
            num_attention_heads=heads,
            num_key_value_heads=values.get("num_key_value_heads") or heads,
            head_dim=values.get("head_dim") or values["hidden_size"] // heads,
            max_position_embeddings=longest,
            rms_norm_eps=values.get("rms_norm_eps", 1e-6),
            rope_theta=rope.get("rope_theta") or values.get("rope_theta") or 10000.0,
            tie_word_embeddings=values.get("tie_word_embeddings", False),
            qkv_bias=values.get("qkv_bias", body in BIASED),
            qk_norm=values.get("qk_norm", body in NORMED),
            rope_scaling=stretching(kind, rope, longest),
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


def stretching(kind: str, rope: dict[str, Any], longest: int) -> RopeScaling | YarnScaling | None:
    """How a config of this `rope_type` stretches rotary embeddings."""
    if kind == "yarn":
        return YarnScaling.from_json(rope, longest)
    return RopeScaling.from_json(rope) if kind == "llama3" else None
