"""How many answers an engine writes at once, and how much of the device's memory their keys and values may take."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from engine.blocks import BLOCK
from engine.devices import WORKING, free_memory
from engine.kv_cache import SCRATCH, block_bytes
from engine.models.base import VisionLanguageModel

LADDER = (1, 2, 4, 8, 16, 24, 32, 48, 64)  # sizes of batch that a decode step is captured for
PICTURES = (1, 2, 4, 8)  # sizes of batch that the eye is captured for
GPU_ROWS, CPU_ROWS = 64, 8
SHARE = 0.9  # of what is free on a card once the weights are there
LEAST = 2000  # tokens that the smallest pool holds


@dataclass(frozen=True)
class Capacity:
    """`blocks` of BLOCK tokens for all `rows`; `prompt_tokens` and `pictures` bound what one step takes in."""

    rows: int
    blocks: int
    prompt_tokens: int
    pictures: int = PICTURES[-1]


def capacity_for(model: VisionLanguageModel, rows: int | None = None, tokens: int | None = None) -> Capacity:
    """`rows` at once and room for `tokens` of all conversations together; by default what the device has room for.

    The pool is never larger than all rows at full length need.
    """
    language = model.language
    on_gpu = language.device.type == "cuda"
    rows = rows or (GPU_ROWS if on_gpu else CPU_ROWS)
    blocks = -(-(tokens or rows * model.card.context_length) // BLOCK)
    if on_gpu and tokens is None:
        blocks = min(blocks, affordable_blocks(model))
    return Capacity(rows, blocks, 512 if on_gpu else 128)


def affordable_blocks(model: VisionLanguageModel) -> int:
    """On the device with the least room for its layers' share of a block; never fewer than one conversation needs."""
    language, room, first = model.language, [], 0
    per_layer = block_bytes(language.config, language.dtype) // language.config.num_hidden_layers
    for layers in language.stages:
        device = next(language.model.layers[first].parameters()).device
        torch.cuda.empty_cache()
        free = (free_memory(device) or 0) - WORKING
        room.append(int(free * SHARE) // (per_layer * layers) - SCRATCH)
        first += layers
    return max(min(room), LEAST // BLOCK)
