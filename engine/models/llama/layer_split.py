"""Splits a language model over several devices: each has a run of layers (a shard), and hidden states move from one to the next.

accelerate plans which layer goes where, from the parameters' sizes; embeddings come first, the head last. The tokens
are those of one device, for every shard computes what it would compute there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from accelerate import infer_auto_device_map
from accelerate.utils import compute_module_sizes
from torch import nn

from engine.device import meta
from engine.errors import ModelError
from engine.models.llama.llama import Block, Llama


def plan_shards(language: Llama, memory: Sequence[int | None]) -> tuple[int, ...]:
    """How many layers each device gets. `memory` is what a device has for weights, in bytes; None = any amount.

    Each gets an even share where it can, so that the cache has room everywhere. `language` may be on the meta device.
    Raises ModelError where the devices together are too small.
    """
    sizes = compute_module_sizes(language)
    total, share = sizes[""], sizes[""] // len(memory)
    reserved = max(sizes[name] for name in ("model.layers.0", "model.embed_tokens", "lm_head"))  # by accelerate, on the first
    room = [size or total for size in memory]
    for limits in ([*(min(share, size) for size in room[:-1]), room[-1]], room):
        limits[0] += reserved
        where = infer_auto_device_map(language, dict(enumerate(limits)), no_split_module_classes=[Block.__name__], clean_result=False)
        if set(where.values()) <= set(range(len(memory))):
            layers = [device_of(where, f"model.layers.{index}") for index in range(language.config.num_hidden_layers)]
            return tuple(layers.count(device) for device in range(len(memory)))
    sizes_text = " and ".join(f"{(size or 0) / 1e9:.1f} GB" for size in memory)
    raise ModelError(f"{total / 1e9:.1f} GB of weights do not fit into {sizes_text}. Name more devices, or choose engine.quantize = 4bit.")


def device_of(where: Mapping[str, int], name: str) -> int:
    """accelerate names a module that is whole on one device, not what is in it."""
    return next(where[prefix] for prefix in (name, "model.layers", "model", "") if prefix in where)


def allocate(language: Llama, devices: Sequence[torch.device], shard_sizes: Sequence[int]) -> None:
    """Gives an empty model its memory: embeddings on the first device, then the shards' layers, norm and head on the last."""
    layers: list[nn.Module] = list(language.model.layers)
    where = [device for device, count in zip(devices, shard_sizes, strict=True) for _ in range(count)]
    for module, device in zip(layers, where, strict=True):
        meta.allocate(module, device)
    meta.allocate(language.model.embed_tokens, devices[0])
    meta.allocate(language.model.norm, devices[-1])
    meta.allocate(language.lm_head, devices[-1])
    language.shard_sizes = tuple(shard_sizes)
