"""Brings a fallback's model onto its device, once there is memory for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from engine.core.startup import Built, EngineOptions
from engine.device.devices import abilities
from engine.errors import ModelError
from engine.fallback.engine import FallbackEngine
from engine.fallback.memory import needs_of, rows_for
from engine.fallback.model import load_fallback, read_config
from engine.metrics import Metrics
from engine.models.card_reader import read_card


def build_fallback(
    folder: Path, devices: Sequence[torch.device], options: EngineOptions, pictures: Path | None = None, metrics: Metrics | None = None
) -> Built:
    """The model of `folder`, answered by transformers' own `generate`. Raises ModelError and WeightsError."""
    card, device = read_card(folder), devices[0]
    if len(devices) > 1:
        raise ModelError(f"{card.name} ({card.version}) is run by transformers, on one device. Name only one.")
    if options.quantize not in ("auto", "none"):
        raise ModelError(f"{card.name} ({card.version}) is run by transformers, unquantised. Leave --quantize out.")
    if options.adapters:
        raise ModelError(f"{card.name} ({card.version}) is run by transformers, without adapters. Leave --adapter out.")
    config = read_config(folder)
    dtype = torch.float32 if options.exact else fallback_dtype(config.dtype, device, options.capability)
    needs = needs_of(folder, config.get_text_config().to_dict(), card.context_length, dtype)
    rows = rows_for(needs, card, device, options.rows, options.memory)
    engine = FallbackEngine(load_fallback(folder, card, config, device, dtype), rows, metrics)
    return Built(engine, rows, engine.preprocessor.prepare)


def fallback_dtype(stored: torch.dtype | str | None, device: torch.device, capability: tuple[int, int] | None) -> torch.dtype:
    """bf16 where a model was trained in it, on cards without it too: slow there, but some of these write nothing in fp16."""
    return torch.bfloat16 if stored in (torch.bfloat16, "bfloat16", None) else abilities(device, capability).dtype
