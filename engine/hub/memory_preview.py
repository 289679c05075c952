"""Says before a download in which form a repository's model would run here, and what memory that takes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig

from engine.device.devices import default_device, free_memory, main_memory
from engine.fallback.memory import FallbackNeeds, available, row_bytes
from engine.models.card import FALLBACK
from engine.models.llama.config import LlamaConfig
from engine.models.pretrained_card import LONGEST_CONTEXT, check_kind
from engine.weights.memory_needed import HALF, Shapes, pick
from engine.weights.merging import language_shapes

FORMS = {"none": "16 bit", "int8": "int8", "4bit": "4 bit"}


def memory_preview(config: Path, parameters: int) -> str:
    """One sentence, from a repository's `config.json` and its number of parameters, on the device that an engine would take here."""
    values = json.loads(config.read_text(encoding="utf-8-sig"))
    if check_kind(str(config), values) == FALLBACK:
        return fallback_preview(values, parameters)
    return sentence(planned(config, parameters))


def sentence(shapes: Shapes) -> str:
    """In which form a model of these sizes would run here, and what memory that takes."""
    device = default_device()
    free = free_memory(device)
    if free is None:
        return on_processor(shapes, main_memory())
    mode = pick(shapes, free)
    if mode is None:
        return f"It does NOT fit here: in 4 bit it takes {gigabytes(shapes.needed('4bit', 1))}, and {gigabytes(free)} of {device} are free."
    room = shapes.conversations(mode, free)
    return f"On {device}, {gigabytes(free)} of which are free, it runs in {FORMS[mode]} with room for {room} conversations at once."


def fallback_preview(values: dict[str, Any], parameters: int) -> str:
    """The same for a type that transformers runs."""
    text = AutoConfig.for_model(**values).get_text_config().to_dict()
    window = min(text.get("max_position_embeddings") or LONGEST_CONTEXT, LONGEST_CONTEXT)
    needs = FallbackNeeds(parameters * HALF, row_bytes(text, window, torch.bfloat16))
    device = default_device()
    free = available(device)
    room = "" if free is None else f", and {gigabytes(free)} of {device} are free"
    begin = "" if free is None or needs.least <= free else "It does NOT fit here. "
    return f"{begin}As a {values['model_type']} it is run by transformers (fallback) in 16 bit: that takes {gigabytes(needs.least)}{room}."


def on_processor(shapes: Shapes, free: int | None) -> str:
    needed = shapes.needed("4bit", 1)
    known = "" if free is None else f", of which {gigabytes(free)} are free"
    if free is not None and free < needed:
        return f"It does NOT fit here: on this processor it takes {gigabytes(needed)} of memory in 4 bit, and {gigabytes(free)} are free."
    return f"There is no GPU: on this processor it runs in 4 bit and takes about {gigabytes(needed)} of memory{known}."


def planned(config: Path, parameters: int) -> Shapes:
    values = json.loads(config.read_text(encoding="utf-8-sig"))
    text = AutoConfig.for_model(**values).get_text_config().to_dict()
    language = LlamaConfig.from_json(text)
    spoken = sum(math.prod(shape) for shape in language_shapes(language).values())
    return Shapes(language, max(0, parameters - spoken))


def gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
