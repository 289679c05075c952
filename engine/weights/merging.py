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
LAST_NORM = "model.norm.weight"  # about 1 on average in a model, about 0 in a difference of two
DELTA_NORM = 0.3
SHARE = 0.25  # of the delta in its base: about 1 where it was added already, about 0 (or less) in LLaMA
V0_WORDS = 32001
LLAMA2_CONTEXT = 4096


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


def is_delta(model: HubLlama) -> bool:
    """Whether these are no weights but what is to be added to some."""
    return abs(float(model.tensors[LAST_NORM].read().float().mean())) < DELTA_NORM


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


def check_alone(base: HubLlama) -> None:
    """Raises WeightsError for what is no Vicuna that is merged already. LLaMA without a delta can't be told from Vicuna v1."""
    if is_delta(base):
        raise WeightsError(
            f"{base.folder} is a delta, to be added to LLaMA: give it as --delta, and the LLaMA of the same size as --llama "
            "(or merged Vicuna as --llama alone)."
        )
    check_release(base)


def check_release(base: HubLlama) -> None:
    if base.config.max_position_embeddings >= LLAMA2_CONTEXT:
        raise WeightsError(
            f"{base.folder} is of Llama 2 (a context of {base.config.max_position_embeddings} words): MiniGPT-4's weights are for LLaMA "
            "of 2023, with 2,048. Give Vicuna v0."
        )


def check_llama2(base: HubLlama, delta: HubLlama | None) -> None:
    """Raises WeightsError for what is no Llama 2 Chat: the later checkpoints of MiniGPT-4, and MiniGPT-v2's, were trained with it."""
    if delta:
        raise WeightsError(f"{delta.folder} is a delta, and this checkpoint is for Llama 2 Chat as it is: leave --delta out.")
    context = base.config.max_position_embeddings
    if context < LLAMA2_CONTEXT or is_delta(base):
        raise WeightsError(
            f"{base.folder} (a context of {context:,} words) is not Llama 2 Chat (4,096), which this checkpoint was trained with. "
            "Give meta-llama/Llama-2-7b-chat-hf as --llama."
        )


def check_pair(base: HubLlama, delta: HubLlama) -> None:
    """Raises WeightsError that names the pair's fault: sizes that differ, or a folder that is not what its option means."""
    if base.folder.resolve() == delta.folder.resolve():
        raise WeightsError(
            f"--llama and --delta are the same folder, {base.folder}. Give LLaMA and its delta, or merged Vicuna as --llama."
        )
    for name in ("hidden_size", "num_hidden_layers", "intermediate_size", "num_attention_heads"):
        wanted, got = getattr(base.config, name), getattr(delta.config, name)
        if wanted != got:
            raise WeightsError(
                f"{delta.folder} is a delta for a model with {name} {got}, but {base.folder} has {wanted}. "
                "Give a --delta and a --llama of the same size (both 7B, or both 13B)."
            )
    if not is_delta(delta):
        raise WeightsError(
            f"{delta.folder} is no delta but a whole model. If it is merged Vicuna, give it as --llama and leave --delta out."
        )
    if is_delta(base):
        raise WeightsError(f"{base.folder} is a delta itself. Give LLaMA as --llama, and one delta.")
    if delta.config.vocab_size < base.config.vocab_size or holds(base, delta):
        raise WeightsError(
            f"{base.folder} ({base.config.vocab_size} words) holds the delta {delta.folder} ({delta.config.vocab_size} words) already: "
            "it is merged Vicuna. Leave --delta out; otherwise give the original LLaMA."
        )
    check_release(base)


def holds(base: HubLlama, delta: HubLlama) -> bool:
    """Whether the delta was added to the base before: then one of its matrices shows in the base's, by a regression of the two."""
    if base.config.vocab_size == V0_WORDS:
        return True
    name = f"model.layers.{base.config.num_hidden_layers - 1}.self_attn.q_proj.weight"
    added, whole = delta.tensors[name].read().float(), base.tensors[name].read().float()
    return bool((whole * added).sum() > SHARE * (added * added).sum().clamp(min=torch.finfo(torch.float32).tiny))


def merge(base: Tensor, delta: Tensor) -> Tensor:
    """base + delta in fp16, as FastChat's `apply_delta.py` adds them: [rows, …] + [rows or more, …] → delta's shape.

    The v0 delta has a row more (`[PAD]`) in both embeddings; the base counts as zero there. An fp16 delta is added to in place.
    """
    merged = delta.to(torch.float16)
    merged[: base.shape[0]] += base.to(torch.float16)
    return merged
