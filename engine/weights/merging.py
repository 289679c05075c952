"""The language model's weights from a LLaMA folder of 2023 and, where there is one, a Vicuna delta; checked before use.

Configs of that time are known to be wrong in two places, so these values come from elsewhere: the vocabulary's size from
the embedding, and the special tokens from the tokenizer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.errors import WeightsError
from engine.models.llama.config import LlamaConfig
from engine.weights.stored_tensors import StoredTensor, open_folder

EMBEDDING = "model.embed_tokens.weight"


@dataclass(frozen=True)
class HubLlama:
    """A folder of LLaMA's weights, or of a delta to them, in Hugging Face's form."""

    folder: Path
    config: LlamaConfig
    tensors: Mapping[str, StoredTensor]


def open_llama(folder: Path) -> HubLlama:
    """The folder's config and tensors, checked. Raises WeightsError or ModelError that names the file at fault."""
    tensors = open_folder(folder, lambda name: not name.endswith("rotary_emb.inv_freq"))
    if EMBEDDING not in tensors:
        raise WeightsError(
            f"{folder} lacks {EMBEDDING}: a weight file is missing from the folder, or it holds no LLaMA. Download it again."
        )
    config = dataclasses.replace(LlamaConfig.read(folder / "config.json"), vocab_size=tensors[EMBEDDING].shape[0])
    check_tensors(folder, tensors, language_shapes(config))
    return HubLlama(folder, config, tensors)


def language_shapes(config: LlamaConfig) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter of LLaMA by its Hugging Face name, in the order of use."""
    width, inner = config.hidden_size, config.intermediate_size
    heads, kv_heads = config.num_attention_heads * config.head_dim, config.num_key_value_heads * config.head_dim
    block: dict[str, tuple[int, ...]] = {
        "input_layernorm": (width,),
        "self_attn.q_proj": (heads, width),
        "self_attn.k_proj": (kv_heads, width),
        "self_attn.v_proj": (kv_heads, width),
        "self_attn.o_proj": (width, heads),
        "post_attention_layernorm": (width,),
        "mlp.gate_proj": (inner, width),
        "mlp.up_proj": (inner, width),
        "mlp.down_proj": (width, inner),
    }
    if config.qk_norm:
        block |= {"self_attn.q_norm": (config.head_dim,), "self_attn.k_norm": (config.head_dim,)}
    biases = {"q_proj": (heads,), "k_proj": (kv_heads,), "v_proj": (kv_heads,)} if config.qkv_bias else {}
    shapes: dict[str, tuple[int, ...]] = {EMBEDDING: (config.vocab_size, width)}
    for layer in range(config.num_hidden_layers):
        shapes |= {f"model.layers.{layer}.{name}.weight": shape for name, shape in block.items()}
        shapes |= {f"model.layers.{layer}.self_attn.{name}.bias": shape for name, shape in biases.items()}
    return shapes | {"model.norm.weight": (width,), "lm_head.weight": (config.vocab_size, width)}


def check_tensors(folder: Path, tensors: Mapping[str, StoredTensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raises WeightsError that names the first tensor which is missing, or of another shape than its config.json says."""
    for name, shape in shapes.items():
        if name not in tensors:
            raise WeightsError(f"{folder} lacks {name}: a weight file is missing from it, or from its index. Download the folder again.")
        if tensors[name].shape != shape:
            raise WeightsError(
                f"{tensors[name].path} has {name} of shape {list(tensors[name].shape)}, but {folder / 'config.json'} means {list(shape)}. "
                "The two are of different models: download both again."
            )


def check_pair(base: HubLlama, delta: HubLlama) -> None:
    """Raises WeightsError for a delta of another size than its base: both have to be of 7B, or both of 13B."""
    for name in ("hidden_size", "num_hidden_layers", "intermediate_size", "num_attention_heads"):
        wanted, got = getattr(base.config, name), getattr(delta.config, name)
        if wanted != got:
            raise WeightsError(
                f"{delta.folder} is a delta for a model with {name} {got}, but {base.folder} has {wanted}. "
                "Give a --delta and a --llama of the same size (both 7B, or both 13B)."
            )
    if delta.config.vocab_size < base.config.vocab_size:
        raise WeightsError(
            f"{delta.folder} has {delta.config.vocab_size} words, fewer than {base.folder} with {base.config.vocab_size}. "
            "If --llama is merged Vicuna already, leave --delta out; otherwise give the original LLaMA."
        )


def merge(base: Tensor, delta: Tensor) -> Tensor:
    """base + delta in fp16, as FastChat's `apply_delta.py` adds them: [rows, …] + [rows or more, …] → delta's shape.

    The v0 delta has a row more (`[PAD]`) in both embeddings; the base counts as zero there. An fp16 delta is added to in place.
    """
    merged = delta.to(torch.float16)
    merged[: base.shape[0]] += base.to(torch.float16)
    return merged
