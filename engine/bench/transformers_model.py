"""Our language model as a transformers model that shares the same weights, so that both can be timed without a second copy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch
from accelerate import init_empty_weights
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from engine.layers.linear import Linear
from engine.models.llama.llama import FUSED, Llama


@torch.no_grad()
def as_transformers(language: Llama) -> Any:
    """`LlamaForCausalLM` on the weights of our unquantised model: views of them, or copies where LoRA adapters are merged in."""
    shape = asdict(language.config)
    rope = {"rope_type": "default", "rope_theta": shape.pop("rope_theta")}
    with init_empty_weights(include_buffers=False):  # the rotary frequencies are computed, not loaded
        oracle: Any = LlamaForCausalLM(LlamaConfig(**shape, rope_parameters=rope))
    oracle.load_state_dict(dict(unfused(language)), assign=True)
    oracle.tie_weights()
    return oracle.to(language.device).eval().requires_grad_(False)


def unfused(language: Llama) -> Iterator[tuple[str, Tensor]]:
    """The weights by Hugging Face's names; `qkv_proj` and `gate_up_proj` are split into their parts."""
    sizes = rows_of_parts(language)
    modules = dict(language.named_modules())
    for name, weight in language.state_dict().items():
        stem, _, kind = name.rpartition(".")
        if ".lora." in name:
            continue
        parent, _, whole = stem.rpartition(".")
        module = modules[stem]
        matrix = merged(module) if isinstance(module, Linear) else weight
        if whole in FUSED:
            for part, rows in zip(FUSED[whole], matrix.split(sizes[whole]), strict=True):
                yield f"{parent}.{part}.{kind}", rows
        else:
            yield name, matrix


def rows_of_parts(language: Llama) -> dict[str, list[int]]:
    config = language.config
    heads, kv = config.num_attention_heads * config.head_dim, config.num_key_value_heads * config.head_dim
    return {"qkv_proj": [heads, kv, kv], "gate_up_proj": [config.intermediate_size] * 2}


def merged(linear: Linear) -> Tensor:
    """The matrix with its LoRA at full strength."""
    lora = linear.lora
    return linear.weight if lora is None else linear.weight + lora.scale * lora.b @ lora.a
