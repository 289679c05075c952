"""Rounds a ready folder's language model to 4 bits with error feedback, once, and keeps the codes there: `gander model quantize`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch

from engine.atomic_write import replacing_folder
from engine.device.devices import abilities
from engine.errors import ModelError
from engine.layers.quantization import quantized_slots
from engine.models.card import CARD_NAME, FALLBACK, Card
from engine.models.card_reader import read_card
from engine.models.llama.config import LlamaConfig
from engine.models.pretrained_card import stated_dtype
from engine.models.tokenizer import JsonTokenizer
from engine.rounding.layer_rounding import TEXT, LayerRounding, calibration_ids
from engine.weights.kept_codes import FOLDER, RECORD, fingerprint
from engine.weights.llama_loader import open_shards
from engine.weights.shard_folder import Progress, write_weights
from engine.weights.shards import Conversion
from engine.weights.stored_tensors import StoredTensor

STEM = "language"


def round_model(folder: Path, device: torch.device, progress: Progress) -> Path:
    """Makes the folder of codes inside `folder`, computing on `device`; a run that was stopped continues. Returns it.

    Raises ModelError for a folder that has nothing to round, and WeightsError for a weight file that can't be used.
    """
    card = read_card(folder)
    if card.architecture == FALLBACK:
        raise ModelError(f"{card.name} is of type {card.version}, which transformers computes: it is not quantised.")
    config, tensors, tokenizer = open_language(folder, card)
    if any(name.endswith("_scale") for name in tensors):
        raise ModelError(f"{card.name} is stored quantised already. Import it again with --quantize none, and quantise that.")
    ids = calibration_ids(tokenizer.encode(TEXT.read_text(encoding="utf-8")), tokenizer.bos_id if card.template.bos else None)
    dtype = torch.float32 if device.type == "cpu" else abilities(device).dtype_for(stated_dtype(folder))
    rounding = LayerRounding(config, tensors, ids, device, dtype)
    if not rounding.names:
        raise ModelError(f"{card.name} has no matrix whose rows can be cut into groups of 64: it is kept in 8 bits.")
    with replacing_folder(folder / FOLDER, resume=True) as kept:
        write_weights(kept, {STEM: [conversion(name, tensors[name], rounding) for name in rounding.names]}, progress)
        (kept / RECORD).write_text(json.dumps({"weights": fingerprint(tensors)}), encoding="utf-8")
    return folder / FOLDER


def open_language(folder: Path, card: Card) -> tuple[LlamaConfig, Mapping[str, StoredTensor], JsonTokenizer]:
    """The language model's shape, its tensors by LLaMA's own names, and its tokenizer: of our own folders, and of a hub's."""
    if (folder / CARD_NAME).is_file():
        return LlamaConfig.read(folder / "config.json"), open_shards(folder, "language"), JsonTokenizer.read(folder)
    from transformers import AutoConfig, AutoTokenizer  # takes three seconds, which only a hub's folders need

    from engine.weights.pretrained_loader import language_config, language_tensors, read_tokenizer

    tensors = language_tensors(folder)
    config = language_config(AutoConfig.from_pretrained(folder, local_files_only=True), tensors)
    return config, tensors, read_tokenizer(AutoTokenizer.from_pretrained(folder, local_files_only=True), folder, card)


def conversion(name: str, origin: StoredTensor, rounding: LayerRounding) -> Conversion:
    slots = quantized_slots(name, origin.shape, "4bit")
    return Conversion(slots, lambda: dict(zip(slots, rounding.take(name), strict=True)), (origin,))
