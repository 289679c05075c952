"""Our language model, or a whole picture model, as transformers': on the same weights, so that both are timed without a second copy."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch
from accelerate import init_empty_weights
from torch import Tensor, nn
from transformers import AutoModelForImageTextToText, LlamaConfig, LlamaForCausalLM
from transformers.initialization import no_init_weights

from engine.layers.linear import Linear
from engine.models.llama.llama import FUSED, Llama
from engine.models.pretrained.model import PretrainedModel
from engine.weights.pretrained_loader import TEXT_PARTS


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


@torch.no_grad()
def as_picture_model(model: PretrainedModel) -> Any:
    """Transformers' whole picture model on the weights of ours, which is unquantised: eye, connector and language model."""
    language, config = model.language_model, copy.deepcopy(model.vision.config)
    text = config.get_text_config()
    text.num_hidden_layers, text.vocab_size = language.config.num_hidden_layers, language.config.vocab_size
    with no_init_weights():  # memory that nobody touches costs nothing
        whole: Any = AutoModelForImageTextToText.from_config(config, dtype=language.dtype)
    for name, module in model.vision.named_children():
        if name in TEXT_PARTS:
            words = {name.removeprefix("model."): weight for name, weight in unfused(language) if name.startswith("model.")}
            getattr(whole.model, name).load_state_dict(words, assign=True)
        else:
            setattr(whole.model, name, module)
    for name, parameter in model.vision.named_parameters(recurse=False):
        setattr(whole.model, name, parameter)
    whole.lm_head.weight = nn.Parameter(language.lm_head.weight, requires_grad=False)
    return whole.to(language.device).eval().requires_grad_(False)


def unfused(language: Llama) -> Iterator[tuple[str, Tensor]]:
    """The weights by Hugging Face's names; `qkv_proj` and `gate_up_proj` are split into their parts."""
    sizes = rows_of_parts(language)
    modules = dict(language.named_modules())
    for name, weight in language.state_dict().items():
        stem, _, kind = name.rpartition(".")
        if ".lora." in name:
            continue
        parent, _, whole = stem.rpartition(".")
        if kind == "qkv_bias":
            for part, rows in zip(FUSED["qkv_proj"], weight.split(sizes["qkv_proj"]), strict=True):
                yield f"{stem}.{part}.bias", rows
            continue
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
