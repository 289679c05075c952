"""Plans memory: how many rows an engine decodes at once, and how large its KV cache is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from engine.api import MAX_BEAMS
from engine.device.devices import WORKING, free_memory
from engine.errors import ModelError
from engine.kv_cache.block_pool import BLOCK
from engine.kv_cache.cache import SCRATCH, block_bytes, token_bytes
from engine.models.base import VisionLanguageModel
from engine.models.llama.llama import Llama
from engine.runner.prompt_graphs import LONGEST

LADDER = (1, 2, 4, 8, 16, 24, 32, 48, 64)  # sizes of batch that a decode step is captured for
PICTURES = (1, 2, 4, 8)  # and the vision encoder
GPU_ROWS, FEW_ROWS = 64, 8  # by default, on a GPU with a compact step and without
CPU_ROWS = MAX_BEAMS  # on a CPU: every search that may be asked for
GPU_PROMPT, TIGHT_PROMPT, CPU_PROMPT = LONGEST, 256, 128  # prompt tokens a step
SHARE = 0.9  # of what is free on a card once the weights are there
GRAPHS = 1_200_000_000  # bytes that graphs for prompts and for pictures take
ROOMY = 8000  # tokens that a pool should hold before memory goes to such graphs
LEAST = 2000  # tokens that the smallest pool holds


@dataclass(frozen=True)
class Capacity:
    """`blocks` of BLOCK tokens for all `rows`; `prompt_tokens` and `pictures` bound what one step takes in.

    `roomy`: there is memory for every graph that makes the engine faster, not only for those of decode steps.
    """

    rows: int
    blocks: int
    prompt_tokens: int
    pictures: int = PICTURES[-1]
    roomy: bool = True


def capacity_for(
    model: VisionLanguageModel, compact: bool, rows: int | None = None, tokens: int | None = None, memory: int | None = None
) -> Capacity:
    """`rows` at once and room for `tokens` of all conversations together; by default what the device has room for.

    The pool is never larger than all rows at full length need. `memory` bounds the bytes of a card that this process takes;
    `compact` is the decode step's, see `DecodeStep`. Raises ModelError where there is too little.
    """
    on_gpu = model.language_model.device.type == "cuda"
    rows = rows or (CPU_ROWS if not on_gpu else GPU_ROWS if compact else FEW_ROWS)
    wanted = -(-tokens // BLOCK) if tokens else rows * -(-model.card.context_length // BLOCK)
    if not on_gpu:
        return Capacity(rows, wanted, CPU_PROMPT)
    copied = 0 if compact else rows * model.card.context_length * token_bytes(model.language_model.config, model.language_model.dtype)
    room = [(free - copied, block) for free, block in room_of(model.language_model, memory)]
    least = wanted if tokens else min(wanted, LEAST // BLOCK)
    if fitting(room, 0, share=1.0) < least:
        free = min(free for free, _ in room)
        raise ModelError(
            f"{model.card.name} leaves {max(free, 0) / 1e9:.1f} GB for conversations: too little for {least * BLOCK} tokens. "
            "Choose --quantize 4bit, fewer --tokens or --rows, or a larger --memory."
        )
    blocks, roomy = plan_pool(room, wanted)
    blocks = wanted if tokens else blocks
    return Capacity(rows, blocks, GPU_PROMPT, PICTURES[-1]) if roomy else Capacity(rows, blocks, TIGHT_PROMPT, 1, roomy=False)


def ladder(rows: int) -> list[int]:
    """The sizes of batch that are captured for an engine of so many rows."""
    return sorted({*(size for size in LADDER if size < rows), min(rows, LADDER[-1])})


def plan_pool(room: Sequence[tuple[int, int]], wanted: int) -> tuple[int, bool]:
    """How many of the `wanted` blocks fit, and whether there is memory for all graphs besides.

    `room` has, for each device, the bytes that are free and what a block takes there. A pool for a group's conversations
    goes before graphs; one for a single conversation is made in any case.
    """
    generous = fitting(room, GRAPHS)
    if generous >= min(wanted, ROOMY // BLOCK):
        return min(wanted, generous), True
    return min(wanted, max(fitting(room, 0), LEAST // BLOCK)), False


def fitting(room: Sequence[tuple[int, int]], reserve: int, share: float = SHARE) -> int:
    return min(int((free - WORKING - reserve) * share) // block - SCRATCH for free, block in room)


def room_of(language: Llama, memory: int | None) -> list[tuple[int, int]]:
    """See `plan_pool`."""
    room, first = [], 0
    per_layer = block_bytes(language.config, language.dtype) // language.config.num_hidden_layers
    torch.cuda.empty_cache()
    for layers in language.shard_sizes:
        device = next(language.model.layers[first].parameters()).device
        free = free_memory(device) or 0
        if memory is not None:
            free = min(free, memory - torch.cuda.memory_reserved(device))
        room.append((free, per_layer * layers))
        first += layers
    return room
